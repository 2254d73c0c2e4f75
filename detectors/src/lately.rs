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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Call, user};
    use crate::time::EventTime;

    const NOON: EventTime = EventTime(1_700_000_000);

    fn call() -> Call<'static> {
        Call::new("iam", "ListUsers", NOON.plus(60))
    }

    /// Whether a call is a repeat of [`call`] a minute earlier.
    fn repeats(call: &Call<'_>, context: u64) -> bool {
        let mut lately = Lately::<4>::default();
        let first = Call { time: NOON, ..self::call() };
        assert!(!first.with(|event| lately.is_repeat(event, 7)));
        call.with(|event| lately.is_repeat(event, context))
    }

    #[test]
    fn only_the_same_doing_of_the_same_actor_in_the_same_account_repeats() {
        assert!(repeats(&call(), 7));
        assert!(!repeats(&call(), 8));
        assert!(!repeats(&Call { name: "ListRoles", ..call() }, 7));
        assert!(!repeats(&Call { account: "444455556666", ..call() }, 7));
        assert!(!repeats(&Call { identity: user("arn:aws:iam::111122223333:user/lee"), ..call() }, 7));
    }

    /// What was seen at one time says nothing about an earlier one.
    #[test]
    fn only_what_is_later_repeats() {
        for time in [NOON, NOON.plus(-1), EventTime(-1), EventTime(1 << 40)] {
            assert!(!repeats(&Call { time, ..call() }, 7), "{time:?}");
        }
    }

    #[test]
    fn in_another_account_a_repeat_is_one_there() {
        let mut lately = Lately::<4>::default();
        let elsewhere = |time| Call { account: "444455556666", time, ..call() };
        assert!(!elsewhere(NOON).with(|event| lately.is_repeat(event, 7)));
        assert!(elsewhere(NOON.plus(1)).with(|event| lately.is_repeat(event, 7)));
    }

    #[test]
    fn nothing_repeats_what_was_let_go() {
        let mut lately = Lately::<4>::default();
        let is_repeat = |lately: &mut Lately<4>, after| {
            Call { time: NOON.plus(after), ..call() }.with(|event| lately.is_repeat(event, 7))
        };
        assert!(!is_repeat(&mut lately, 0));
        assert!(is_repeat(&mut lately, 1));
        lately.let_go();
        assert!(!is_repeat(&mut lately, 2));
        assert!(is_repeat(&mut lately, 3));
    }
}
