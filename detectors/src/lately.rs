//! Repeats cost a glance.

use std::sync::Arc;

use crate::actor::Actor;
use crate::event::Event;

/// What actors were seen doing lately: so many different doings, each in the one place that its hash gives it; others push it
/// out. Not a fact but a shortcut to "this teaches nothing": it is never stored, joined or compared, and facts come out the
/// same without it.
#[derive(Debug, Default)]
pub struct Lately<const SLOTS: usize> {
    slots: Vec<Option<Slot>>,
    /// How often facts were taken out: what was seen before is not in those there are.
    round: u32,
}

/// As small as can be: what a cache does not hold is waited for.
#[derive(Debug)]
struct Slot {
    actor: Arc<Actor>,
    /// Where the call was made, if not in the actor's own account.
    elsewhere: Option<Box<Box<str>>>,
    action: u64,
    context: u64,
    /// Seconds since 1970.
    since: u32,
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
        let (actor, round) = (event.actor, self.round);
        let action = event.action.id.0;
        let hash = actor.hash ^ action.rotate_left(21) ^ context.rotate_left(42);
        let slot = &mut self.slots[(hash ^ hash >> 32) as usize % SLOTS];
        // Times no 32 bits hold are no repeats.
        let now = u32::try_from(event.time.0).unwrap_or(0);
        let account = || (*actor.account != *event.account).then_some(event.account);
        let is_repeat = slot.as_ref().is_some_and(|slot| {
            // Each by itself: callers choose what contexts are made of, and must not make one action look like another.
            slot.action == action
                && slot.context == context
                && slot.since < now
                && slot.round == round
                && (Arc::ptr_eq(&slot.actor, actor) || slot.actor == *actor)
                && slot.elsewhere.as_ref().map(|elsewhere| &***elsewhere) == account()
        });
        if !is_repeat {
            let elsewhere = account().map(|account| Box::new(Box::from(account)));
            let since = u32::try_from(event.time.0).unwrap_or(u32::MAX);
            *slot = Some(Slot { actor: Arc::clone(actor), elsewhere, action, context, since, round });
        }
        is_repeat
    }
}
