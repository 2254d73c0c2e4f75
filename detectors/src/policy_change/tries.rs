//! Calls an actor was refused and calls that went through, whatever they do: of each the first of an hour.
//!
//! Nearly every call of a trail goes through and is never refused, so what is kept of one must cost next to nothing: it is
//! recorded once an hour, and dropped when the hour is closed and nothing refused it before.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::access_level::AccessLevel;
use crate::actor::ActorKind;
use crate::event::Event;
use crate::finding::Severity;
use crate::lattice::{Join, shows_nothing_new};
use crate::ledger::{KeyRef, Ledger};
use crate::policy_change::at_hand::AtHand;
use crate::policy_change::facts::Remembered;
use crate::policy_change::steps::{ACTOR, SPAN, Step, StepKind, is_refusal};
use crate::strings::Answers;
use crate::time::{EventTime, HOUR};

/// Of more different calls in one hour those stay that do most, so that who lists everything there is hides no write.
const MAX_AN_HOUR: usize = 64;

/// Calls by hour.
type Hours = BTreeMap<i64, Calls>;
/// The calls of an hour, by what they do at most: the mildest come last and give way. Boxed, as a map makes room for a dozen
/// where it holds one.
type Calls = BTreeMap<(u8, u64), Box<Step>>;

/// What an actor tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tries {
    refused: Hours,
    passed: Hours,
    /// Closing what ends before this changes nothing. No fact: it follows from the calls, and only saves time.
    #[serde(skip, default = "at_once")]
    due: EventTime,
}

const NEVER: EventTime = EventTime(i64::MAX);

fn at_once() -> EventTime {
    EventTime(i64::MIN)
}

impl Default for Tries {
    fn default() -> Self {
        Self { refused: Hours::new(), passed: Hours::new(), due: NEVER }
    }
}

impl PartialEq for Tries {
    fn eq(&self, other: &Self) -> bool {
        self.refused == other.refused && self.passed == other.passed
    }
}

/// Whether who called can change its own rights, and is somebody: services call what they must.
fn is_somebody(event: &Event<'_>) -> bool {
    matches!(event.actor.kind, ActorKind::Role | ActorKind::IdentityCenterUser | ActorKind::User)
        && event.session.invoked_by.is_empty()
}

/// Records calls that were refused or went through. Late ones open nothing, as the hours they belong to may be closed.
pub(crate) fn observe<'e, 'a: 'e>(
    events: impl Iterator<Item = &'e Event<'a>>,
    ledger: &mut Ledger<Remembered>,
) {
    let AtHand { lately, refusals, .. } = ledger.memo();
    // All are asked about before the first is recorded: a processor waits for the answers to many such questions at once.
    let first = |event: &'e Event<'a>| {
        let kind = kind(event, refusals)?;
        // What is kept is the first of its sort and hour.
        let context = event.time.hour().cast_unsigned() << 4 | kind as u64;
        (!lately.is_repeat(event, context)).then_some((event, kind))
    };
    let first: Vec<(&Event<'_>, StepKind)> = events.filter_map(first).collect();
    first.into_iter().for_each(|(event, kind)| record(event, kind, ledger));
}

/// Whether a call was refused or went through, where that matters.
fn kind(event: &Event<'_>, refusals: &mut Answers<bool>) -> Option<StepKind> {
    if !is_somebody(event) || !event.on_time() {
        return None;
    }
    match event.succeeded() {
        true => Some(StepKind::Done),
        false => {
            let is_refusal = refusals.of(0, event.error_code, || is_refusal(event.error_code));
            is_refusal.then_some(StepKind::Denied)
        }
    }
}

fn record(event: &Event<'_>, kind: StepKind, ledger: &mut Ledger<Remembered>) {
    let key = KeyRef { class: ACTOR, account: event.account, entity: &event.actor.id };
    let (facts, strings, _) = ledger.grow_hashed(key, event.actor.hash);
    let action = event.action;
    facts.tries.take(kind, (rank(action.level), action.id.0), event.time, || Step {
        kind,
        target: action.label.clone(),
        weight: Severity::Informational,
        policy: strings.share(""),
        actor_kind: event.actor.kind,
        evidence: event.evidence(strings),
    });
}

/// What does most comes first.
fn rank(level: AccessLevel) -> u8 {
    AccessLevel::Permissions as u8 - level as u8
}

/// The first stays.
fn is_before(new: &Step, known: &Step) -> bool {
    (&new.evidence, new) < (&known.evidence, known)
}

/// Takes a call into its hour, unless there is no place for it.
fn put(hour: &mut Calls, call: (u8, u64), step: Step) {
    match hour.get_mut(&call) {
        Some(known) if is_before(&step, known) => **known = step,
        Some(_) => {}
        None => {
            hour.insert(call, Box::new(step));
            if hour.len() > MAX_AN_HOUR {
                hour.pop_last();
            }
        }
    }
}

fn join(hours: &mut Hours, others: &Hours) {
    for (hour, calls) in others {
        let hour = hours.entry(*hour).or_default();
        calls.iter().for_each(|(call, step)| put(hour, *call, Step::clone(step)));
    }
}

fn retain(hours: &mut Hours, mut keep: impl FnMut((u8, u64), &Step) -> bool) {
    hours.retain(|_, calls| {
        calls.retain(|call, step| keep(*call, step));
        !calls.is_empty()
    });
}

/// The steps of all hours, each with its call, by time within a call.
fn by_call(hours: &Hours) -> HashMap<u64, Vec<&Step>> {
    let mut calls: HashMap<u64, Vec<&Step>> = HashMap::new();
    for ((_, call), step) in hours.values().flatten() {
        calls.entry(*call).or_default().push(step);
    }
    calls
}

/// When the last moment of an hour is over.
fn end_of(hour: i64) -> EventTime {
    EventTime::of_hour(hour).plus(HOUR)
}

impl Tries {
    fn take(&mut self, kind: StepKind, call: (u8, u64), time: EventTime, step: impl FnOnce() -> Step) {
        let (hours, due) = match kind {
            StepKind::Denied => (&mut self.refused, time.plus(SPAN + 1)),
            _ => (&mut self.passed, end_of(time.hour())),
        };
        let hour = hours.entry(time.hour()).or_default();
        if hour.get(&call).is_none_or(|known| time <= known.evidence.time) {
            put(hour, call, step());
            self.due = self.due.min(due);
        }
    }

    /// Calls that were refused and later went through: each time with the first refusal since it went through before, and what
    /// the call is known by.
    pub(crate) fn refused_then_passed(&self) -> Vec<(u64, &Step, &Step)> {
        let refused = by_call(&self.refused);
        let passed = if refused.is_empty() { HashMap::new() } else { by_call(&self.passed) };
        let mut found = Vec::new();
        for (call, passed) in passed {
            let Some(refused) = refused.get(&call) else { continue };
            let mut before: Option<&Step> = None;
            for step in passed {
                let time = step.evidence.time;
                let is_open = |denied: &&&Step| {
                    let denied = denied.evidence.time;
                    let in_reach = denied <= time && time <= denied.plus(SPAN);
                    // Where the same call went through shortly before it was refused, it was about something else.
                    in_reach
                        && before.is_none_or(|b| {
                            b.evidence.time < denied && b.evidence.time.hour() != denied.hour()
                        })
                };
                found.extend(refused.iter().find(is_open).map(|denied| (call, *denied, step)));
                before = Some(step);
            }
        }
        found.sort_by_key(|(.., passed)| &passed.evidence);
        found
    }

    /// Drops calls made before the minute `closed` that are part of no sequence: nearly all of them. `changed` gives the times
    /// of changes that may have lifted a refusal, in order. Whether there are some left to look at when more is closed.
    pub(crate) fn close(&mut self, closed: i64, changed: impl FnOnce() -> Vec<EventTime>) -> bool {
        let end = EventTime::of_minute(closed);
        if end < self.due {
            return self.due != NEVER;
        }
        if !self.refused.is_empty() {
            let lifted = self.lifted(&changed());
            retain(&mut self.refused, |(_, call), step| {
                let time = step.evidence.time;
                time.plus(SPAN) >= end || lifted.contains(&(call, time))
            });
        }
        let refused = by_call(&self.refused);
        retain(&mut self.passed, |(_, call), step| {
            let time = step.evidence.time;
            let follows = |denied: EventTime| {
                denied.hour() == time.hour() || (denied <= time && time <= denied.plus(SPAN))
            };
            end_of(time.hour()) > end
                || refused.get(&call).is_some_and(|r| r.iter().any(|denied| follows(denied.evidence.time)))
        });
        self.due = self.next_due(end);
        self.due != NEVER
    }

    /// Refusals that a change at one of these times may have lifted: calls, each with its time.
    fn lifted(&self, changed: &[EventTime]) -> BTreeSet<(u64, EventTime)> {
        let pairs = self.refused_then_passed().into_iter().filter(|(_, denied, passed)| {
            let next = changed.partition_point(|change| *change < denied.evidence.time);
            changed.get(next).is_some_and(|change| *change <= passed.evidence.time)
        });
        pairs.map(|(call, denied, _)| (call, denied.evidence.time)).collect()
    }

    fn next_due(&self, end: EventTime) -> EventTime {
        let passed = self.passed.keys().map(|hour| end_of(*hour)).find(|due| *due > end);
        let refused = self.refused.values().flatten().map(|(_, step)| step.evidence.time.plus(SPAN + 1));
        refused.filter(|due| *due > end).chain(passed).min().unwrap_or(NEVER)
    }

    /// Drops calls that no sequence from `horizon` on can hold.
    pub(crate) fn forget(&mut self, horizon: EventTime) {
        let oldest = horizon.plus(-SPAN);
        for hours in [&mut self.refused, &mut self.passed] {
            retain(hours, |_, step| step.evidence.time >= oldest);
        }
        self.due = at_once();
    }
}

impl Join for Tries {
    fn join(&mut self, other: &Self) {
        join(&mut self.refused, &other.refused);
        join(&mut self.passed, &other.passed);
        self.due = self.due.min(other.due);
    }

    fn covers(&self, other: &Self) -> bool {
        let knows = |mine: &Hours, theirs: &Hours| {
            theirs.iter().all(|(hour, calls)| {
                mine.get(hour).is_some_and(|known| {
                    let stays = |call, step| known.get(call).is_some_and(|known| !is_before(step, known));
                    calls.iter().all(|(call, step)| stays(call, step))
                })
            })
        };
        knows(&self.refused, &other.refused) && knows(&self.passed, &other.passed)
            || shows_nothing_new(self, other)
    }
}

#[cfg(test)]
#[path = "tries_tests.rs"]
mod tests;
