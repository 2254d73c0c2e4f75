//! What a trail does not contain, and so what nobody can find in it.
//!
//! Silence has two causes: nothing happened, or nothing was logged. A report that can't tell them apart overstates what
//! it covers.

use std::collections::BTreeSet;

use trailhound_detectors::Action;

/// Something the trail can't show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct BlindSpot {
    /// The detector it limits.
    pub detector: &'static str,
    /// What is missing, what can't be seen therefore, and what would change that.
    pub text: &'static str,
}

/// Calls that only a certain selection of events brings into a trail.
struct Sign {
    shows: fn(&Action) -> bool,
    blind: BlindSpot,
}

const SIGNS: &[Sign] = &[
    Sign {
        shows: |a| &*a.service == "lambda" && a.name.starts_with("Invoke"),
        blind: BlindSpot {
            detector: "invocation_surge",
            text: "no Lambda data events: surges of function invocations can't be seen; log data events for AWS::Lambda::Function",
        },
    },
    Sign {
        shows: |a| {
            &*a.service == "s3"
                && matches!(
                    &*a.name,
                    "GetObject" | "PutObject" | "HeadObject" | "CopyObject" | "DeleteObject"
                )
        },
        blind: BlindSpot {
            detector: "invocation_surge",
            text: "no S3 data events: the read-out of a bucket can't be seen; log data events for AWS::S3::Object",
        },
    },
    Sign {
        shows: |a| {
            &*a.service == "dynamodb"
                && matches!(
                    &*a.name,
                    "GetItem"
                        | "Scan"
                        | "Query"
                        | "BatchGetItem"
                        | "PutItem"
                        | "UpdateItem"
                        | "ExecuteStatement"
                )
        },
        blind: BlindSpot {
            detector: "invocation_surge",
            text: "no DynamoDB data events: the read-out of a table can't be seen; log data events for AWS::DynamoDB::Table",
        },
    },
    Sign {
        shows: |a| {
            ["Describe", "List", "Get"].iter().any(|verb| a.name.starts_with(verb)) && &*a.service != "kms"
        },
        blind: BlindSpot {
            detector: "access_denied_spike",
            text: "no read-only management events: enumeration can't be seen, denied or not; set the trail's ReadWriteType to All",
        },
    },
    Sign {
        shows: |a| matches!(&*a.service, "iam" | "sts" | "organizations" | "signin"),
        blind: BlindSpot {
            detector: "policy_change",
            text: "no events of global services (IAM, STS, sign-in): they are logged in us-east-1; make the trail multi-Region and read that region too",
        },
    },
];

/// How many things there are that a trail may not show.
pub const SPOTS: usize = SIGNS.len();

/// Which of the [`SPOTS`] these calls light up.
pub fn seen<'a>(actions: impl Iterator<Item = &'a Action> + Clone) -> [bool; SPOTS] {
    std::array::from_fn(|spot| actions.clone().any(|action| (SIGNS[spot].shows)(action)))
}

/// The spots that were not seen.
pub fn unseen(seen: [bool; SPOTS]) -> BTreeSet<BlindSpot> {
    SIGNS.iter().zip(seen).filter(|(_, seen)| !seen).map(|(sign, _)| sign.blind.clone()).collect()
}

/// What can't be seen in a trail with only these calls.
pub fn blind_spots<'a>(actions: impl Iterator<Item = &'a Action> + Clone) -> BTreeSet<BlindSpot> {
    unseen(seen(actions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_blind_until_one_call_shows_it() {
        assert_eq!(blind_spots([].iter()).len(), SIGNS.len());
        let seen =
            [Action::new("lambda.amazonaws.com", "Invoke"), Action::new("iam.amazonaws.com", "ListUsers")];
        let texts: Vec<_> = blind_spots(seen.iter()).into_iter().map(|s| s.text).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts.iter().all(|t| t.contains("S3") || t.contains("DynamoDB")));
    }
}
