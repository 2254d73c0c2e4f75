//! What observing keeps at hand to be quick: none of it is a fact.

use crate::action::Action;
use crate::lately::Lately;
use crate::policy_change::calls;
use crate::policy_change::deeds::Read;

/// All of it.
#[derive(Debug, Default)]
pub struct AtHand {
    pub(crate) read: Read,
    pub(crate) sorts: Sorts,
    /// More doings than busy hours hold.
    pub(crate) lately: Lately<4_096>,
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
