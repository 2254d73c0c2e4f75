//! Where bytes came from, and what the name of a log object tells.
//!
//! CloudTrail names its objects `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz` (AWS, "CloudTrail log file
//! name format"); digests say `CloudTrail-Digest` and insights `CloudTrail-Insight` in the second place.

use std::sync::Arc;

use trailhound_detectors::EventTime;

/// What an object holds, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectKind {
    /// Records.
    Trail,
    /// Hashes of delivered objects, signed.
    Digest,
    /// CloudTrail Insights.
    Insight,
    /// The name does not say.
    #[default]
    Other,
}

/// Where bytes came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `s3://bucket/key`, a path as given, or `-`.
    pub name: Arc<str>,
    /// When the object was delivered, to the minute, by its name.
    pub delivered: Option<EventTime>,
    /// The account in the name; not always the account of the records.
    pub account: Option<Arc<str>>,
    /// The region in the name.
    pub region: Option<Arc<str>>,
    /// What the object holds, by its name.
    pub kind: ObjectKind,
}

impl Origin {
    /// An origin, with all that its name tells.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let file = name.rsplit(['/', '\\']).next().unwrap_or(&name);
        let parts = Parts::of(file).unwrap_or_default();
        Self {
            delivered: parts.delivered,
            account: parts.account.map(Into::into),
            region: parts.region.map(Into::into),
            kind: parts.kind,
            name,
        }
    }
}

/// When an object was delivered, by the last part of its name.
pub(super) fn delivered(file: &str) -> Option<EventTime> {
    Parts::of(file)?.delivered
}

/// Twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[derive(Default)]
struct Parts<'a> {
    account: Option<&'a str>,
    kind: ObjectKind,
    region: Option<&'a str>,
    delivered: Option<EventTime>,
}

impl<'a> Parts<'a> {
    /// `None` for names CloudTrail does not give.
    fn of(file: &'a str) -> Option<Self> {
        let mut parts = file.split('_');
        let account = parts.next().filter(|a| is_account(a))?;
        let kind = match parts.next()? {
            "CloudTrail" => ObjectKind::Trail,
            "CloudTrail-Digest" => ObjectKind::Digest,
            "CloudTrail-Insight" => ObjectKind::Insight,
            _ => return None,
        };
        let region = parts.next()?;
        // Digests put the name of the trail and its home region between region and time.
        let delivered = parts.find_map(delivery_time);
        Some(Self { account: Some(account), kind, region: Some(region), delivered })
    }
}

/// `20230710T1155Z`, or `20230710T115500Z` as digests write it, up to the first dot.
fn delivery_time(text: &str) -> Option<EventTime> {
    let text = text.split('.').next()?.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    if date.len() != 8 || !matches!(time.len(), 4 | 6) || !text.is_ascii() {
        return None;
    }
    let seconds = time.get(4..).filter(|s| !s.is_empty()).unwrap_or("00");
    let mut text = *b"YYYY-MM-DDThh:mm:ssZ";
    for (at, digits) in [
        (0, &date[..4]),
        (5, &date[4..6]),
        (8, &date[6..]),
        (11, &time[..2]),
        (14, &time[2..4]),
        (17, seconds),
    ] {
        text[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
    EventTime::parse(std::str::from_utf8(&text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_account_region_kind_and_delivery() {
        let name = "s3://trail/AWSLogs/o-1/123456789012/CloudTrail/eu-west-1/2023/07/10/123456789012_CloudTrail_eu-west-1_20230710T1155Z_Ab1.json.gz";
        let origin = Origin::new(name);
        assert_eq!(&*origin.name, name);
        assert_eq!(origin.account.as_deref(), Some("123456789012"));
        assert_eq!(origin.region.as_deref(), Some("eu-west-1"));
        assert_eq!(origin.delivered, EventTime::parse("2023-07-10T11:55:00Z"));
        assert_eq!(origin.kind, ObjectKind::Trail);
    }

    #[test]
    fn digests_and_insights_are_told_apart() {
        let digest = Origin::new(
            "123456789012_CloudTrail-Digest_us-east-1_my_trail_us-east-2_20230710T115432Z.json.gz",
        );
        assert_eq!(
            (digest.kind, digest.delivered),
            (ObjectKind::Digest, EventTime::parse("2023-07-10T11:54:32Z"))
        );
        let insight = Origin::new("123456789012_CloudTrail-Insight_us-east-1_20230710T1155Z_x.json.gz");
        assert_eq!(insight.kind, ObjectKind::Insight);
    }

    #[test]
    fn other_names_tell_nothing() {
        for name in
            ["-", "", "events.json", "12345_CloudTrail_eu-west-1_20230710T1155Z_x.json.gz", "123456789012_é"]
        {
            let origin = Origin::new(name);
            assert_eq!(
                (origin.delivered, origin.account, origin.kind),
                (None, None, ObjectKind::Other),
                "{name}"
            );
        }
        for time in ["20231310T1155Z", "20230710T2555Z", "2023071éT1155Z", "20230710T11555Z"] {
            let origin = Origin::new(format!("123456789012_CloudTrail_eu-west-1_{time}_x.json.gz"));
            assert_eq!(origin.delivered, None, "{time}");
        }
    }
}
