//! From facts to what was new, when, and how new.

use super::Config;
use super::facts::{ActorFacts, Named, Pioneers, Remembered, Shared, account_key, siblings_key};
use super::facts::{actor_hash, sibling_name};
use super::grave::{Grave, grave};
use super::origin;
use super::stretches::{SILENCE, Stretches};
use crate::access_level::AccessLevel;
use crate::action::{ActionId, stable_hash};
use crate::actor::{ActorKind, account_of_arn};
use crate::detector::Around;
use crate::environment::Organization;
use crate::finding::Evidence;
use crate::lattice::Smallest;
use crate::ledger::Key;
use crate::policy_change::wildcard::{self, Case};
use crate::time::{DAY, EventTime, TimeRange};

/// A failed call teaches nothing, but is not told again before it was not tried for so long.
const ATTEMPTS_SILENCE: i64 = 2 * SILENCE;

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

/// What is known of earlier use by the actor itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// None.
    Never,
    /// It was forgotten: the last was then.
    Forgotten(EventTime),
    /// On one day only, then: what was done once is not yet usual.
    Once(EventTime),
}

impl Before {
    fn last(last: Option<EventTime>) -> Self {
        last.map_or(Self::Never, Self::Forgotten)
    }
}

/// Something new.
#[derive(Clone, Debug)]
pub(super) struct Novelty<'f> {
    pub(super) what: What,
    /// `service:Name`, a role's ARN, a region, a network…
    pub(super) name: &'f str,
    pub(super) newness: Newness,
    pub(super) before: Before,
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

    /// Its place among others of the same weight: what went through before what was tried, then by time.
    pub(super) fn place(&self) -> impl Ord + use<'_> {
        (self.is_attempt(), self.evidence, self.name)
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
    organization: &'f Organization,
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
            organization: &around.environment.organization,
            learning: around.environment.learning.seconds(),
            silence: around.environment.learning.forget_seconds().max(SILENCE),
        })
    }

    /// Whether the actor is still being learnt at `time`. Root is never: every use of it is unusual.
    pub(super) fn learns_actor(&self, time: EventTime) -> bool {
        self.actor_maturity(time) < 100
    }

    /// How much of its learning period the actor had behind it, percent.
    pub(super) fn actor_maturity(&self, time: EventTime) -> u32 {
        if self.kind == ActorKind::Root { 100 } else { self.maturity(self.born, time) }
    }

    /// How much of its learning period the account had behind it, percent.
    pub(super) fn account_maturity(&self, time: EventTime) -> u32 {
        self.account.and_then(|a| a.since.0).map_or(0, |since| self.maturity(since, time))
    }

    fn maturity(&self, since: EventTime, time: EventTime) -> u32 {
        let age = time.0.saturating_sub(since.0).clamp(0, self.learning);
        // With no learning period everything is learnt from the start.
        if self.learning == 0 {
            100
        } else {
            u32::try_from(age.saturating_mul(100) / self.learning).unwrap_or(100)
        }
    }

    /// Whether enough is known of the account to say that something is new or rare there.
    fn knows_account(&self, time: EventTime) -> bool {
        self.account_maturity(time) >= 50
    }

    /// Whether a role lies in another account, and not one known to be of the organisation or trusted.
    pub(super) fn is_foreign(&self, role_arn: &str) -> bool {
        let account = account_of_arn(role_arn);
        account != &*self.key.account
            && !self.organization.accounts.contains(account)
            && !self.organization.trusted_accounts.contains(account)
    }

    /// Whether the actor is one that deploys, by the configuration.
    pub(super) fn deploys(&self) -> bool {
        self.organization
            .deploy_roles
            .iter()
            .any(|role| wildcard::matches(role, &self.key.entity, Case::Counts))
    }

    /// Whether the actor is old enough that where it comes from and how tells anything: at first everything is new.
    fn has_habits(&self, time: EventTime) -> bool {
        !self.learns_actor(time) && time.0 - self.born.0 >= DAY
    }

    /// All that was new in the hours that `span` touches.
    pub(super) fn novelties(&self, span: TimeRange, config: &Config) -> Vec<Novelty<'f>> {
        let hours = (span.start.hour(), span.end.plus(-1).hour());
        let wanted = |evidence: &Evidence| (hours.0..=hours.1).contains(&evidence.time.hour());
        let mut found = Vec::new();
        self.actions(&wanted, config, &mut found);
        self.first_changes(&wanted, &mut found);
        let habitual = |what| move |_: &Named, time| self.has_habits(time).then_some((what, Newness::Actor));
        self.named(&self.facts.roles, habitual(What::Role), &wanted, &mut found);
        self.named(&self.facts.regions, |named, time| self.region(named, time), &wanted, &mut found);
        self.second_regions(&wanted, &mut found);
        self.named(&self.facts.means, |named, time| self.means(named, time), &wanted, &mut found);
        if config.source_networks && !self.facts.networks.is_full() {
            let network =
                |named: &Named, time| habitual(What::Network(self.networks_before(time)))(named, time);
            self.named(&self.facts.networks, network, &wanted, &mut found);
        }
        found
    }

    fn actions(&self, wanted: &dyn Fn(&Evidence) -> bool, config: &Config, found: &mut Vec<Novelty<'f>>) {
        for (id, action) in self.facts.actions.iter() {
            let label = &*action.label;
            if config.is_quiet(label) {
                continue;
            }
            let level = || label.split_once(':').map_or(AccessLevel::Write, |(s, n)| AccessLevel::of(s, n));
            let novelty = |what, evidence: &'f Evidence, before| Novelty {
                what,
                name: label,
                newness: self.newness(ActionId(id), evidence.time),
                before,
                evidence,
            };
            for (evidence, last) in action.done.onsets(self.silence).filter(|(e, _)| wanted(e)) {
                found.push(novelty(What::Action(level(), grave(label)), evidence, Before::last(last)));
            }
            if let Some(grave) = grave(label) {
                for (evidence, once) in action.done.second_occasions(self.silence).filter(|(e, _)| wanted(e))
                {
                    found.push(novelty(What::Action(level(), Some(grave)), evidence, Before::Once(once)));
                }
            }
            let silence = self.silence.min(ATTEMPTS_SILENCE);
            for (evidence, _) in action.failed.onsets(silence).filter(|(e, _)| wanted(e)) {
                // Known, or gone through within the same hour: then that is what is told.
                let hour_end = EventTime::of_hour(evidence.time.hour() + 1);
                if !action.done.used_between(evidence.time.plus(-self.silence), hour_end) {
                    found.push(novelty(What::Attempt(level(), grave(label)), evidence, Before::Never));
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
            .filter(|(evidence, _)| wanted(evidence) && self.has_habits(evidence.time))
            .filter(|(evidence, _)| !changes().any(|a| self.used_before(&a.done, evidence.time)))
            .collect();
        // Of several in the same second the first.
        first.sort_unstable();
        first.dedup_by_key(|(evidence, _)| evidence.time);
        found.extend(first.into_iter().map(|(evidence, name)| Novelty {
            what: What::FirstChange,
            name,
            newness: Newness::Actor,
            before: Before::Never,
            evidence,
        }));
    }

    /// What had no use before it, of named things; `what` says what that is, if it is anything.
    fn named<const N: usize>(
        &self,
        all: &'f Smallest<Named, N>,
        what: impl Fn(&Named, EventTime) -> Option<(What, Newness)>,
        wanted: &dyn Fn(&Evidence) -> bool,
        found: &mut Vec<Novelty<'f>>,
    ) {
        for named in all.values() {
            for (evidence, last) in named.used.onsets(self.silence).filter(|(e, _)| wanted(e)) {
                if let Some((what, newness)) = what(named, evidence.time) {
                    let before = Before::last(last);
                    found.push(Novelty { what, name: &named.name, newness, before, evidence });
                }
            }
        }
    }

    /// A region the account hardly ever changed anything in tells something even of a fresh actor.
    fn region(&self, named: &Named, time: EventTime) -> Option<(What, Newness)> {
        let newness = self.newness_of_region(&named.name, time);
        (newness != Newness::Actor || self.has_habits(time)).then_some((What::Region, newness))
    }

    /// Regions in which the actor, as the account, changed something on one day only.
    fn second_regions(&self, wanted: &dyn Fn(&Evidence) -> bool, found: &mut Vec<Novelty<'f>>) {
        for named in self.facts.regions.values() {
            for (evidence, once) in named.used.second_occasions(self.silence).filter(|(e, _)| wanted(e)) {
                let newness = self.newness_of_region(&named.name, evidence.time);
                if newness != Newness::Actor {
                    let (what, before) = (What::Region, Before::Once(once));
                    found.push(Novelty { what, name: &named.name, newness, before, evidence });
                }
            }
        }
    }

    /// A client, or a way of signing in: of interest when the user had another. Root should do neither.
    fn means(&self, named: &Named, time: EventTime) -> Option<(What, Newness)> {
        let is_sign_in = |name: &str| [origin::CONSOLE, origin::ACCESS_KEY].contains(&name);
        if !is_sign_in(&named.name) {
            return self.has_habits(time).then_some((What::Client, Newness::Actor));
        }
        let mut others = self.facts.means.values().filter(|m| is_sign_in(&m.name) && m.name != named.name);
        let has_changed = self.has_habits(time) && others.any(|other| self.used_before(&other.used, time));
        (has_changed || self.kind == ActorKind::Root).then_some((What::SignIn, Newness::Actor))
    }

    fn newness(&self, action: ActionId, time: EventTime) -> Newness {
        let from = time.plus(-self.silence);
        let common = |shared: Option<&'f Shared>| shared.and_then(|shared| shared.actions.get(action.0));
        // One of its name that did it once does not make it usual.
        if common(self.siblings).is_some_and(|common| common.used.is_usual_between(from, time)) {
            return Newness::Siblings;
        }
        if !self.knows_account(time) || self.account.is_some_and(|a| a.actions.is_full()) {
            return Newness::Actor;
        }
        let known = common(self.account).filter(|common| common.used.used_between(from, time));
        match known.map(|c| c.pioneers.others_before(time, actor_hash(self.key))) {
            None => Newness::Account,
            Some(others) if others < Pioneers::MANY - 1 => Newness::Rare(others),
            Some(_) => Newness::Actor,
        }
    }

    /// New where nobody in the account changed anything, rare where somebody did on one day only.
    fn newness_of_region(&self, region: &str, time: EventTime) -> Newness {
        let Some(account) = self.account else { return Newness::Actor };
        let is_young = account.since.0.is_none_or(|since| time.0 - since.0 < DAY);
        if is_young || !self.knows_account(time) {
            return Newness::Actor;
        }
        let from = time.plus(-self.silence);
        let used = account.regions.get(stable_hash(region.as_bytes()));
        let Some(used) = used.filter(|used| used.used_between(from, time)) else { return Newness::Account };
        // Where everything is rare, nothing is.
        let is_rare = !used.is_usual_between(from, time)
            && account.regions.values().any(|other| other.is_usual_between(from, time));
        if is_rare { Newness::Rare(1) } else { Newness::Actor }
    }

    fn networks_before(&self, time: EventTime) -> usize {
        self.facts.networks.values().filter(|n| self.used_before(&n.used, time)).count()
    }

    fn used_before(&self, uses: &Stretches<Evidence>, time: EventTime) -> bool {
        uses.used_between(time.plus(-self.silence), time)
    }
}
