//! Repeats cost a glance.

use std::sync::Arc;

use crate::action::stable_hash;
use crate::event::{Category, Event};
use crate::time::EventTime;

/// Different doings remembered at once; others push them out.
const SLOTS: usize = 8_192;

/// What actors were seen doing lately. Not a fact but a shortcut to "this teaches nothing": it is never stored, joined or
/// compared, and facts come out the same without it.
#[derive(Debug, Default)]
pub struct Lately {
    slots: Vec<Option<Slot>>,
    /// How often facts were taken out: what was seen before is not in those there are.
    round: u32,
}

#[derive(Debug)]
struct Slot {
    actor: Arc<str>,
    account: Arc<str>,
    action: u64,
    context: u64,
    since: EventTime,
    round: u32,
}

impl Lately {
    /// Nothing seen so far counts any longer.
    pub(super) fn let_go(&mut self) {
        // Emptying every place takes longer than most objects do; once in four billion times it must be.
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.clear();
        }
    }

    /// Whether the actor did the same in the same way earlier that day, so that every stretch of use the event could
    /// lengthen goes on to the end of the day already. Keeps it in mind if not; the caller must then learn from it.
    pub(super) fn is_repeat(&mut self, event: &Event<'_>) -> bool {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let round = self.round;
        let (actor, action, context) = (event.actor, event.action.id.0, context(event));
        let hash = actor.hash ^ action.rotate_left(21) ^ context.rotate_left(42);
        let slot = &mut self.slots[(hash ^ hash >> 32) as usize % SLOTS];
        let is_repeat = slot.as_ref().is_some_and(|slot| {
            slot.action == action
                && slot.context == context
                && slot.since < event.time
                && slot.round == round
                && slot.actor == actor.id
                && *slot.account == *event.account
        });
        if !is_repeat {
            let own = *actor.account == *event.account;
            let account = if own { Arc::clone(&actor.account) } else { event.account.into() };
            *slot = Some(Slot {
                actor: Arc::clone(&actor.id),
                account,
                action,
                context,
                since: event.time,
                round,
            });
        }
        is_repeat
    }
}

/// Everything but actor and action that decides what an event teaches, as a hash. Two that share one by chance or malice hide
/// a new network or client, never a new action.
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
