//! Who used to deliver and has stopped: judged from deliveries, at a time that is given. No event is needed, so stopping
//! the trail can't avoid it.
//!
//! The largest thing that fell silent is told, not its parts: everything, else an account, else a region of an account.

use std::collections::BTreeMap;

use trailhound_detectors::finding::{Anchor, Entity, Finding, Measure, Reason, Severity};
use trailhound_detectors::time::{DAY, HOUR};
use trailhound_detectors::{EventTime, TimeRange};

use super::rhythm::{Deliveries, Hours};
use crate::config::Coverage;

/// What the shell itself finds, as alerts name it.
pub(super) const DETECTOR: &str = "coverage";
/// Told of what fell silent.
const SILENT: &str = "trail_silent";
/// Told of what was told silent and delivers again.
const RESUMED: &str = "trail_resumed";
/// The account of an alert about all of them.
const ALL: &str = "all";

/// Who pauses for longer than this, hours, may pause for a weekend.
const NIGHT: i64 = 6;
/// A weekend with its nights, hours.
const WEEKEND: i64 = 72;
/// Hours until a weekend must have been seen.
const WEEK: i64 = 8 * 24;
/// A region must be silent for at least so many hours, and have been lively in half of this time before.
const REGION: i64 = 24;
/// After this an account is not silent but gone.
const GONE: i64 = 60 * DAY;

/// What fell silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// All accounts.
    All,
    /// An account.
    Account(String),
    /// A region of an account.
    Region(String, String),
}

impl Scope {
    fn account(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::Account(account) | Self::Region(account, _) => account,
        }
    }

    fn entity(&self) -> Entity {
        match self {
            Self::All => Entity { kind: "trail", id: "all accounts".to_owned() },
            Self::Account(account) => Entity { kind: "account", id: account.clone() },
            Self::Region(account, region) => Entity { kind: "region", id: format!("{account}/{region}") },
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::All => Severity::Critical,
            Self::Account(_) => Severity::High,
            Self::Region(..) => Severity::Medium,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::All => "All accounts".to_owned(),
            Self::Account(account) => format!("Account {account}"),
            Self::Region(account, region) => format!("Region {region} of account {account}"),
        }
    }
}

/// The deliveries of one scope.
struct Series {
    hours: Vec<i64>,
    newest: EventTime,
}

/// How long a pause may last, hours, after what was seen before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    usual: i64,
    allowed: i64,
}

impl Series {
    fn of<'h>(all: impl IntoIterator<Item = &'h Hours>) -> Option<Self> {
        let mut joined = Hours::default();
        all.into_iter().for_each(|hours| joined.join(hours));
        let hours: Vec<i64> = joined.hours().collect();
        (!hours.is_empty()).then_some(Self { hours, newest: joined.newest() })
    }

    /// What the hours up to the one at `last` lead one to expect.
    fn patience(&self, last: usize, scope: &Scope, coverage: &Coverage) -> Patience {
        let hours = &self.hours[..=last];
        let usual = hours.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(1);
        let watched = hours[last] - hours[0];
        let mut allowed = i64::from(coverage.silent_after_hours);
        // Whole hours: a pause of 62 is silence after 124.
        allowed = allowed.max((usual as f64 * coverage.times_usual).ceil() as i64);
        if watched < 24 || (usual > NIGHT && watched < WEEK) {
            allowed = allowed.max(WEEKEND);
        }
        if let Scope::Region(..) = scope {
            let lively = watched >= 7 * 24 && hours.len() as i64 * 2 >= watched;
            allowed = if lively { allowed.max(REGION) } else { i64::MAX / HOUR };
        }
        Patience { usual, allowed }
    }

    fn silence(&self, scope: Scope, tick: EventTime, coverage: &Coverage) -> Option<Silence> {
        let patience = self.patience(self.hours.len() - 1, &scope, coverage);
        let silent = tick.0 - self.newest.0;
        (silent > patience.allowed * HOUR && silent <= GONE).then_some(Silence {
            scope,
            since: self.newest,
            until: tick,
            patience,
        })
    }

    /// The last pause that was a silence, now over.
    fn resumed(&self, scope: &Scope, coverage: &Coverage) -> Option<Resumed> {
        let mut pairs = self.hours.windows(2).enumerate();
        let (last, pair) = pairs.rfind(|(last, pair)| {
            let pause = pair[1] - pair[0];
            // Deliveries are remembered by the hour: it may have lasted up to an hour longer or less.
            pause >= i64::from(coverage.silent_after_hours)
                && pause >= self.patience(*last, scope, coverage).allowed
        })?;
        let silence = Silence {
            scope: scope.clone(),
            since: EventTime::of_hour(pair[0]),
            until: EventTime::of_hour(pair[1]),
            patience: self.patience(last, scope, coverage),
        };
        Some(Resumed { silence })
    }
}

/// A scope that is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) scope: Scope,
    /// The last delivery.
    since: EventTime,
    /// The time of judging.
    until: EventTime,
    patience: Patience,
}

/// A scope that was silent, and delivers again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resumed {
    silence: Silence,
}

/// What deliveries say at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Accounts that delivered within the last two months.
    pub(super) known: usize,
    pub(super) silences: Vec<Silence>,
    /// Pauses that would have been told as silences, if anybody looked.
    pub(super) resumed: Vec<Resumed>,
}

impl Verdict {
    /// Accounts that are silent.
    pub(super) fn silent_accounts(&self) -> usize {
        let of_account = |silence: &&Silence| matches!(silence.scope, Scope::Account(_));
        match self.silences.first() {
            Some(Silence { scope: Scope::All, .. }) => self.known,
            _ => self.silences.iter().filter(of_account).count(),
        }
    }
}

/// Judges deliveries at a time.
pub(super) fn judge(deliveries: &Deliveries, tick: EventTime, coverage: &Coverage) -> Verdict {
    let alive = |hours: &&Hours| tick.0 - hours.newest().0 <= GONE;
    let accounts: BTreeMap<&str, Series> = deliveries
        .accounts()
        .filter_map(|(account, regions)| Some((account, Series::of(regions.values().filter(alive))?)))
        .collect();
    let mut verdict = Verdict { known: accounts.len(), ..Verdict::default() };
    if accounts.len() > 1
        && let Some(all) = Series::of(deliveries.accounts().flat_map(|(_, regions)| regions.values()))
    {
        verdict.resumed.extend(all.resumed(&Scope::All, coverage));
        if let Some(silence) = all.silence(Scope::All, tick, coverage) {
            verdict.silences.push(silence);
            return verdict;
        }
    }
    for (account, regions) in deliveries.accounts() {
        let Some(series) = accounts.get(account) else { continue };
        let scope = Scope::Account(account.to_owned());
        verdict.resumed.extend(series.resumed(&scope, coverage));
        if let Some(silence) = series.silence(scope, tick, coverage) {
            verdict.silences.push(silence);
            continue;
        }
        for (region, hours) in regions.iter().filter(|(_, hours)| alive(hours)) {
            let scope = Scope::Region(account.to_owned(), region.clone());
            let Some(series) = Series::of([hours]) else { continue };
            verdict.resumed.extend(series.resumed(&scope, coverage));
            verdict.silences.extend(series.silence(scope, tick, coverage));
        }
    }
    verdict
}

impl Silence {
    /// The finding: one for each silence, however often it is looked at.
    pub(super) fn finding(&self) -> Finding {
        let Self { scope, since, until, patience: Patience { usual, allowed } } = self;
        let name = scope.name();
        let hours = (until.0 - since.0) / HOUR;
        Finding {
            measure: Some(Measure {
                observed: hours as f64,
                expected: Some(*usual as f64),
                threshold: *allowed as f64,
                unit: "hours without a log object",
            }),
            reasons: vec![Reason::new(
                "no_delivery",
                format!("the last log object was delivered at {since}; the longest pause before was {usual} hours"),
            )],
            mitre: vec!["T1562.008"],
            next_steps: vec![
                "Ask whether logging goes on: aws cloudtrail get-trail-status --name TRAIL, and who stopped or changed it: \
                 StopLogging, DeleteTrail, UpdateTrail, PutEventSelectors."
                    .to_owned(),
                "Ask whether objects still reach the bucket: its policy, its key, and the newest object under the account's \
                 folder."
                    .to_owned(),
                "Ask whether word of them reaches this function: the bucket's notifications, and the age of the oldest \
                 message in the queue."
                    .to_owned(),
            ],
            ..self.bare(
                SILENT,
                scope.severity(),
                format!("{name}: no log object for {hours} hours"),
                format!(
                    "{name} used to deliver at least every {usual} hours, and has not delivered since {since}. Either nothing \
                     is logged any more, or it does not arrive; in both cases nothing that happens there is judged."
                ),
            )
        }
    }

    fn bare(&self, kind: &'static str, severity: Severity, title: String, summary: String) -> Finding {
        let region = match &self.scope {
            Scope::Region(_, region) => Some(region.clone()),
            _ => None,
        };
        Finding {
            detector: DETECTOR,
            kind,
            anchor: Anchor::Hour(self.since.hour()),
            severity,
            title,
            summary,
            account: self.scope.account().to_owned(),
            region,
            actor: None,
            entity: self.scope.entity(),
            window: TimeRange { start: self.since, end: self.until },
            measure: None,
            reasons: Vec::new(),
            mitre: Vec::new(),
            evidence: Vec::new(),
            evidence_total: 0,
            actors: Vec::new(),
            next_steps: Vec::new(),
            continues: None,
        }
    }
}

impl Resumed {
    /// The id of the alert that told of the silence, if it was told.
    pub(super) fn of(&self) -> String {
        self.silence.finding().id()
    }

    /// The finding: it continues the silence.
    pub(super) fn finding(&self) -> Finding {
        let Silence { scope, since, until, .. } = &self.silence;
        let name = scope.name();
        let hours = (until.0 - since.0) / HOUR;
        Finding {
            continues: Some(self.of()),
            next_steps: vec!["Find out what was not logged meanwhile, and why.".to_owned()],
            ..self.silence.bare(
                RESUMED,
                Severity::Informational,
                format!("{name}: log objects again after {hours} hours"),
                format!("{name} delivers again since about {until}, after a silence that was told. What was not logged meanwhile stays unknown."),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 490_000;
    const COVERAGE: Coverage = Coverage { silent_after_hours: 3, times_usual: 2.0 };

    /// Deliveries at these hours after the start.
    fn deliveries(of: &[(&str, &str, &[i64])]) -> Deliveries {
        let mut all = Deliveries::default();
        for (account, region, hours) in of {
            for hour in *hours {
                all.note(account, region, EventTime::of_hour(START + hour).plus(300));
            }
        }
        all
    }

    fn told(deliveries: &Deliveries, hour: i64) -> Vec<String> {
        let verdict = judge(deliveries, EventTime::of_hour(START + hour).plus(600), &COVERAGE);
        verdict.silences.iter().map(|s| s.finding().title).collect()
    }

    const A: &str = "111122223333";
    const B: &str = "444455556666";
    const EU: &str = "eu-west-1";
    const US: &str = "us-east-1";

    #[test]
    fn who_delivers_every_hour_is_silent_after_three() {
        let steady: Vec<i64> = (0..48).collect();
        let all = deliveries(&[(A, EU, &steady)]);
        assert!(told(&all, 48 + 2 - 1).is_empty());
        assert!(told(&all, 47 + 2).is_empty());
        assert_eq!(told(&all, 47 + 3), ["Account 111122223333: no log object for 3 hours"]);
        assert!(told(&all, 47 + GONE / HOUR + 2).is_empty(), "gone, not silent");
    }

    #[test]
    fn who_pauses_at_night_may_pause_for_a_weekend_until_one_was_seen() {
        let days = |days: &[i64]| -> Vec<i64> {
            days.iter().flat_map(|d| (8..18).map(move |h| d * 24 + h)).collect()
        };
        let week = days(&[0, 1, 2, 3, 4]);
        let last = *week.last().unwrap();
        assert!(told(&deliveries(&[(A, EU, &week)]), last + 71).is_empty());
        assert_eq!(told(&deliveries(&[(A, EU, &week)]), last + 73).len(), 1);
        let weeks = days(&[0, 1, 2, 3, 4, 7, 8, 9]);
        let last = *weeks.last().unwrap();
        // The weekend was a pause of 63 hours; twice that.
        assert!(told(&deliveries(&[(A, EU, &weeks)]), last + 125).is_empty());
        assert_eq!(told(&deliveries(&[(A, EU, &weeks)]), last + 127).len(), 1);
    }

    #[test]
    fn the_largest_thing_is_told_and_not_its_parts() {
        let steady: Vec<i64> = (0..240).collect();
        let longer: Vec<i64> = (0..300).collect();
        let one_stops = deliveries(&[(A, EU, &steady), (A, US, &steady), (B, EU, &longer)]);
        assert_eq!(told(&one_stops, 260), ["Account 111122223333: no log object for 21 hours"]);
        assert_eq!(told(&one_stops, 310), ["All accounts: no log object for 11 hours"]);
        let region_stops = deliveries(&[(A, EU, &steady), (A, US, &longer)]);
        assert!(told(&region_stops, 260).is_empty());
        assert_eq!(
            told(&region_stops, 290),
            ["Region eu-west-1 of account 111122223333: no log object for 51 hours"]
        );
    }

    #[test]
    fn one_silence_is_one_alert_and_its_end_continues_it() {
        let steady: Vec<i64> = (0..48).collect();
        let all = deliveries(&[(A, EU, &steady)]);
        let ids = |hour| -> Vec<String> {
            let verdict = judge(&all, EventTime::of_hour(START + hour), &COVERAGE);
            verdict.silences.iter().map(|s| s.finding().id()).collect()
        };
        assert_eq!(ids(52), ids(90));
        let mut resumed = all.clone();
        resumed.join(&deliveries(&[(A, EU, &[80])]));
        let verdict = judge(&resumed, EventTime::of_hour(START + 81), &COVERAGE);
        assert!(verdict.silences.is_empty());
        assert_eq!(verdict.resumed.iter().map(Resumed::of).collect::<Vec<_>>(), ids(52));
        assert_eq!(verdict.resumed[0].finding().continues, ids(52).pop());
        // Silent again: another silence, and allowed the longer now that a pause is known.
        assert_ne!(
            judge(&resumed, EventTime::of_hour(START + 200), &COVERAGE).silences[0].finding().id(),
            ids(52)[0]
        );
    }
}
