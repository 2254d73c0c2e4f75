//! Different names in windows, and growth over days, against counting by hand.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::families::Subject;
use super::{Config, Family, InvocationSurge, Remembered};
use crate::action::stable_hash;
use crate::detector::Detector as _;
use crate::environment::Learning;
use crate::lattice::Join as _;
use crate::ledger::{Facts as _, KeyRef, Ledger};
use crate::testing::{self, ACCOUNT, Call, teach, user};
use crate::time::{DAY, EventTime, HOUR};
use crate::window::WINDOW_MINUTES;

/// 2026-03-02T00:00:00Z.
const MONDAY: EventTime = EventTime(1_772_409_600);
const KIM: &str = "arn:aws:iam::111122223333:user/kim";
const ORDERS: &str = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
const FUNCTION: &str = r#"[{"ARN":"arn:aws:lambda:eu-west-1:111122223333:function:orders"}]"#;

fn detector(config: &str) -> InvocationSurge {
    let config: Config = toml::from_str(config).unwrap();
    InvocationSurge::new(config).unwrap()
}

/// The largest number of different secrets in a window of each hour, and where that begins.
fn by_hand(reads: &BTreeSet<(i64, usize)>) -> BTreeMap<i64, (i64, u64)> {
    let minute = |second: i64| MONDAY.plus(second).minute();
    let mut largest: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
    for start in reads.iter().map(|(second, _)| minute(*second)).collect::<BTreeSet<_>>() {
        let inside = |second: i64| (start..start + WINDOW_MINUTES).contains(&minute(second));
        let secrets: BTreeSet<usize> =
            reads.iter().filter(|(second, _)| inside(*second)).map(|(_, secret)| *secret).collect();
        let known = largest.entry(start.div_euclid(60)).or_insert((start, 0));
        if secrets.len() as u64 > known.1 {
            *known = (start, secrets.len() as u64);
        }
    }
    largest
}

proptest! {
    /// Secrets read again and again, in disorder, with copies of records: windows hold the different ones.
    #[test]
    fn different_names_equal_the_slow_way(
        reads in prop::collection::vec((0i64..9_000, 0usize..30), 1..150),
        copies in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        order in any::<u64>(),
        closed in prop::option::of(0i64..150),
    ) {
        let requests: Vec<String> = (0..30).map(|n| format!(r#"{{"secretId":"app/{n}"}}"#)).collect();
        let made = |(second, secret): &(i64, usize)| Call {
            id: format!("{second} {secret}"),
            identity: user(KIM),
            request: &requests[*secret],
            ..Call::new("secretsmanager", "GetSecretValue", MONDAY.plus(*second))
        };
        let again = copies.iter().map(|copy| copy.get(&reads));
        let mut calls: Vec<Call<'_>> = reads.iter().chain(again).map(made).collect();
        calls.sort_by_key(|call| stable_hash(format!("{order} {}", call.id).as_bytes()));
        let ledger = teach::<InvocationSurge>(&calls);
        let key = KeyRef { class: Family::Secrets.class(Subject::Actor), account: ACCOUNT, entity: KIM };
        let mut facts = ledger.get(key).unwrap().clone();
        if let Some(minute) = closed {
            facts.close(MONDAY.minute() + minute);
        }

        let distinct: BTreeSet<(i64, usize)> = reads.iter().copied().collect();
        let mut expected = by_hand(&distinct);
        expected.retain(|_, (_, count)| *count >= 3);
        let found: BTreeMap<i64, (i64, u64)> =
            facts.calls.hours(3).into_iter().map(|(hour, peak)| (hour, (peak.start, peak.count))).collect();
        prop_assert_eq!(&found, &expected);

        // A surge is told for each hour from the floor on, unless one within the gap told of as many.
        let detector = detector("episode_gap_hours = 1\n[floors]\nsecrets = 8");
        let told: BTreeSet<i64> = testing::find(&detector, &ledger, Learning { days: 0, ..Learning::default() })
            .iter()
            .map(|finding| finding.window.start.minute())
            .collect();
        let mut wanted = BTreeSet::new();
        let loud: Vec<_> = expected.iter().filter(|(_, (_, count))| *count >= 8).collect();
        for (n, (hour, (start, count))) in loud.iter().enumerate() {
            let before = loud[..n].iter().filter(|(earlier, _)| *hour - **earlier <= 1);
            let largest = before.map(|(_, (_, known))| *known).max();
            if largest.is_none_or(|known| *count >= 3 * known) {
                wanted.insert(*start);
            }
        }
        prop_assert_eq!(told, wanted);
    }

    /// What is counted of days, few and many calls a minute, against sorting all of it; whatever was closed in between.
    #[test]
    fn days_equal_the_slow_way(
        seconds in prop::collection::vec(0i64..300, 1..250),
        counts_names in any::<bool>(),
        closed in 0i64..12,
    ) {
        let midnight = MONDAY.plus(DAY);
        let named = |n: usize| format!("app/{}", n % 90);
        let requests: Vec<String> =
            (0..seconds.len()).map(|n| format!(r#"{{"secretId":"{}"}}"#, named(n))).collect();
        let calls: Vec<Call<'_>> = seconds.iter().enumerate().map(|(n, second)| Call {
            id: format!("call {n:04}"),
            identity: user(KIM),
            resources: if counts_names { "null" } else { FUNCTION },
            request: &requests[n],
            ..Call::new(
                if counts_names { "secretsmanager" } else { "lambda" },
                if counts_names { "GetSecretValue" } else { "Invoke" },
                midnight.plus(second - 150),
            )
        }).collect();
        let mut expected: BTreeMap<i64, (BTreeSet<u64>, (EventTime, String))> = BTreeMap::new();
        for (n, call) in calls.iter().enumerate() {
            let hash = stable_hash(if counts_names { named(n) } else { call.id.clone() }.as_bytes());
            let first = (call.time, call.id.clone());
            let day = expected.entry(call.time.day()).or_insert_with(|| (BTreeSet::new(), first.clone()));
            day.0.insert(hash);
            day.1 = first.min(day.1.clone());
        }
        let expected: Vec<(i64, Vec<u64>, String)> = expected
            .into_iter()
            .map(|(day, (hashes, (_, first)))| (day, hashes.into_iter().take(32).collect(), first))
            .collect();

        let ledger = teach::<InvocationSurge>(&calls);
        let key = if counts_names {
            KeyRef { class: Family::Secrets.class(Subject::Actor), account: ACCOUNT, entity: KIM }
        } else {
            KeyRef { class: Family::Function.class(Subject::Target), account: ACCOUNT, entity: ORDERS }
        };
        let open = ledger.get(key).unwrap();
        let mut partly = open.clone();
        partly.close(midnight.minute() - 6 + closed);
        let mut joined = partly.clone();
        joined.join(open);
        for facts in [open, &partly, &joined] {
            let days: Vec<(i64, Vec<u64>, String)> = facts
                .days()
                .iter()
                .map(|(day, known)| {
                    let first = known.first.iter().map(|evidence| evidence.event_id.to_string());
                    (*day, known.counted.hashes().collect(), first.collect())
                })
                .collect();
            prop_assert_eq!(&days, &expected);
        }
    }

    /// Growth, against sorting the two weeks before each day.
    #[test]
    fn growth_equals_the_slow_way(totals in prop::collection::vec(prop_oneof![0u64..400, 300u64..4_000], 10..45)) {
        let mut ledger: Ledger<Remembered> = Ledger::default();
        let class = Family::Agent.class(Subject::Target);
        let (facts, _) = ledger.grow(KeyRef { class, account: ACCOUNT, entity: "agent" });
        facts.since.touch(MONDAY);
        for (day, total) in (MONDAY.day()..).zip(&totals) {
            let counted = facts.counted_on(day);
            for n in 0..*total {
                counted.insert_with(stable_hash(&n.to_le_bytes()), || ());
            }
        }
        let counts: Vec<u64> = facts.days().values().map(|day| day.counted.count()).collect();
        let learning = Learning { days: 0, ..Learning::default() };
        let found: Vec<i64> = testing::find(&detector("[floors]\nagent = 30"), &ledger, learning)
            .iter()
            .map(|finding| (finding.window.start.0 - MONDAY.0) / HOUR)
            .collect();

        let grew = |last: usize| {
            let Some(first) = last.checked_sub(2).filter(|first| *first >= 7) else { return false };
            let mut fortnight = counts[first.saturating_sub(14)..first].to_vec();
            fortnight.sort_unstable();
            let usual = fortnight[fortnight.len() / 2];
            let record = counts[..first].iter().copied().max().unwrap_or(0);
            let least = (3.0 * usual as f64).max(1.5 * record as f64).max(30.0 * 12.0);
            counts[first..=last].iter().all(|count| *count as f64 >= least)
        };
        let onsets = (0..counts.len()).filter(|last| grew(*last) && !last.checked_sub(1).is_some_and(grew));
        // Told when the day has been complete for the lateness horizon.
        let expected: Vec<i64> = onsets.map(|last| (last as i64 + 1) * (DAY / HOUR) + 3).collect();
        prop_assert_eq!(found, expected);
    }
}
