//! Calls that are grave when refused.

use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::access_level::AccessLevel;
use crate::action::Action;

/// How much one refusal of a call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Weight {
    /// Grave in company only: honest mistakes refuse it too.
    Telling,
    /// One refusal to somebody who is never refused is worth a look.
    Grave,
}

/// What is known of a grave call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraveCall {
    /// How much one refusal says.
    pub(crate) weight: Weight,
    /// ATT&CK technique.
    pub(crate) technique: &'static str,
    /// What the call does: `makes a user`.
    pub(crate) does: &'static str,
}

static TABLE: LazyLock<HashMap<(&'static str, &'static str), GraveCall>> = LazyLock::new(|| {
    include_str!("../../data/sensitive_actions.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (service, names) = (fields.next()?, fields.next()?);
            let weight = match fields.next()? {
                "grave" => Weight::Grave,
                _ => Weight::Telling,
            };
            let call = GraveCall { weight, technique: fields.next()?, does: fields.next()? };
            Some(names.split(' ').map(move |name| ((service, name), call)))
        })
        .flatten()
        .collect()
});

/// Services whose permissions are everybody's.
const IDENTITY_SERVICES: [&str; 4] = ["iam", "organizations", "sso", "kms"];

impl GraveCall {
    /// What is known of a call given as `service:name`, when it is grave.
    pub(crate) fn of(label: &str) -> Option<Self> {
        let (service, name) = label.split_once(':')?;
        Self::with_level((service, name), || AccessLevel::of(service, name))
    }

    /// The same of a call whose level is known.
    pub(crate) fn of_action(action: &Action) -> Option<Self> {
        Self::with_level((&*action.service, &*action.name), || action.level)
    }

    fn with_level((service, name): (&str, &str), level: impl FnOnce() -> AccessLevel) -> Option<Self> {
        if let Some(listed) = TABLE.get(&(service, name)) {
            return Some(*listed);
        }
        (level() == AccessLevel::Permissions).then(|| Self {
            weight: if IDENTITY_SERVICES.contains(&service) { Weight::Grave } else { Weight::Telling },
            technique: "T1098",
            does: "changes who may do what",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_technique_ids_look_like_ones() {
        let rows = include_str!("../../data/sensitive_actions.tsv").lines().filter(|l| !l.starts_with('#'));
        let names: usize = rows.map(|row| row.split('\t').nth(1).unwrap().split(' ').count()).sum();
        assert_eq!(TABLE.len(), names);
        for (call, grave) in TABLE.iter() {
            let technique = grave.technique.strip_prefix('T').unwrap();
            assert!(technique.chars().all(|c| c.is_ascii_digit() || c == '.'), "{call:?}");
        }
    }

    #[test]
    fn weights_of_known_calls() {
        for (label, weight) in [
            ("iam:CreateAccessKey", Some(Weight::Grave)),
            ("iam:AttachRolePolicy", Some(Weight::Grave)),
            ("s3:PutBucketPolicy", Some(Weight::Telling)),
            ("secretsmanager:GetSecretValue", Some(Weight::Telling)),
            ("organizations:LeaveOrganization", Some(Weight::Grave)),
            ("ec2:DescribeInstances", None),
            ("sts:AssumeRole", None),
            ("nonsense", None),
        ] {
            assert_eq!(GraveCall::of(label).map(|g| g.weight), weight, "{label}");
        }
    }
}
