//! Repeats cost a glance.

use std::sync::Arc;

use crate::event::Event;
use crate::time::EventTime;

/// What actors were seen doing lately: so many different doings, each in the one place that its hash gives it; others push it
/// out. Not a fact but a shortcut to "this teaches nothing": it is never stored, joined or compared, and facts come out the
/// same without it.
#[derive(Debug, Default)]
pub struct Lately<const SLOTS: usize> {
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

impl<const SLOTS: usize> Lately<SLOTS> {
    /// Nothing seen so far counts any longer.
    pub(crate) fn let_go(&mut self) {
        // Emptying every place takes longer than most objects do; once in four billion times it must be.
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.clear();
        }
    }

    /// Whether the actor did the same earlier in the same context: a day or an hour, and whatever else decides what an event
    /// teaches. Keeps it in mind if not; the caller must then learn from it.
    pub(crate) fn is_repeat(&mut self, event: &Event<'_>, context: u64) -> bool {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let round = self.round;
        let (actor, action) = (event.actor, event.action.id.0);
        let hash = actor.hash ^ action.rotate_left(21) ^ context.rotate_left(42);
        let slot = &mut self.slots[(hash ^ hash >> 32) as usize % SLOTS];
        let is_repeat = slot.as_ref().is_some_and(|slot| {
            slot.action == action
                && slot.context == context
                && slot.since < event.time
                && slot.round == round
                && (Arc::ptr_eq(&slot.actor, &actor.id) || slot.actor == actor.id)
                && *slot.account == *event.account
        });
        if !is_repeat {
            let own = *actor.account == *event.account;
            let account = if own { Arc::clone(&actor.account) } else { event.account.into() };
            let (actor, since) = (Arc::clone(&actor.id), event.time);
            *slot = Some(Slot { actor, account, action, context, since, round });
        }
        is_repeat
    }
}
