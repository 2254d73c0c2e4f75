//! Closing and forgetting against the whole.

use proptest::prelude::*;

use super::*;
use crate::finding::Evidence;

fn step(kind: StepKind, second: i64, object: &str) -> Step {
    Step {
        kind,
        target: "s3:ListBuckets".into(),
        weight: Severity::Informational,
        policy: Default::default(),
        actor_kind: ActorKind::User,
        evidence: Evidence {
            time: EventTime(second),
            event_id: "e".into(),
            object: object.into(),
            circumstances: Default::default(),
        },
    }
}

#[derive(Clone, Debug)]
struct Tried {
    refused: bool,
    call: u64,
    second: i64,
}

impl Tried {
    fn take(&self, tries: &mut Tries) {
        let kind = if self.refused { StepKind::Denied } else { StepKind::Done };
        let time = EventTime(self.second);
        tries.take(kind, (0, self.call), time, || step(kind, self.second, "o"));
    }
}

/// Three days of a few calls, and changes.
fn tried() -> impl Strategy<Value = Vec<Tried>> {
    let one = (any::<bool>(), 0..3_u64, 0..3 * SPAN);
    let some = one.prop_map(|(refused, call, second)| Tried { refused, call, second });
    prop::collection::vec(some, 0..60)
}

fn of(tried: &[Tried]) -> Tries {
    let mut tries = Tries::default();
    tried.iter().for_each(|tried| tried.take(&mut tries));
    tries
}

/// What judging makes of them: pairs with a change between.
fn told(tries: &Tries, changed: &[i64]) -> Vec<(u64, i64, i64)> {
    let pairs = tries.refused_then_passed().into_iter();
    let pairs = pairs.map(|(call, denied, passed)| (call, denied.evidence.time.0, passed.evidence.time.0));
    pairs.filter(|(_, denied, passed)| changed.iter().any(|c| denied <= c && c <= passed)).collect()
}

proptest! {
    #[test]
    fn closing_as_calls_come_changes_nothing_that_is_told(
        tried in tried(),
        mut changed in prop::collection::vec(0..3 * SPAN, 0..4),
    ) {
        changed.sort_unstable();
        let mut in_order = tried.clone();
        in_order.sort_by_key(|tried| tried.second);
        let mut tries = Tries::default();
        for tried in &in_order {
            tried.take(&mut tries);
            let known = changed.iter().filter(|c| **c <= tried.second);
            tries.close(tried.second / 60, || known.map(|c| EventTime(*c)).collect());
        }
        prop_assert_eq!(told(&tries, &changed), told(&of(&tried), &changed));
        let is_open = tries.close(i64::MAX / 120, || changed.iter().map(|c| EventTime(*c)).collect());
        prop_assert!(!is_open);
        prop_assert_eq!(told(&tries, &changed), told(&of(&tried), &changed));
        let kept = tries.refused.values().flatten().count();
        prop_assert!(kept <= told(&tries, &changed).len(), "only what is told stays");
    }

    #[test]
    fn a_due_time_skips_nothing(tried in tried(), minutes in prop::collection::vec(0..4 * SPAN / 60, 1..6)) {
        let mut tries = of(&tried);
        for minute in minutes {
            let mut again = Tries { due: at_once(), ..tries.clone() };
            let open = (tries.close(minute, Vec::new), again.close(minute, Vec::new));
            prop_assert_eq!(&tries, &again);
            prop_assert_eq!(open.0, open.1);
        }
    }
}

#[test]
fn in_a_full_hour_what_does_least_gives_way() {
    let mut tries = Tries::default();
    for call in 0..200_u64 {
        let kind = if call % 2 == 0 { StepKind::Denied } else { StepKind::Done };
        tries.take(kind, (4, call), EventTime(0), || step(kind, 0, "o"));
    }
    tries.take(StepKind::Denied, (0, 1_000), EventTime(10), || step(StepKind::Denied, 10, "o"));
    let refused = &tries.refused[&0];
    assert_eq!((refused.len(), tries.passed[&0].len()), (MAX_AN_HOUR, MAX_AN_HOUR));
    assert_eq!(refused.keys().next(), Some(&(0, 1_000)));
    assert_eq!(rank(AccessLevel::Permissions), 0);
    assert!(rank(AccessLevel::Read) < rank(AccessLevel::List));
}

#[test]
fn of_copies_the_one_in_the_first_object_stays() {
    let first = |objects: [&str; 2]| {
        let mut tries = Tries::default();
        for object in objects {
            tries.take(StepKind::Done, (0, 1), EventTime(5), || step(StepKind::Done, 5, object));
        }
        tries.passed[&0][&(0, 1)].evidence.object.clone()
    };
    assert_eq!((&*first(["a", "b"]), &*first(["b", "a"])), ("a", "a"));
}
