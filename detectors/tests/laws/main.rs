//! The laws of facts and judgement, for every detector in the catalogue at once.

mod records;

use proptest::prelude::*;
use proptest::sample::Index;
use records::{Record, START, observe, observe_into, traffic};
use trailhound_detectors::catalogue::{self, Configs, Detectors, Ledgers, Slot, Visit};
use trailhound_detectors::environment::{Environment, Learning};
use trailhound_detectors::time::{DAY, EventTime, TimeRange};
use trailhound_detectors::{Detector, Finding, Join as _};

/// Judged without a learning period, so that short traffic finds something.
fn judge(ledgers: &Ledgers) -> Vec<Finding> {
    judge_for(ledgers, Learning { days: 0, ..Learning::default() }, TimeRange::ALL)
}

fn judge_for(ledgers: &Ledgers, learning: Learning, span: TimeRange) -> Vec<Finding> {
    let detectors = Detectors::new(&Configs::default()).expect("defaults are valid");
    let environment = Environment { learning, ..Environment::default() };
    detectors.judge(ledgers, &environment, span)
}

fn joined(mut one: Ledgers, other: &Ledgers) -> Ledgers {
    one.absorb(other.clone());
    one
}

/// Facts through their form at rest and back, detector by detector.
fn stored(ledgers: &Ledgers) -> Ledgers {
    struct Stored<'a> {
        from: &'a Ledgers,
        into: Ledgers,
    }
    impl Visit for Stored<'_> {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            let bytes = postcard::to_stdvec((slot.facts)(self.from)).expect("facts can be encoded");
            *(slot.facts_mut)(&mut self.into) = postcard::from_bytes(&bytes).expect("facts can be decoded");
        }
    }
    let mut visit = Stored { from: ledgers, into: Ledgers::default() };
    catalogue::each(&mut visit);
    visit.into
}

/// Whether every key of the one says already what the other says of it, as [`Join::covers`] has it; and for each key, that
/// this is what joining shows.
fn covers(one: &Ledgers, other: &Ledgers) -> bool {
    struct Covers<'a>(&'a Ledgers, &'a Ledgers, bool);
    impl Visit for Covers<'_> {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            for (key, theirs) in (slot.facts)(self.1).sorted() {
                let Some(mine) = (slot.facts)(self.0).get(key.as_ref()) else {
                    self.2 = false;
                    continue;
                };
                let mut joined = mine.clone();
                joined.join(theirs);
                assert_eq!(mine.covers(theirs), joined == *mine, "{key:?}: {mine:?} and {theirs:?}");
                self.2 &= mine.covers(theirs);
            }
        }
    }
    let mut visit = Covers(one, other, true);
    catalogue::each(&mut visit);
    visit.2
}

/// Traffic, and the same traffic with copies in other log objects, shuffled.
fn shuffled() -> impl Strategy<Value = (Vec<Record>, Vec<Record>)> {
    traffic().prop_flat_map(|records| {
        let copies = prop::collection::vec((any::<Index>(), 0u8..5), 0..40);
        copies.prop_flat_map(move |copies| {
            let mut all = records.clone();
            all.extend(copies.iter().map(|(index, object)| index.get(&records).copied_to(*object)));
            (Just(all.clone()), Just(all).prop_shuffle())
        })
    })
}

/// Three parts of one traffic.
fn parts() -> impl Strategy<Value = [Ledgers; 3]> {
    (shuffled(), any::<[Index; 2]>()).prop_map(|((_, records), cuts)| {
        let mut cuts = cuts.map(|cut| cut.index(records.len() + 1));
        cuts.sort_unstable();
        [observe(&records[..cuts[0]]), observe(&records[cuts[0]..cuts[1]]), observe(&records[cuts[1]..])]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn order_and_copies_change_neither_facts_nor_findings((records, shuffled) in shuffled()) {
        let (ordered, disordered) = (observe(&records), observe(&shuffled));
        prop_assert_eq!(&ordered, &disordered);
        prop_assert_eq!(judge(&ordered), judge(&disordered));
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent([a, b, c] in parts()) {
        let ab = joined(a.clone(), &b);
        prop_assert_eq!(&ab, &joined(b.clone(), &a));
        prop_assert_eq!(joined(ab.clone(), &c), joined(a.clone(), &joined(b, &c)));
        prop_assert_eq!(&joined(ab.clone(), &ab), &ab);
        prop_assert_eq!(&joined(ab.clone(), &a), &ab);
    }

    #[test]
    fn what_is_covered_changes_nothing_when_it_is_joined([a, b, c] in parts(), minute in 0i64..13 * 24 * 60) {
        let all = joined(joined(a.clone(), &b), &c);
        prop_assert!(covers(&all, &a) && covers(&all, &b) && covers(&all, &all));
        let mut closed = all.clone();
        closed.close(START / 60 + minute);
        // Whatever comes out, it is what joining shows.
        for (one, other) in [(&a, &b), (&b, &a), (&a, &all), (&closed, &all), (&all, &closed), (&closed, &c)] {
            prop_assert_eq!(covers(one, other), joined(one.clone(), other) == *one);
        }
    }

    #[test]
    fn a_split_is_as_good_as_the_whole((records, shuffled) in shuffled(), cut in any::<Index>()) {
        let cut = cut.index(shuffled.len() + 1);
        let parts = joined(observe(&shuffled[cut..]), &observe(&shuffled[..cut]));
        prop_assert_eq!(parts, observe(&records));
    }

    #[test]
    fn what_is_left_when_facts_are_taken_out_says_nothing_of_them(records in traffic(), cut in any::<Index>()) {
        let cut = cut.index(records.len() + 1);
        let mut ledgers = observe(&records[..cut]);
        let taken = ledgers.take_out();
        prop_assert_eq!(&taken, &observe(&records[..cut]));
        // As new, if the same comes again or something else.
        observe_into(&mut ledgers, &records);
        prop_assert_eq!(&ledgers.take_out(), &observe(&records));
        observe_into(&mut ledgers, &records[cut..]);
        prop_assert_eq!(&joined(taken, &ledgers), &observe(&records));
        prop_assert_eq!(&ledgers, &observe(&records[cut..]));
    }

    #[test]
    fn storing_in_the_middle_changes_nothing(records in traffic(), cut in any::<Index>()) {
        let cut = cut.index(records.len() + 1);
        let mut resumed = stored(&observe(&records[..cut]));
        observe_into(&mut resumed, &records[cut..]);
        prop_assert_eq!(&resumed, &observe(&records));
        prop_assert_eq!(judge(&stored(&resumed)), judge(&resumed));
    }

    #[test]
    fn closing_changes_no_finding(records in traffic(), minute in 0i64..13 * 24 * 60) {
        let open = observe(&records);
        let mut closed = open.clone();
        closed.close(START / 60 + minute);
        prop_assert_eq!(judge(&closed), judge(&open));
        // What was closed may arrive once more: a redelivered file.
        observe_into(&mut closed, &records);
        prop_assert_eq!(judge(&closed), judge(&open));
    }

    #[test]
    fn forgetting_changes_no_finding_beyond_the_retention(records in traffic(), day in 0i64..6) {
        let all = observe(&records);
        let mut forgot = all.clone();
        forgot.forget(EventTime(START + day * DAY));
        let learning = Learning { days: 0, forget_after_days: 2, ..Learning::default() };
        let from = EventTime(START + day * DAY + learning.forget_seconds());
        let later = TimeRange { start: from, end: EventTime(i64::MAX) };
        prop_assert_eq!(judge_for(&forgot, learning.clone(), later), judge_for(&all, learning, later));
    }

    #[test]
    fn findings_have_distinct_ids_and_stand_in_order(records in traffic()) {
        let found = judge(&observe(&records));
        let ids: std::collections::BTreeSet<String> = found.iter().map(Finding::id).collect();
        prop_assert_eq!(ids.len(), found.len());
        prop_assert!(found.is_sorted_by_key(|f| f.window.start));
        for finding in &found {
            prop_assert!(!finding.evidence.is_empty(), "no evidence: {}", finding.title);
            prop_assert!(finding.evidence_total >= finding.evidence.len() as u64);
            prop_assert!(!finding.reasons.is_empty() && !finding.mitre.is_empty() && !finding.next_steps.is_empty());
        }
    }
}
