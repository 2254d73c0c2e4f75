//! From facts to what was new, when, and how new.

use super::Config;
use super::facts::{ActorFacts, Common, Named, Pioneers, Remembered, Shared, account_key, siblings_key};
use super::facts::{actor_hash, sibling_name};
use super::grave::{Grave, grave};
use super::origin;
use super::stretches::{SILENCE, Stretches};
use crate::access_level::AccessLevel;
use crate::action::ActionId;
use crate::actor::ActorKind;
use crate::detector::Around;
use crate::finding::Evidence;
use crate::lattice::Smallest;
use crate::ledger::Key;
use crate::time::{DAY, EventTime, TimeRange};

/// What was new.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A call went through.
    Action(AccessLevel, Option<&'static Grave>),
    /// A call was tried and failed.
    Attempt(AccessLevel, Option<&'static Grave>),
    /// The actor changed something for the first time, having only read before.
    FirstChange,
    /// A role was assumed.
    Role,
    /// Something was changed in a region.
    Region,
    /// The actor came from a network; it was known to come from so many.
    Network(usize),
    /// A user signed in with a password, or used a lasting key.
    SignIn,
    /// A family of clients.
    Client,
}

/// How new it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newness {
    /// Nobody in the account did it within the forgetting period.
    Account,
    /// So few others in the account had done it.
    Rare(usize),
    /// New to the actor only, or nobody can tell.
    Actor,
    /// Roles of its name or people of its permission set do it.
    Siblings,
}

/// Something new.
#[derive(Clone, Debug)]
pub(super) struct Novelty<'f> {
    pub(super) what: What,
    /// `service:Name`, a role's ARN, a region, a network…
    pub(super) name: &'f str,
    pub(super) newness: Newness,
    /// The last use before, when it was only forgotten.
    pub(super) last: Option<EventTime>,
    pub(super) evidence: &'f Evidence,
}

impl Novelty<'_> {
    pub(super) fn time(&self) -> EventTime {
        self.evidence.time
    }

    /// The grave call it is.
    pub(super) fn grave(&self) -> Option<&'static Grave> {
        match self.what {
            What::Action(_, grave) | What::Attempt(_, grave) => grave,
            _ => None,
        }
    }

    pub(super) fn is_attempt(&self) -> bool {
        matches!(self.what, What::Attempt(..))
    }
}

/// Whether a call changes something; opening a session does not.
fn is_change(label: &str) -> bool {
    label.split_once(':').is_some_and(|(service, name)| {
        service != "sts" && AccessLevel::of(service, name) >= AccessLevel::Write
    })
}

/// An actor among what is known around it.
pub(super) struct Setting<'f> {
    pub(super) key: &'f Key,
    pub(super) facts: &'f ActorFacts,
    pub(super) born: EventTime,
    pub(super) kind: ActorKind,
    pub(super) display_name: &'f str,
    account: Option<&'f Shared>,
    siblings: Option<&'f Shared>,
    learning: i64,
    silence: i64,
}

impl<'f> Setting<'f> {
    pub(super) fn of(key: &'f Key, facts: &'f ActorFacts, around: &Around<'f, Remembered>) -> Option<Self> {
        let (born, kind, display_name) = facts.born.0.as_ref()?;
        let shared = |key| around.others.facts(key).and_then(Remembered::shared);
        let siblings = sibling_name(*kind, &key.entity).filter(|name| !name.is_empty());
        Some(Self {
            key,
            facts,
            born: *born,
            kind: *kind,
            display_name,
            account: shared(account_key(&key.account)),
            siblings: siblings.and_then(|name| shared(siblings_key(name))),
            learning: around.environment.learning.seconds(),
            silence: around.environment.learning.forget_seconds().max(SILENCE),
        })
    }

    /// Whether the actor is still being learnt at `time`. Root is never: every use of it is unusual.
    pub(super) fn learns_actor(&self, time: EventTime) -> bool {
        self.kind != ActorKind::Root && time < self.born.plus(self.learning)
    }

    /// Whether the account is still being learnt at `time`.
    pub(super) fn learns_account(&self, time: EventTime) -> bool {
        self.account.and_then(|a| a.since.0).is_none_or(|since| time < since.plus(self.learning))
    }

    /// All that was new in the hours that `span` touches.
    pub(super) fn novelties(&self, span: TimeRange, config: &Config) -> Vec<Novelty<'f>> {
        let hours = (span.start.hour(), span.end.plus(-1).hour());
        let wanted = |evidence: &Evidence| (hours.0..=hours.1).contains(&evidence.time.hour());
        let mut found = Vec::new();
        self.actions(&wanted, config, &mut found);
        self.first_changes(&wanted, &mut found);
        self.named(&self.facts.roles, |_| What::Role, &wanted, &mut found);
        self.named(&self.facts.regions, |_| What::Region, &wanted, &mut found);
        if config.source_networks && !self.facts.networks.is_full() {
            self.named(
                &self.facts.networks,
                |time| What::Network(self.networks_before(time)),
                &wanted,
                &mut found,
            );
        }
        self.means(&wanted, &mut found);
        found
    }

    fn actions(&self, wanted: &dyn Fn(&Evidence) -> bool, config: &Config, found: &mut Vec<Novelty<'f>>) {
        for (id, action) in self.facts.actions.iter() {
            let label = &*action.label;
            if config.is_quiet(label) {
                continue;
            }
            let level = || label.split_once(':').map_or(AccessLevel::Write, |(s, n)| AccessLevel::of(s, n));
            let novelty = |what, evidence: &'f Evidence, last| Novelty {
                what,
                name: label,
                newness: self.newness(ActionId(id), evidence.time),
                last,
                evidence,
            };
            for (evidence, last) in action.done.onsets(self.silence).filter(|(e, _)| wanted(e)) {
                found.push(novelty(What::Action(level(), grave(label)), evidence, last));
            }
            for (evidence, _) in action.failed.onsets(self.silence).filter(|(e, _)| wanted(e)) {
                // Known, or gone through within the same hour: then that is what is told.
                let hour_end = EventTime::of_hour(evidence.time.hour() + 1);
                if !action.done.used_between(evidence.time.plus(-self.silence), hour_end) {
                    found.push(novelty(What::Attempt(level(), grave(label)), evidence, None));
                }
            }
        }
    }

    /// The first change by an actor that has long only read.
    fn first_changes(&self, wanted: &dyn Fn(&Evidence) -> bool, found: &mut Vec<Novelty<'f>>) {
        let changes = || self.facts.actions.values().filter(|action| is_change(&action.label));
        let mut first: Vec<(&Evidence, &str)> = changes()
            .flat_map(|action| {
                action.done.onsets(self.silence).map(|(evidence, _)| (evidence, &*action.label))
            })
            .filter(|(evidence, _)| wanted(evidence) && !self.learns_actor(evidence.time))
            .filter(|(evidence, _)| evidence.time.0 - self.born.0 >= DAY)
            .filter(|(evidence, _)| !changes().any(|a| self.used_before(&a.done, evidence.time)))
            .collect();
        // Of several in the same second the first.
        first.sort_unstable();
        first.dedup_by_key(|(evidence, _)| evidence.time);
        found.extend(first.into_iter().map(|(evidence, name)| Novelty {
            what: What::FirstChange,
            name,
            newness: Newness::Actor,
            last: None,
            evidence,
        }));
    }

    fn named<const N: usize>(
        &self,
        all: &'f Smallest<Named, N>,
        what: impl Fn(EventTime) -> What,
        wanted: &dyn Fn(&Evidence) -> bool,
        found: &mut Vec<Novelty<'f>>,
    ) {
        for (key, named) in all.iter() {
            for (evidence, last) in named.used.onsets(self.silence).filter(|(e, _)| wanted(e)) {
                let what = what(evidence.time);
                let newness = match what {
                    What::Region if !self.region_is_known(key, evidence.time) => Newness::Account,
                    _ => Newness::Actor,
                };
                found.push(Novelty { what, name: &named.name, newness, last, evidence });
            }
        }
    }

    /// Clients, and ways of signing in that differ from the one the user had.
    fn means(&self, wanted: &dyn Fn(&Evidence) -> bool, found: &mut Vec<Novelty<'f>>) {
        let first = found.len();
        let what = |_| What::Client;
        self.named(&self.facts.means, what, wanted, found);
        for novelty in &mut found[first..] {
            if [origin::CONSOLE, origin::ACCESS_KEY].contains(&novelty.name) {
                novelty.what = What::SignIn;
            }
        }
        let others_before = |novelty: &Novelty<'_>| {
            self.facts.means.values().any(|m| {
                let is_sign_in = [origin::CONSOLE, origin::ACCESS_KEY].contains(&&*m.name);
                is_sign_in && *m.name != *novelty.name && self.used_before(&m.used, novelty.time())
            })
        };
        let mut kept = found.split_off(first);
        kept.retain(|n| !matches!(n.what, What::SignIn) || self.kind == ActorKind::Root || others_before(n));
        found.append(&mut kept);
    }

    fn newness(&self, action: ActionId, time: EventTime) -> Newness {
        let known = |shared: Option<&'f Shared>| -> Option<&'f Common> {
            let common = shared?.actions.get(action.0)?;
            common.used.used_between(time.plus(-self.silence), time).then_some(common)
        };
        if known(self.siblings).is_some() {
            return Newness::Siblings;
        }
        if self.learns_account(time) || self.account.is_some_and(|a| a.actions.is_full()) {
            return Newness::Actor;
        }
        match known(self.account).map(|c| c.pioneers.others_before(time, actor_hash(self.key))) {
            None => Newness::Account,
            Some(others) if others < Pioneers::MANY - 1 => Newness::Rare(others),
            Some(_) => Newness::Actor,
        }
    }

    fn region_is_known(&self, region: u64, time: EventTime) -> bool {
        self.learns_account(time)
            || self
                .account
                .and_then(|a| a.regions.get(region))
                .is_some_and(|used| used.used_between(time.plus(-self.silence), time))
    }

    fn networks_before(&self, time: EventTime) -> usize {
        self.facts.networks.values().filter(|n| self.used_before(&n.used, time)).count()
    }

    fn used_before(&self, uses: &Stretches<Evidence>, time: EventTime) -> bool {
        uses.used_between(time.plus(-self.silence), time)
    }
}
