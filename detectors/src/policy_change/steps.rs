//! What one actor did, step by step, as far as sequences are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::actor::ActorKind;
use crate::event::{CallId, Event};
use crate::finding::{Evidence, Severity};
use crate::lattice::Join;
use crate::ledger::{Class, KeyRef, Ledger};
use crate::policy_change::analysis::Kind;
use crate::policy_change::extract::name;
use crate::policy_change::facts::{Change, Remembered, What};
use crate::policy_change::{calls, path};
use crate::time::{EventTime, HOUR};

/// Facts of an actor.
pub(crate) const ACTOR: Class = Class(1);

/// A sequence spans no more than this.
pub(crate) const SPAN: i64 = 24 * HOUR;

/// More steps of one actor in one hour are not kept: the gravest are, and of equally grave ones the first.
const MAX_AN_HOUR: usize = 64;

/// What a step is. The first three open a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum StepKind {
    /// Gave a user, role, group or policy rights.
    Rights,
    /// Changed who may assume a role.
    Trust,
    /// Was refused a call.
    Denied,
    /// Made credentials for a user.
    Credential,
    /// Assumed a role.
    Assume,
    /// Handed a role to a service.
    Pass,
    /// A call went through.
    Done,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Step {
    /// What it is.
    pub(crate) kind: StepKind,
    /// Whom or what it is about: `user/NAME`, `role/NAME`, `service:Call`.
    pub(crate) target: Arc<str>,
    /// How much it gives by itself.
    pub(crate) weight: Severity,
    /// The actor's sort.
    pub(crate) actor_kind: ActorKind,
    /// The record.
    pub(crate) evidence: Evidence,
}

/// An actor's steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Steps {
    taken: BTreeMap<(EventTime, u64, StepKind), Step>,
}

impl Steps {
    /// The steps in order, each with its time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventTime, &Step)> {
        self.taken.iter().map(|((time, ..), step)| (*time, step))
    }

    fn insert(&mut self, time: EventTime, call: CallId, step: Step) {
        self.add((time, call.0, step.kind), step);
        self.bound(time.hour());
    }

    fn add(&mut self, at: (EventTime, u64, StepKind), step: Step) {
        match self.taken.get_mut(&at) {
            Some(known) if *known <= step => {}
            Some(known) => *known = step,
            None => {
                self.taken.insert(at, step);
            }
        }
    }

    fn bound(&mut self, hour: i64) {
        let (start, end) = (EventTime::of_hour(hour), EventTime::of_hour(hour + 1));
        let range = (start, 0, StepKind::Rights)..(end, 0, StepKind::Rights);
        let over = self.taken.range(range.clone()).count().saturating_sub(MAX_AN_HOUR);
        if over == 0 {
            return;
        }
        let mut ranked: Vec<_> = self.taken.range(range).map(|(at, step)| (step.weight, *at)).collect();
        ranked.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        for (_, at) in ranked.into_iter().take(over) {
            self.taken.remove(&at);
        }
    }

    /// Drops roles used and calls made before the minute `closed` that no earlier step about the same opened a sequence for:
    /// nearly all of them. Whether later ones are there.
    pub(crate) fn close(&mut self, closed: i64) -> bool {
        let end = EventTime::of_minute(closed);
        let opened: Vec<(Arc<str>, EventTime)> = self
            .iter()
            .filter(|(_, step)| step.kind <= StepKind::Denied)
            .map(|(time, step)| (Arc::clone(&step.target), time))
            .collect();
        self.taken.retain(|(time, ..), step| {
            let used = step.kind >= StepKind::Assume && *time < end;
            let opens = |(target, opened): &(Arc<str>, EventTime)| {
                *target == step.target && opened <= time && time.0 - opened.0 <= SPAN
            };
            !used || opened.iter().any(opens)
        });
        self.taken.last_key_value().is_some_and(|((last, ..), _)| *last >= end)
    }

    /// Drops steps that no sequence from `horizon` on can hold.
    pub(crate) fn forget(&mut self, horizon: EventTime) {
        self.taken = self.taken.split_off(&(horizon.plus(-SPAN), 0, StepKind::Rights));
    }
}

impl Join for Steps {
    fn join(&mut self, other: &Self) {
        let mut hours = Vec::new();
        for (at, step) in &other.taken {
            self.add(*at, step.clone());
            if hours.last() != Some(&at.0.hour()) {
                hours.push(at.0.hour());
            }
        }
        hours.into_iter().for_each(|hour| self.bound(hour));
    }
}

/// Records the step a change of a resource is, if it is one.
pub(crate) fn of_change(
    event: &Event<'_>,
    change: &Change,
    weight: Severity,
    ledger: &mut Ledger<Remembered>,
) {
    if !change.succeeded() || change.actor_kind.is_aws() {
        return;
    }
    let principal = matches!(&*change.thing, "user" | "role" | "group" | "policy" | "permission set");
    let kind = match &change.what {
        What::Set(Kind::Trust, _) if &*event.action.name == "UpdateAssumeRolePolicy" => StepKind::Trust,
        What::Set(Kind::Identity, _) | What::Version(..) | What::Default(_) | What::Attach(_)
            if principal =>
        {
            StepKind::Rights
        }
        What::Switch(_) if is_credential(&event.action.name) => StepKind::Credential,
        _ => return,
    };
    // An inline policy's id is `NAME/POLICY`.
    let holder = if &*change.thing == "policy" {
        &change.id
    } else {
        change.id.split('/').next().unwrap_or(&change.id)
    };
    let target = format!("{}/{holder}", change.thing);
    take(event, kind, &target, weight, ledger);
}

fn is_credential(call: &str) -> bool {
    matches!(
        call,
        "CreateAccessKey" | "CreateLoginProfile" | "UpdateLoginProfile" | "CreateServiceSpecificCredential"
    )
}

/// Records roles assumed and handed over, and calls refused and let through.
pub(crate) fn of_call(event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    if event.actor.kind.is_aws() || !event.session.invoked_by.is_empty() {
        return;
    }
    let assumed = event.action.is("sts", "AssumeRole");
    if !event.succeeded() {
        if is_refusal(event.error_code) {
            take(event, StepKind::Denied, &call_target(event, assumed), Severity::Low, ledger);
        }
        return;
    }
    let role = if assumed { "roleArn" } else { calls::passed_role(event.action).unwrap_or_default() };
    if !role.is_empty()
        && let Some(role) = path::text(event.parts.request(), role)
    {
        let kind = if assumed { StepKind::Assume } else { StepKind::Pass };
        take(event, kind, &format!("role/{}", last(&role)), Severity::Low, ledger);
    }
    if !assumed {
        take(event, StepKind::Done, &call_target(event, false), Severity::Informational, ledger);
    }
}

/// The call; of `AssumeRole` the role, which only the message names when it is refused.
fn call_target(event: &Event<'_>, assumed: bool) -> String {
    match event.error_message.split_once(":role/") {
        Some((_, role)) if assumed => {
            format!("role/{}", last(role.split_whitespace().next().unwrap_or(role)))
        }
        _ => event.action.label.to_string(),
    }
}

fn is_refusal(code: &str) -> bool {
    code.contains("AccessDenied") || code.contains("Unauthorized")
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn take(event: &Event<'_>, kind: StepKind, target: &str, weight: Severity, ledger: &mut Ledger<Remembered>) {
    let key = KeyRef { class: ACTOR, account: event.account, entity: &event.actor.id };
    let (facts, strings) = ledger.grow(key);
    let step = Step {
        kind,
        target: name(target),
        weight,
        actor_kind: event.actor.kind,
        evidence: Evidence::of(event, strings),
    };
    facts.steps.insert(event.time, event.call, step);
}
