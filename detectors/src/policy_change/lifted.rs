//! Refused, then changed, then let through.

use std::collections::BTreeSet;

use crate::detector::Around;
use crate::finding::Severity;
use crate::policy_change::document::{Effect, Elements};
use crate::policy_change::steps::{Step, StepKind};
use crate::policy_change::story::{Held, ROLE, Story, Taken, Teller};
use crate::policy_change::tries::Tries;
use crate::policy_change::wildcard::Case;
use crate::time::EventTime;

impl Teller<'_> {
    /// Calls of any sort that were refused, and went through after the actor had changed its own rights, or who may
    /// come to a resource, itself among them.
    pub(super) fn lifted<'s>(&self, steps: &[Taken<'s>], tries: &'s Tries) -> Vec<(EventTime, Story<'s>)> {
        let mut calls = BTreeSet::new();
        let mut changes = BTreeSet::new();
        let told = tries.refused_then_passed().into_iter().filter_map(|(call, denied, passed)| {
            let changed = self.changed_between(steps, denied, passed)?;
            let time = passed.evidence.time;
            // Who is refused everything and makes itself an administrator gets through with everything: of each service the first
            // call tells it.
            let is_new = !calls.contains(&(call, time.day()))
                && changes.insert((&changed.evidence.event_id, &*passed.evidence.source));
            calls.insert((call, time.day()));
            is_new.then(|| (time, story(denied, changed, passed)))
        });
        told.collect()
    }

    fn changed_between<'s>(&self, steps: &[Taken<'s>], denied: &Step, passed: &Step) -> Option<&'s Step> {
        let start = steps.partition_point(|taken| taken.time < denied.evidence.time);
        let end = steps.partition_point(|taken| taken.time <= passed.evidence.time);
        let between = steps.get(start..end).unwrap_or_default().iter().rev();
        // What a call changes itself did not lift its own refusal.
        let mut between = between.filter(|taken| taken.step.evidence.event_id != passed.evidence.event_id);
        let changed = between.find(|taken| {
            let may_lift = match taken.step.kind {
                StepKind::Rights => match self.holds(taken) {
                    Some(Held::Own) => true,
                    Some(Held::Unknown) => self.allows(taken, &passed.target),
                    None => false,
                },
                StepKind::Access => *taken.step.target == *self.own || is_of(taken.step, passed),
                _ => false,
            };
            may_lift && self.widens(taken)
        });
        changed.map(|taken| taken.step)
    }

    /// Whether the managed policy of a step, as it left it, names a call: then that the call got through says whose it is.
    fn allows(&self, Taken { time, step, work, .. }: &Taken<'_>, call: &str) -> bool {
        let Around { others, notes, .. } = self.around;
        let Some(document) = notes.policy(*others, &self.key.account, &step.policy).at(*time, notes) else {
            return false;
        };
        let allows = document.statements.iter().filter(|statement| statement.effect == Effect::Allow);
        let mut actions = allows.filter_map(|statement| match &statement.actions {
            Elements::Only(actions) => Some(actions),
            _ => None,
        });
        actions.any(|actions| actions.iter().any(|action| work.matches(action, call, Case::Ignored)))
    }
}

/// Whether a resource's policy may decide a call: that of the same service, or of a key, which calls of every service may need.
fn is_of(changed: &Step, passed: &Step) -> bool {
    let source = &changed.evidence.source;
    **source == *passed.evidence.source || &**source == "kms.amazonaws.com"
}

/// The story of three steps.
pub(super) fn story<'s>(denied: &'s Step, changed: &'s Step, passed: &'s Step) -> Story<'s> {
    Story {
        kind: "denied_changed_allowed",
        severity: Severity::Medium,
        said: format!("was refused {}, changed {}, and got through", passed.target, changed.target),
        mitre: ROLE,
        steps: vec![denied, changed, passed],
        about: &passed.target,
    }
}

#[cfg(test)]
#[path = "lifted_tests.rs"]
pub(super) mod tests;
