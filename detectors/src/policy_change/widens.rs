//! Whether a change let anything through that was not let through before: to write the same policy again, to narrow one, or to
//! take away what denies nothing lifts no refusal.

use crate::detector::Around;
use crate::ledger::KeyRef;
use crate::policy_change::calls;
use crate::policy_change::difference;
use crate::policy_change::document::{Document, Effect};
use crate::policy_change::extract::RESOURCE;
use crate::policy_change::facts::{Remembered, What};
use crate::policy_change::notes::{Notes, Policy};
use crate::policy_change::steps::{GROUP, Step, StepKind};
use crate::policy_change::story::{Taken, Teller};
use crate::policy_change::work::Work;
use crate::time::EventTime;

impl Policy {
    /// Whether a change at a time left more allowed than before it; nothing where there was none at that time. What is not known may
    /// have been anything.
    fn widens_at(&self, time: EventTime, notes: &Notes) -> Option<bool> {
        let mut changes = self.changes_at(time, notes).peekable();
        changes.peek()?;
        Some(changes.any(|(before, after)| after.is_none_or(|after| widens(before.as_deref(), &after))))
    }
}

fn widens(before: Option<&Document>, after: &Document) -> bool {
    match before {
        Some(before) => {
            let difference = difference::between(before, after, &Work::default());
            !difference.added.is_empty() || !difference.undenied.is_empty()
        }
        // Where nothing is left, what was there may have denied.
        None => after.statements.is_empty() || has(after, Effect::Allow),
    }
}

fn has(document: &Document, effect: Effect) -> bool {
    document.statements.iter().any(|statement| statement.effect == effect)
}

impl Teller<'_> {
    /// Whether a change of the actor's own rights, or of who may come to a resource, can have lifted a refusal; so it can where too
    /// little is known.
    pub(super) fn widens(&self, taken: &Taken<'_>) -> bool {
        *taken.widens.get_or_init(|| match taken.step.kind {
            StepKind::Access => self.opens(taken),
            _ => self.gives(taken),
        })
    }

    /// Of a change that let the actor in, whose step knows where the facts of what it changed stand.
    fn opens(&self, Taken { time, step, .. }: &Taken<'_>) -> bool {
        let Some(facts) = self.facts(&step.policy) else { return true };
        let mut changes = facts
            .changes()
            .skip_while(|(at, _)| at < time)
            .take_while(|(at, _)| at == time)
            .map(|(_, change)| change)
            .filter(|change| change.succeeded())
            .peekable();
        // Facts keep so many of an hour.
        changes.peek().is_none()
            || changes.any(|change| match &change.what {
                What::Detach(arn) => self.may(Effect::Deny, arn, *time),
                What::Set(..) | What::Gone => {
                    let Around { others, notes, .. } = self.around;
                    let policy = notes.stands(*others, &self.key.account, &step.policy);
                    policy.widens_at(*time, notes).unwrap_or(true)
                }
                _ => true,
            })
    }

    /// Of rights that are the actor's own.
    fn gives(&self, Taken { time, step, .. }: &Taken<'_>) -> bool {
        let Around { others, notes, .. } = self.around;
        let account = &*self.key.account;
        if step.policy.starts_with(GROUP) {
            return true;
        }
        if step.policy.is_empty() {
            let held = notes.held(*others, account, &self.own);
            let mut changed = held.inline().filter_map(|policy| policy.widens_at(*time, notes)).peekable();
            return changed.peek().is_none() || changed.any(|widens| widens);
        }
        if step.target.starts_with("policy/") {
            let policy = notes.policy(*others, account, &step.policy);
            return policy.widens_at(*time, notes).unwrap_or(true);
        }
        !self.was_attached(step, *time) && self.may(Effect::Allow, &step.policy, *time)
    }

    /// Whether the managed policy of a step was attached to the actor before.
    fn was_attached(&self, step: &Step, time: EventTime) -> bool {
        let before = self.facts(&self.attachment(&step.policy)).and_then(|facts| {
            facts.changes().take_while(|(at, _)| *at < time).filter(|(_, change)| change.succeeded()).last()
        });
        before.is_some_and(|(_, change)| matches!(change.what, What::Attach(_)))
    }

    /// Whether a managed policy may have a statement with such an effect.
    fn may(&self, effect: Effect, arn: &str, time: EventTime) -> bool {
        if calls::is_aws_managed(arn) {
            // What takes rights away when it goes gives none when it comes.
            let (_, detached) = calls::managed(arn);
            return (effect == Effect::Deny) == detached.is_some();
        }
        let Around { others, notes, .. } = self.around;
        let document = notes.policy(*others, &self.key.account, arn).at(time, notes);
        document.is_none_or(|document| has(&document, effect))
    }

    /// Where the facts of a managed policy's attachment to the actor stand.
    pub(super) fn attachment(&self, policy: &str) -> String {
        format!("iam//{}/attached/{policy}", self.own)
    }

    pub(super) fn facts(&self, entity: &str) -> Option<&Remembered> {
        self.around.others.facts(KeyRef { class: RESOURCE, account: &self.key.account, entity })
    }
}

#[cfg(test)]
#[path = "widens_tests.rs"]
mod tests;
