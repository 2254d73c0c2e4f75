//! What one actor did, step by step, as far as sequences are made of it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::actor::ActorKind;
use crate::event::Event;
use crate::finding::{Evidence, Severity};
use crate::json::Member;
use crate::lattice::Join;
use crate::ledger::{Class, KeyRef, Ledger};
use crate::policy_change::analysis::Kind;
use crate::policy_change::extract::{cut_name, holder_name, name};
use crate::policy_change::facts::{Doing, Remembered, What};
use crate::policy_change::full::Hour;
use crate::policy_change::lifts::Lifts;
use crate::policy_change::{calls, path};
use crate::time::{EventTime, HOUR};

/// Facts of an actor.
pub(crate) const ACTOR: Class = Class(1);

/// A sequence spans no more than this.
pub(crate) const SPAN: i64 = 24 * HOUR;

/// More steps of one actor in one hour are not kept: the gravest are, and of equally grave ones the first.
const MAX_AN_HOUR: usize = 64;

/// What a step is. Those up to `Denied` open a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum StepKind {
    /// Gave a user, role, group or policy rights.
    Rights,
    /// Changed who may assume a role.
    Trust,
    /// Let the actor itself to a resource, or took away what may have kept it out: a policy of the resource, or one of its own.
    Access,
    /// Was refused a call; kept here where it is to assume a role, with the others in [`super::tries`].
    Denied,
    /// Made credentials for a user.
    Credential,
    /// Assumed a role.
    Assume,
    /// Handed a role to a service.
    Pass,
    /// A call that changes access or hands a role to a service went through. Any call at all in [`super::tries`].
    Done,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Step {
    /// What it is.
    pub(crate) kind: StepKind,
    /// Whom or what it is about: `user/NAME`, `role/NAME`, `service:Call`.
    pub(crate) target: Arc<str>,
    /// How much it gives by itself, as far as the call alone says.
    pub(crate) weight: Severity,
    /// The managed policy, or the group, that gives the rights: the text may stand in other facts. Of access the entity of what was
    /// changed. Empty for anything else.
    pub(crate) policy: Arc<str>,
    /// The actor's sort.
    pub(crate) actor_kind: ActorKind,
    /// The record.
    pub(crate) evidence: Evidence,
}

impl Step {
    /// When it is known whether the step is part of a sequence.
    fn decided(&self, time: EventTime) -> EventTime {
        match self.kind {
            StepKind::Pass => time.plus(SPAN),
            _ => time,
        }
    }
}

/// The policy of a step that made a user a member begins like this: the policies are those of the group it names.
pub(crate) const GROUP: &str = "group/";

/// An actor's steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Steps {
    /// Boxed, as a map makes room for a dozen where it holds one.
    taken: BTreeMap<Moment, Box<Step>>,
    /// What closing and adding need not find out again.
    #[serde(skip)]
    known: Known,
}

/// What is known of steps without looking at them. No fact: it follows from them, and only saves time.
#[derive(Clone, Debug)]
struct Known {
    /// Steps before this were closed, and nothing changed since that decides whether they stay.
    settled: EventTime,
    /// The hour that grew last.
    hour: Option<Hour<Moment>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { settled: EventTime(i64::MIN), hour: None }
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.taken == other.taken
    }
}

/// When a step was taken, by which call, and what it is.
type Moment = (EventTime, u64, StepKind);

fn of_hour(hour: i64) -> Range<Moment> {
    let start = |hour| (EventTime::of_hour(hour), 0, StepKind::Rights);
    start(hour)..start(hour + 1)
}

impl Steps {
    /// The steps in order, each with its time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventTime, &Step)> {
        self.taken.iter().map(|((time, ..), step)| (*time, &**step))
    }

    /// When rights were given and trust was changed, in order.
    pub(crate) fn changed(&self) -> impl Iterator<Item = EventTime> {
        self.iter().filter(|(_, step)| step.kind < StepKind::Denied).map(|(time, _)| time)
    }

    /// Adds a step, made only if its hour has room for it.
    fn insert(&mut self, at: Moment, weight: Severity, step: impl FnOnce() -> Step) {
        let rank = (Reverse(weight), at);
        let known = self.known.hour.take().filter(|known| known.hour == at.0.hour());
        let mut hour = known.unwrap_or_else(|| self.look_at(at.0.hour()));
        if hour.count < MAX_AN_HOUR {
            if self.add(at, step()) {
                hour.take(rank);
                self.known.hour = Some(hour);
            }
        } else if self.taken.contains_key(&at) {
            self.add(at, step());
        } else if let Some(last) = hour.last.filter(|last| rank < *last) {
            self.remove(last.1);
            self.add(at, step());
        } else {
            self.known.hour = Some(hour);
        }
    }

    fn look_at(&self, hour: i64) -> Hour<Moment> {
        let steps = self.taken.range(of_hour(hour));
        Hour::of(hour, steps.map(|(at, step)| (Reverse(step.weight), *at)))
    }

    /// Whether there was none at the moment. Of two the smaller stays.
    fn add(&mut self, at: Moment, step: Step) -> bool {
        let (is_new, from) = match self.taken.entry(at) {
            Entry::Occupied(known) if **known.get() <= step => return false,
            Entry::Occupied(mut known) => {
                known.insert(Box::new(step));
                (false, at.0.plus(-SPAN))
            }
            Entry::Vacant(slot) => {
                slot.insert(Box::new(step));
                (true, at.0)
            }
        };
        self.unsettle(from);
        is_new
    }

    fn remove(&mut self, at: Moment) {
        self.taken.remove(&at);
        // It may have been why others stay.
        self.unsettle(at.0.plus(-SPAN));
    }

    fn unsettle(&mut self, from: EventTime) {
        self.known.settled = self.known.settled.min(from);
        self.known.hour = None;
    }

    fn bound(&mut self, hour: i64) {
        let over = self.taken.range(of_hour(hour)).count().saturating_sub(MAX_AN_HOUR);
        if over == 0 {
            return;
        }
        let mut ranked: Vec<_> =
            self.taken.range(of_hour(hour)).map(|(at, step)| (step.weight, Reverse(*at))).collect();
        ranked.sort_unstable();
        for (_, Reverse(at)) in ranked.into_iter().take(over) {
            self.remove(at);
        }
    }

    /// Drops roles used and calls made before the minute `closed` that are part of no sequence: nearly all of them. A role
    /// that was handed over waits as long as a sequence spans, as rights may come after. Whether there are some left to
    /// look at when more is closed.
    pub(crate) fn close(&mut self, closed: i64) -> bool {
        let end = EventTime::of_minute(closed);
        let settled = self.known.settled;
        let is_used = |step: &Step| step.kind >= StepKind::Assume;
        let decided: Vec<(EventTime, &Moment, &Step)> = self
            .taken
            .range((settled, 0, StepKind::Rights)..)
            .filter(|(at, step)| is_used(step) && step.decided(at.0) < end)
            .map(|(at, step)| (at.0, at, &**step))
            .collect();
        let mut gone = Vec::new();
        if let (Some((first, ..)), Some((last, ..))) = (decided.first(), decided.last()) {
            let openers = Openers::between(&self.taken, first.plus(-SPAN), last.plus(SPAN));
            gone.extend(
                decided.iter().filter(|(time, _, step)| !openers.open(*time, step)).map(|(_, at, _)| **at),
            );
        }
        for at in &gone {
            self.taken.remove(at);
        }
        let mut open = self.taken.range((settled, 0, StepKind::Rights)..);
        let open = open.find(|(at, step)| is_used(step) && step.decided(at.0) >= end).map(|(at, _)| at.0);
        self.known = Known { settled: open.unwrap_or(EventTime(i64::MAX)), hour: None };
        open.is_some()
    }

    /// Drops steps that no sequence from `horizon` on can hold.
    pub(crate) fn forget(&mut self, horizon: EventTime) {
        self.taken = self.taken.split_off(&(horizon.plus(-SPAN), 0, StepKind::Rights));
        self.known = Known::default();
    }
}

/// When sequences that steps may belong to were opened: times in order.
#[derive(Default)]
struct Openers<'s> {
    /// Rights, by whom they were given.
    rights: HashMap<&'s str, Vec<EventTime>>,
    /// The rest, by what they are about.
    rest: HashMap<&'s str, Vec<EventTime>>,
    /// Rights of weight: what they were used for may be anything.
    grave: Vec<EventTime>,
}

impl<'s> Openers<'s> {
    fn between(taken: &'s BTreeMap<Moment, Box<Step>>, first: EventTime, last: EventTime) -> Self {
        let mut openers = Self::default();
        let steps = taken.range((first, 0, StepKind::Rights)..=(last, u64::MAX, StepKind::Done));
        for ((time, ..), step) in steps.filter(|(_, step)| step.kind <= StepKind::Denied) {
            let by_target = match step.kind {
                StepKind::Rights => &mut openers.rights,
                _ => &mut openers.rest,
            };
            by_target.entry(&step.target).or_default().push(*time);
            if step.kind == StepKind::Rights && step.weight >= Severity::Medium {
                openers.grave.push(*time);
            }
        }
        openers
    }

    /// Whether one of them and a step taken at a time may be of one sequence.
    fn open(&self, time: EventTime, step: &Step) -> bool {
        let in_reach = |times: &[EventTime], until: EventTime| {
            let next = times.partition_point(|opened| *opened < time.plus(-SPAN));
            times.get(next).is_some_and(|opened| *opened <= until)
        };
        let about = |openers: &HashMap<&str, Vec<EventTime>>, until| {
            openers.get(&*step.target).is_some_and(|times| in_reach(times, until))
        };
        match step.kind {
            StepKind::Done => in_reach(&self.grave, time),
            StepKind::Pass => about(&self.rights, time.plus(SPAN)) || about(&self.rest, time.plus(SPAN)),
            _ => about(&self.rights, time) || about(&self.rest, time),
        }
    }
}

impl Join for Steps {
    fn join(&mut self, other: &Self) {
        let mut hours = Vec::new();
        for (at, step) in &other.taken {
            self.add(*at, Step::clone(step));
            if hours.last() != Some(&at.0.hour()) {
                hours.push(at.0.hour());
            }
        }
        hours.into_iter().for_each(|hour| self.bound(hour));
    }
}

/// The step that a change of a resource is, if it is one and the call went through.
pub(crate) fn of_change(
    event: &Event<'_>,
    (doing, weight): (&Doing, Severity),
    (entity, lifts): (&str, Lifts),
) -> Option<Draft> {
    if doing.actor_kind.is_aws() {
        return None;
    }
    if event.action.is("iam", "AddUserToGroup") {
        // What it gives is what the group has: see `GROUP`.
        let user = path::text(event.parts.request(), "userName")?;
        let policy = Some(name(&format!("{GROUP}{}", doing.id)));
        let target = name(&format!("user/{}", cut_name(&user)));
        return Some(Draft { kind: StepKind::Rights, target, weight: Severity::Medium, policy });
    }
    let principal = matches!(&*doing.thing, "user" | "role" | "group" | "policy" | "permission set");
    let kind = match &doing.what {
        What::Set(Kind::Trust, _) if &*event.action.name == "UpdateAssumeRolePolicy" => StepKind::Trust,
        What::Set(Kind::Identity, _) | What::Version(..) | What::Default(_) | What::Attach(_)
            if principal =>
        {
            StepKind::Rights
        }
        What::Switch(_) if is_credential(&event.action.name) => StepKind::Credential,
        _ if lifts == Lifts::Own => StepKind::Access,
        _ => return None,
    };
    let holder = if &*doing.thing == "policy" { &doing.id } else { holder_name(&doing.id) };
    let policy = match &doing.what {
        _ if kind == StepKind::Access => Some(entity.into()),
        What::Attach(arn) => Some(Arc::clone(arn)),
        _ if &*doing.thing == "policy" => Some(Arc::clone(&doing.id)),
        _ => None,
    };
    Some(Draft { kind, target: name(&format!("{}/{holder}", doing.thing)), weight, policy })
}

fn is_credential(call: &str) -> bool {
    matches!(
        call,
        "CreateAccessKey" | "CreateLoginProfile" | "UpdateLoginProfile" | "CreateServiceSpecificCredential"
    )
}

/// Roles assumed and handed over, roles refused, and calls that change access let through. `role` is the one the call names,
/// if it names one to use.
pub(crate) fn of_call(event: &Event<'_>, role: Option<&Arc<str>>) -> impl Iterator<Item = Draft> {
    let by_somebody = !event.actor.kind.is_aws() && event.session.invoked_by.is_empty();
    let assumes = event.action.is("sts", "AssumeRole");
    let is_refused = by_somebody && assumes && is_refusal(event.error_code);
    let refused = is_refused.then(|| Draft::of(StepKind::Denied, name(&role_refused(event))));
    let went_through = by_somebody && event.succeeded();
    let used = role.filter(|_| went_through).map(|role| {
        let kind = if assumes { StepKind::Assume } else { StepKind::Pass };
        Draft::of(kind, Arc::clone(role))
    });
    let done = (went_through && !assumes).then(|| Draft {
        weight: Severity::Informational,
        ..Draft::of(StepKind::Done, Arc::clone(&event.action.label))
    });
    [refused, used, done].into_iter().flatten()
}

/// The role a call uses, as the target of a step: assumed, or handed to a service.
pub(crate) fn role_used(event: &Event<'_>) -> Option<Arc<str>> {
    let role = if event.action.is("sts", "AssumeRole") {
        event
            .parts
            .request
            .top_str_of(&ROLE_ARN)
            .or_else(|| path::text(event.parts.request(), "roleArn").map(Cow::Owned))?
    } else {
        let members = calls::passed_role(event.action).filter(|members| !members.is_empty())?;
        Cow::Owned(path::text(event.parts.request(), members)?)
    };
    (!role.is_empty()).then(|| name(&format!("role/{}", last(&role))))
}

/// The role that `AssumeRole` was refused, which only the message names.
fn role_refused<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
    match event.error_message.split_once(":role/") {
        Some((_, role)) => {
            Cow::Owned(format!("role/{}", last(role.split_whitespace().next().unwrap_or(role))))
        }
        None => Cow::Borrowed(&*event.action.label),
    }
}

static ROLE_ARN: LazyLock<Member> = LazyLock::new(|| Member::new("roleArn"));

/// Whether it was the caller's rights that a call failed for.
pub(crate) fn is_refusal(code: &str) -> bool {
    static SIGNS: LazyLock<[Finder<'static>; 7]> = LazyLock::new(|| {
        let signs = [
            "AccessDenied",
            "Unauthorized",
            "NotAuthorized",
            "AuthorizationE",
            "Forbidden",
            "InsufficientPermission",
            "InsufficientPrivileges",
        ];
        signs.map(Finder::new)
    });
    // Nearly all begin with the first.
    code.starts_with("AccessDenied") || SIGNS.iter().any(|sign| sign.find(code.as_bytes()).is_some())
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// A step before its evidence is taken.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    kind: StepKind,
    target: Arc<str>,
    weight: Severity,
    policy: Option<Arc<str>>,
}

impl Draft {
    fn of(kind: StepKind, target: Arc<str>) -> Self {
        Self { kind, target, weight: Severity::Low, policy: None }
    }
}

/// Records steps of the event's actor.
pub(crate) fn take(event: &Event<'_>, drafts: impl Iterator<Item = Draft>, ledger: &mut Ledger<Remembered>) {
    let mut drafts = drafts.peekable();
    if drafts.peek().is_none() {
        return;
    }
    let key = KeyRef { class: ACTOR, account: event.account, entity: &event.actor.id };
    let (facts, strings, _) = ledger.grow_hashed(key, event.actor.hash);
    for Draft { kind, target, weight, policy } in drafts {
        facts.steps.insert((event.time, event.call.0, kind), weight, || Step {
            kind,
            target: strings.share(&target),
            weight,
            policy: policy.unwrap_or_else(|| strings.share("")),
            actor_kind: event.actor.kind,
            evidence: event.evidence(strings),
        });
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
