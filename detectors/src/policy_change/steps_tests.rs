//! Closing step by step against looking at everything every time.

use proptest::prelude::*;

use super::*;

const TARGETS: [&str; 3] = ["role/a", "role/b", "iam:CreateUser"];
const KINDS: [StepKind; 8] = [
    StepKind::Rights,
    StepKind::Trust,
    StepKind::Access,
    StepKind::Denied,
    StepKind::Credential,
    StepKind::Assume,
    StepKind::Pass,
    StepKind::Done,
];

fn step((kind, target, weight): (usize, usize, usize)) -> Step {
    Step {
        kind: KINDS[kind],
        target: TARGETS[target].into(),
        weight: Severity::ALL[weight],
        policy: Arc::default(),
        actor_kind: ActorKind::User,
        evidence: Evidence {
            time: EventTime(0),
            event_id: "e".into(),
            object: Arc::default(),
            circumstances: Arc::default(),
        },
    }
}

/// What [`Steps::close`] does, by asking of each step whether any other is the reason to keep it.
fn close_by_hand(steps: &mut Steps, closed: i64) {
    let end = EventTime::of_minute(closed);
    let all: Vec<(EventTime, Step)> = steps.iter().map(|(time, step)| (time, step.clone())).collect();
    steps.taken.retain(|(time, ..), step| {
        let part_of = |(opened, opener): &(EventTime, Step)| {
            let after = (0..=SPAN).contains(&(time.0 - opened.0));
            let before = (0..=SPAN).contains(&(opened.0 - time.0));
            match step.kind {
                StepKind::Done => {
                    opener.kind == StepKind::Rights && after && opener.weight >= Severity::Medium
                }
                StepKind::Pass => (after || before) && opener.target == step.target,
                _ => after && opener.target == step.target,
            }
        };
        let openers = || all.iter().filter(|(_, step)| step.kind <= StepKind::Denied);
        step.kind < StepKind::Assume || step.decided(*time) >= end || openers().any(part_of)
    });
    steps.known = Known::default();
}

/// A step of one hour where there is no room for more.
fn insert_by_hand(steps: &mut Steps, at: Moment, step: Step) {
    if steps.taken.get(&at).is_none_or(|known| step < **known) {
        steps.taken.insert(at, Box::new(step));
    }
    steps.bound(at.0.hour());
    steps.known = Known::default();
}

#[derive(Clone, Debug)]
enum Deed {
    Take { second: i64, call: u64, step: (usize, usize, usize) },
    Join { second: i64, call: u64, step: (usize, usize, usize) },
    Close { minute: i64 },
    Forget { second: i64 },
}

fn deeds(span: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Deed>> {
    let step = || (0..KINDS.len(), 0..TARGETS.len(), 0..Severity::ALL.len());
    let minutes = span.start / 60..span.end / 60 + 2 * SPAN / 60;
    prop::collection::vec(
        prop_oneof![
            20 => (span.clone(), 0..4_u64, step())
                .prop_map(|(second, call, step)| Deed::Take { second, call, step }),
            4 => (span.clone(), 0..4_u64, step())
                .prop_map(|(second, call, step)| Deed::Join { second, call, step }),
            4 => minutes.prop_map(|minute| Deed::Close { minute }),
            1 => span.prop_map(|second| Deed::Forget { second }),
        ],
        0..300,
    )
}

fn check(deeds: Vec<Deed>) -> Result<(), TestCaseError> {
    let (mut steps, mut by_hand) = (Steps::default(), Steps::default());
    for deed in deeds {
        match deed {
            Deed::Take { second, call, step: told } => {
                let step = step(told);
                let at = (EventTime(second), call, step.kind);
                insert_by_hand(&mut by_hand, at, step.clone());
                steps.insert(at, step.weight, || step);
            }
            Deed::Join { second, call, step: told } => {
                let step = step(told);
                let mut other = Steps::default();
                other.add((EventTime(second), call, step.kind), step);
                steps.join(&other);
                by_hand.join(&other);
                by_hand.known = Known::default();
            }
            Deed::Close { minute } => {
                close_by_hand(&mut by_hand, minute);
                if !steps.close(minute) {
                    let mut again = by_hand.clone();
                    close_by_hand(&mut again, i64::MAX / 120);
                    prop_assert_eq!(&again, &by_hand, "something was still open");
                }
            }
            Deed::Forget { second } => {
                steps.forget(EventTime(second));
                by_hand.forget(EventTime(second));
            }
        }
        prop_assert_eq!(&steps, &by_hand);
    }
    Ok(())
}

proptest! {
    #[test]
    fn closing_looks_at_what_is_new(deeds in deeds(0..4 * SPAN)) {
        check(deeds)?;
    }

    #[test]
    fn closing_looks_at_what_is_new_in_full_hours(deeds in deeds(0..2 * HOUR)) {
        check(deeds)?;
    }
}
