//! What observing keeps at hand to be quick: none of it is a fact.

use std::sync::Arc;

use crate::action::Action;
use crate::event::Event;
use crate::policy_change::calls;
use crate::policy_change::deeds::Read;
use crate::policy_change::steps::StepKind;
use crate::time::EventTime;

/// All of it.
#[derive(Debug, Default)]
pub struct AtHand {
    pub(crate) read: Read,
    pub(crate) sorts: Sorts,
    pub(crate) lately: Lately,
}

/// What a call is to this detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Changes no access that anybody could tell.
    Plain,
    /// Assumes a role.
    Assumes,
    /// May change access, or hands a role to a service.
    Telling,
}

impl Sort {
    fn of(action: &Action) -> Self {
        let telling = calls::of(action).is_some()
            || calls::passed_role(action).is_some()
            || calls::may_carry_policy(action);
        match telling {
            _ if action.is("sts", "AssumeRole") => Self::Assumes,
            true => Self::Telling,
            false => Self::Plain,
        }
    }
}

/// The sorts of actions met lately, each in the one place its id gives it.
#[derive(Debug, Default)]
pub(crate) struct Sorts(Vec<Option<(u64, Sort)>>);

impl Sorts {
    const SLOTS: usize = 1_024;

    pub(crate) fn of(&mut self, action: &Action) -> Sort {
        if self.0.is_empty() {
            self.0.resize(Self::SLOTS, None);
        }
        let slot = &mut self.0[action.id.0 as usize % Self::SLOTS];
        match *slot {
            Some((known, sort)) if known == action.id.0 => sort,
            _ => {
                let sort = Sort::of(action);
                *slot = Some((action.id.0, sort));
                sort
            }
        }
    }
}

/// What actors did lately, each doing in the one place that its hash gives it.
#[derive(Debug, Default)]
pub(crate) struct Lately(Vec<Option<Doing>>);

#[derive(Debug)]
struct Doing {
    actor: Arc<str>,
    account: Arc<str>,
    action: u64,
    kind: StepKind,
    since: EventTime,
}

impl Lately {
    /// More doings than busy hours hold; others push them out.
    const SLOTS: usize = 4_096;

    /// Whether the actor did the same earlier in the same hour, so that the event is not the first. If not, it is kept in mind,
    /// and must be taken into the facts.
    pub(crate) fn is_repeat(&mut self, event: &Event<'_>, kind: StepKind) -> bool {
        if self.0.is_empty() {
            self.0.resize_with(Self::SLOTS, || None);
        }
        let (actor, action, time) = (event.actor, event.action.id.0, event.time);
        let hash = actor.hash ^ action.rotate_left(21) ^ (kind as u64).rotate_left(40);
        let slot = &mut self.0[(hash ^ hash >> 32) as usize % Self::SLOTS];
        if let Some(known) = slot
            && known.action == action
            && known.kind == kind
            && (Arc::ptr_eq(&known.actor, &actor.id) || known.actor == actor.id)
            && *known.account == *event.account
        {
            let is_repeat = known.since < time && known.since.hour() == time.hour();
            if !is_repeat {
                known.since = time;
            }
            return is_repeat;
        }
        let own = *actor.account == *event.account;
        let account = if own { Arc::clone(&actor.account) } else { event.account.into() };
        *slot = Some(Doing { actor: Arc::clone(&actor.id), account, action, kind, since: time });
        false
    }
}
