//! Which folders of a bucket to look into, and which objects to read, when part of a trail is asked for.
//!
//! CloudTrail writes `[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/FILE.json.gz`, dated by delivery (AWS,
//! "Finding your CloudTrail log files"). Below `AWSLogs` nothing else is looked into; where that layout does not hold
//! – logs copied somewhere – every folder is, and names of files decide alone.

use std::collections::BTreeSet;

use trailhound_detectors::EventTime;

use super::local::is_log_name;
use super::origin::is_account;

/// The part of a trail that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Delivered at this time or later.
    pub first: EventTime,
    /// Delivered at this time or before.
    pub last: EventTime,
    /// Accounts; none means all.
    pub accounts: BTreeSet<String>,
}

/// What to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read it.
    Read,
    /// Delivered outside the asked span.
    Outside,
    /// Not a log, or of an account that is not asked for.
    Other,
}

/// Where a folder stands in CloudTrail's layout.
enum Level<'a> {
    /// Above `AWSLogs`, or nowhere near it.
    Free,
    /// Between `AWSLogs` and the account.
    Organization(&'a str),
    /// The account's.
    Account(&'a str),
    /// What a service writes for an account.
    Service(&'a str, &'a str),
    /// At the region or below, with the parts of the date.
    Date(&'a str, &'a [&'a str]),
}

impl<'a> Level<'a> {
    fn of(folders: &'a [&'a str]) -> Self {
        let Some(logs) = folders.iter().position(|f| *f == "AWSLogs") else { return Self::Free };
        match &folders[logs + 1..] {
            [] => Self::Free,
            [account] if is_account(account) => Self::Account(account),
            [account, service] if is_account(account) => Self::Service(account, service),
            [account, "CloudTrail", _, date @ ..] if is_account(account) => Self::Date(account, date),
            [organization] => Self::Organization(organization),
            [_, account] if is_account(account) => Self::Account(account),
            [_, account, service] if is_account(account) => Self::Service(account, service),
            [_, account, "CloudTrail", _, date @ ..] if is_account(account) => Self::Date(account, date),
            _ => Self::Organization(""),
        }
    }
}

impl Wanted {
    /// Whether to look into a folder, given by its whole path with a `/` at the end.
    pub fn enters(&self, folder: &str) -> bool {
        let folders: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
        match Level::of(&folders) {
            Level::Free => true,
            Level::Organization(name) => name.starts_with("o-"),
            Level::Account(account) => self.is_of(account),
            Level::Service(account, service) => service == "CloudTrail" && self.is_of(account),
            Level::Date(account, date) => self.is_of(account) && self.overlaps(date),
        }
    }

    /// What to do with an object.
    pub fn judge(&self, key: &str, delivered: Option<EventTime>) -> Verdict {
        let (folder, name) = key.rsplit_once('/').map_or(("", key), |(folder, name)| (folder, name));
        if name.is_empty() || !is_log_name(name.as_ref()) || !self.enters(folder) {
            return Verdict::Other;
        }
        match delivered {
            Some(delivered) if delivered < self.first || delivered > self.last => Verdict::Outside,
            _ => Verdict::Read,
        }
    }

    fn is_of(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.contains(account)
    }

    /// Folders that are no date are looked into.
    fn overlaps(&self, date: &[&str]) -> bool {
        span(date).is_none_or(|(start, end)| start <= self.last && end > self.first)
    }
}

/// From the first second of a year, month or day to the first after it.
fn span(date: &[&str]) -> Option<(EventTime, EventTime)> {
    if date.is_empty() {
        return None;
    }
    let number = |i: usize| date.get(i).map(|d| d.parse::<i64>().ok()).unwrap_or(Some(0));
    let (year, month, day) = (number(0)?, number(1)?, number(2)?);
    let start = |year: i64, month: i64, day: i64| {
        EventTime::parse(&format!("{year:04}-{:02}-{:02}T00:00:00Z", month.max(1), day.max(1)))
    };
    let first = start(year, month, day)?;
    let end = match (month, day) {
        (0, _) => start(year + 1, 1, 1)?,
        (12, 0) => start(year + 1, 1, 1)?,
        (_, 0) => start(year, month + 1, 1)?,
        _ => EventTime::of_day(first.day() + 1),
    };
    Some((first, end))
}

#[cfg(test)]
mod tests {
    use super::super::origin::Origin;
    use super::*;

    fn wanted(first: &str, last: &str, accounts: &[&str]) -> Wanted {
        let time = |text: &str| EventTime::parse(text).unwrap();
        Wanted {
            first: time(first),
            last: time(last),
            accounts: accounts.iter().map(ToString::to_string).collect(),
        }
    }

    const TRAIL: &str = "AWSLogs/o-a1b2c3d4e5/123456789012/CloudTrail/eu-west-1/";

    #[test]
    fn only_folders_that_can_hold_what_is_asked_for_are_entered() {
        let wanted = wanted("2026-02-27T23:00:00Z", "2026-03-01T02:00:00Z", &["123456789012"]);
        for (entered, folders) in [
            (
                true,
                &[
                    "",
                    "logs/",
                    "logs/AWSLogs/",
                    "AWSLogs/o-a1b2c3d4e5/",
                    "AWSLogs/o-a1b2c3d4e5/123456789012/",
                    "AWSLogs/123456789012/CloudTrail/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/02/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/02/27/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/01/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/odd/",
                    "incident-42/logs/",
                ][..],
            ),
            (
                false,
                &[
                    "AWSLogs/999999999999/",
                    "AWSLogs/aws-something/",
                    "AWSLogs/123456789012/Config/",
                    "AWSLogs/123456789012/CloudTrail-Digest/",
                    "AWSLogs/o-a1b2c3d4e5/123456789012/CloudTrail-Insight/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2025/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/04/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/02/26/",
                    "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/02/",
                    "AWSLogs/999999999999/CloudTrail/eu-west-1/2026/03/01/",
                ],
            ),
        ] {
            for folder in folders {
                assert_eq!(wanted.enters(folder), entered, "{folder}");
            }
        }
    }

    #[test]
    fn the_ends_of_years_months_and_days_are_where_the_calendar_has_them() {
        let last_second = wanted("2025-12-31T23:59:59Z", "2025-12-31T23:59:59Z", &[]);
        let next_second = wanted("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", &[]);
        for (folder, before) in [
            ("2025/", true),
            ("2025/12/", true),
            ("2025/12/31/", true),
            ("2026/", false),
            ("2026/01/", false),
            ("2026/01/01/", false),
        ] {
            let folder = format!("{TRAIL}{folder}");
            assert_eq!(last_second.enters(&folder), before, "{folder}");
            assert_eq!(next_second.enters(&folder), !before, "{folder}");
        }
        let leap = wanted("2028-02-29T12:00:00Z", "2028-02-29T12:00:00Z", &[]);
        assert!(leap.enters(&format!("{TRAIL}2028/02/29/")) && leap.enters(&format!("{TRAIL}2028/02/")));
    }

    #[test]
    fn names_decide_within_a_day_and_where_there_is_no_layout() {
        let wanted = wanted("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", &[]);
        let judged = |key: &str| wanted.judge(key, Origin::new(format!("s3://trail/{key}")).delivered);
        let name = |time: &str| format!("123456789012_CloudTrail_eu-west-1_20260301T{time}Z_a.json.gz");
        for (time, verdict) in [
            ("0959", Verdict::Outside),
            ("1000", Verdict::Read),
            ("1100", Verdict::Read),
            ("1101", Verdict::Outside),
        ] {
            assert_eq!(judged(&format!("{TRAIL}2026/03/01/{}", name(time))), verdict, "{time}");
            assert_eq!(judged(&format!("incident-42/{}", name(time))), verdict, "{time}");
        }
        assert_eq!(judged("incident-42/events.json"), Verdict::Read);
        assert_eq!(judged("incident-42/notes.md"), Verdict::Other);
        assert_eq!(judged("incident-42/"), Verdict::Other);
        assert_eq!(judged(&format!("AWSLogs/123456789012/Config/{}", name("1000"))), Verdict::Other);
    }
}
