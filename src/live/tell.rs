//! From findings to published alerts: suppress, leave out what was told before, publish, and only then remember it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use tokio::time::timeout_at;
use trailhound_detectors::{EventTime, Finding};

use super::desk::Desk;
use super::judge::Found;
use super::report::Report;
use crate::alert::{Alert, Provenance};
use crate::sink::Publish;
use crate::store::facts::Sent;
use crate::store::table::{READ_BATCH, Table};
use crate::suppress::{Suppression, sift};

/// Alerts handed to the sink at once.
const PUBLISHED_AT_ONCE: usize = 100;
/// Records of sent alerts written at once.
const RECORDS: usize = 16;

/// How alerts are dressed.
#[derive(Clone, Debug)]
pub(super) struct Dress<'a> {
    pub(super) provenance: &'a Provenance,
    pub(super) suppressions: &'a [Suppression],
    pub(super) now: EventTime,
}

/// An alert to be published, and the objects that must be seen again if it is not.
struct Due {
    alert: Alert,
    objects: Vec<usize>,
}

impl<T: Table> Desk<'_, T> {
    /// Publishes what was not published before. Answers with the objects to be seen again.
    pub(super) async fn tell(
        &mut self,
        found: Vec<Found>,
        dress: &Dress<'_>,
        sink: &impl Publish,
        report: &mut Report,
    ) -> BTreeSet<usize> {
        let mut again = BTreeSet::new();
        report.alerts.found += found.len() as u64;
        let found = unsuppressed(found, dress.suppressions, report);
        let due = self.due(found, dress, report, &mut again).await;
        for due in due.chunks(PUBLISHED_AT_ONCE) {
            let alerts: Vec<Alert> = due.iter().map(|due| due.alert.clone()).collect();
            let answers = timeout_at(self.deadline, sink.publish(&alerts)).await.unwrap_or_default();
            let mut answers = answers.into_iter();
            let mut sent = Vec::new();
            for Due { alert, objects } in due {
                match answers.next() {
                    Some(Ok(())) => {
                        *report.alerts.published.entry(alert.detector.clone().into_owned()).or_default() += 1;
                        sent.push((
                            alert.id.as_str(),
                            Sent { severity: alert.severity, revision: alert.revision },
                        ));
                    }
                    answer => {
                        report.alerts.failed += 1;
                        report.trouble(|| match answer {
                            Some(Err(error)) => format!("{error}: {}", error.source),
                            _ => "no time was left to publish an alert".to_owned(),
                        });
                        again.extend(objects);
                    }
                }
            }
            self.remember(sent, report).await;
        }
        again
    }

    /// What was never published, or only with a lower severity. What can't be known counts as failed.
    async fn due(
        &mut self,
        found: BTreeMap<String, (Finding, Vec<usize>)>,
        dress: &Dress<'_>,
        report: &mut Report,
        again: &mut BTreeSet<usize>,
    ) -> Vec<Due> {
        let asked: Vec<&str> =
            found.keys().map(String::as_str).filter(|id| self.cache.sent(id).is_none()).collect();
        let mut unknown = BTreeSet::new();
        for ids in asked.chunks(READ_BATCH) {
            self.counts.reads += 1;
            match timeout_at(self.deadline, self.store.sent(ids)).await {
                Ok(Ok(sent)) => {
                    for (id, sent) in ids.iter().zip(sent) {
                        if let Some(sent) = sent {
                            self.cache.keep_sent(id, sent);
                        }
                    }
                }
                _ => unknown.extend(ids.iter().map(|id| (*id).to_owned())),
            }
        }
        let mut due = Vec::new();
        for (id, (finding, objects)) in found {
            let before = self.cache.sent(&id);
            if unknown.contains(&id) {
                report.alerts.failed += 1;
                report.trouble(|| format!("can't tell whether {id} was published before"));
                again.extend(objects);
            } else if before.is_some_and(|sent| sent.severity >= finding.severity) {
                report.alerts.known += 1;
            } else {
                let mut alert = Alert::new(finding, dress.provenance);
                alert.revision = before.map_or(0, |sent| sent.revision.saturating_add(1));
                alert.detected_at = Some(dress.now.to_string());
                due.push(Due { alert, objects });
            }
        }
        due
    }

    /// An alert that can't be recorded may be published once more, with the same id; it is not worth a message.
    async fn remember(&mut self, sent: Vec<(&str, Sent)>, report: &mut Report) {
        let (store, deadline, expires) = (self.store, self.deadline, self.expires);
        let mut records = Vec::new();
        for (id, sent) in &sent {
            records.push(timeout_at(deadline, store.record(id, *sent, expires)));
        }
        let records: Vec<_> = futures_util::stream::iter(records).buffer_unordered(RECORDS).collect().await;
        for record in records {
            self.counts.writes += 1;
            if !matches!(record, Ok(Ok(()))) {
                report.trouble(|| {
                    "an alert was published and could not be recorded: it may come again".to_owned()
                });
            }
        }
        for (id, sent) in sent {
            self.cache.keep_sent(id, sent);
        }
    }
}

/// Findings by id, without the suppressed ones.
fn unsuppressed(
    found: Vec<Found>,
    suppressions: &[Suppression],
    report: &mut Report,
) -> BTreeMap<String, (Finding, Vec<usize>)> {
    let mut kept = BTreeMap::new();
    for Found { finding, objects, .. } in found {
        match sift(vec![finding], suppressions).kept.pop() {
            Some(finding) => {
                kept.insert(finding.id(), (finding, objects));
            }
            None => report.alerts.suppressed += 1,
        }
    }
    kept
}
