//! Repeats of an actor cost a glance.

use crate::action::stable_hash;
use crate::event::{Category, Event};
use crate::time::EventTime;

/// Different doings remembered at once; others push them out.
const SLOTS: usize = 32;

/// What an actor was seen doing lately. Not a fact but a shortcut to "this teaches nothing": it is never stored, joined or
/// compared, and facts come out the same without it.
#[derive(Debug, Default)]
pub(super) struct Lately(Vec<Slot>);

#[derive(Clone, Copy, Debug)]
struct Slot {
    action: u64,
    context: u64,
    since: EventTime,
}

impl Slot {
    const EMPTY: Self = Self { action: 0, context: 0, since: EventTime(i64::MAX) };
}

impl Lately {
    /// Whether the actor did the same in the same way earlier that day, so that every stretch of use the event could
    /// lengthen goes on to the end of the day already. Keeps it in mind if not; the caller must then learn from it.
    pub(super) fn is_repeat(&mut self, event: &Event<'_>) -> bool {
        if self.0.is_empty() {
            self.0 = vec![Slot::EMPTY; SLOTS];
        }
        let seen = Slot { action: event.action.id.0, context: context(event), since: event.time };
        let slot = &mut self.0[(seen.action ^ seen.context) as usize % SLOTS];
        let is_repeat = slot.action == seen.action && slot.context == seen.context && slot.since < seen.since;
        if !is_repeat {
            *slot = seen;
        }
        is_repeat
    }

    /// Facts have shrunk: what was learnt may have to be learnt again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Everything but the action that decides what an event teaches, as a hash. Two that share one by chance or malice hide a new
/// network or client, never a new action.
fn context(event: &Event<'_>) -> u64 {
    let day = event.time.day().cast_unsigned();
    if event.category == Category::Data {
        return day.wrapping_mul(2);
    }
    // Families of clients are told by their first and last letters.
    let agent = event.user_agent.as_bytes();
    let parts = [
        event.region.as_bytes(),
        event.source_ip.as_bytes(),
        &agent[..agent.len().min(16)],
        &agent[agent.len().saturating_sub(16)..],
        &event.session.access_key.as_bytes()[..event.session.access_key.len().min(4)],
    ];
    let flags = u64::from(event.session.from_console) << 1 | u64::from(event.session.invoked_by.is_empty());
    parts.iter().fold(day << 3 | flags << 1 | 1, |hash, part| hash.rotate_left(23) ^ stable_hash(part))
}

impl Clone for Lately {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Lately {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
