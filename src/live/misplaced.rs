//! Records in another account's folder: whoever may write to the bucket can plant or hide records so. CloudTrail never does it.

use std::sync::Arc;

use trailhound_detectors::finding::{Anchor, Entity, Evidence, Finding, Reason, Severity};

use super::judge::Found;
use super::read::Misplaced;
use super::silence::DETECTOR;
use crate::ingest::ObjectRef;

/// Accounts named in the text.
const NAMED: usize = 5;

/// The finding about one object.
pub(super) fn found(misplaced: &Misplaced, object: &ObjectRef) -> Found {
    let Misplaced { object: place, folder, accounts, span } = misplaced;
    let uri = object.uri();
    let named = accounts.iter().take(NAMED).map(|a| &**a).collect::<Vec<_>>().join(", ");
    let more = accounts.len().saturating_sub(NAMED);
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    let finding = Finding {
        detector: DETECTOR,
        kind: "misplaced_records",
        anchor: Anchor::Once(uri.clone()),
        severity: Severity::High,
        title: format!("Records of other accounts in the folder of {folder}"),
        summary: format!(
            "A log object in the folder of account {folder} holds records of {named}. CloudTrail writes every account's records \
             to that account's folder, so somebody else wrote this object, or moved it. Its records were judged all the same."
        ),
        account: folder.clone(),
        region: None,
        actor: None,
        entity: Entity { kind: "object", id: uri.clone() },
        window: *span,
        measure: None,
        reasons: vec![Reason::new("account_mismatch", format!("folder of {folder}, records of {named}"))],
        mitre: vec!["T1565.001"],
        evidence: vec![Evidence {
            time: span.start,
            event_id: "".into(),
            object: uri.into(),
            circumstances: Arc::default(),
        }],
        evidence_total: 1,
        actors: Vec::new(),
        next_steps: vec![
            "Find out who wrote the object: s3:PutObject in the data events of the bucket, or its access log.".into(),
            "Validate the trail: aws cloudtrail validate-logs.".into(),
        ],
        continues: None,
    };
    Found { finding, objects: [*place].into(), key: None }
}
