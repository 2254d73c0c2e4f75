//! What the detector remembers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lately::Lately;
use super::stretches::Stretches;
use crate::actor::{Actor, ActorKind, role_family};
use crate::chain::Link;
use crate::event::Event;
use crate::event_id::EventId;
use crate::finding::Evidence;
use crate::lattice::{Join, Smallest};
use crate::ledger::{Class, Facts, Key, KeyRef, Strings};
use crate::time::EventTime;

/// Keys of one actor in one account.
pub(super) const ACTOR: Class = Class(1);
/// Keys of an account, and (without an account) of a role name or permission set: what their actors share.
pub(super) const SHARED: Class = Class(2);
/// Keys of an access key that opening a session gave out.
pub(super) const CHAIN: Class = Class(3);

/// The key of what an account's actors share.
pub(super) fn account_key(account: &str) -> KeyRef<'_> {
    KeyRef { class: SHARED, account, entity: "" }
}

/// The key of what roles of one name, or people of one permission set, share over all accounts.
pub(super) fn siblings_key(name: &str) -> KeyRef<'_> {
    KeyRef { class: SHARED, account: "", entity: name }
}

/// The key of an access key.
pub(super) fn chain_key(access_key: &str) -> KeyRef<'_> {
    KeyRef { class: CHAIN, account: "", entity: access_key }
}

/// Facts of one key. Which of them is decided by the key's class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Remembered {
    /// Nothing yet.
    #[default]
    Nothing,
    /// What an actor did.
    Actor(Box<ActorFacts>),
    /// What actors of one account, or of one role name, did.
    Shared(Box<Shared>),
    /// Who opened a session.
    Chain(Box<Link>),
}

impl Remembered {
    fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Actor(_) => 1,
            Self::Shared(_) => 2,
            Self::Chain(_) => 3,
        }
    }

    pub(super) fn actor(&self) -> Option<&ActorFacts> {
        if let Self::Actor(facts) = self { Some(facts) } else { None }
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        if let Self::Shared(facts) = self { Some(facts) } else { None }
    }

    pub(super) fn link(&self) -> Option<&Link> {
        if let Self::Chain(link) = self { Some(link) } else { None }
    }

    pub(super) fn grow_actor(&mut self) -> Option<&mut ActorFacts> {
        if let Self::Nothing = self {
            *self = Self::Actor(Box::default());
        }
        if let Self::Actor(facts) = self { Some(facts) } else { None }
    }

    pub(super) fn grow_shared(&mut self) -> Option<&mut Shared> {
        if let Self::Nothing = self {
            *self = Self::Shared(Box::default());
        }
        if let Self::Shared(facts) = self { Some(facts) } else { None }
    }
}

/// Facts of one key are of one sort; were they not, the later sort of the list would win, which is a lattice too.
impl Join for Remembered {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Actor(mine), Self::Actor(theirs)) => mine.join(theirs),
            (Self::Shared(mine), Self::Shared(theirs)) => mine.join(theirs),
            (Self::Chain(mine), Self::Chain(theirs)) => mine.join(theirs),
            (mine, theirs) if mine.rank() < theirs.rank() => *mine = theirs.clone(),
            _ => {}
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Actor(mine), Self::Actor(theirs)) => mine.covers(theirs),
            (Self::Shared(mine), Self::Shared(theirs)) => mine.covers(theirs),
            (Self::Chain(mine), Self::Chain(theirs)) => mine.covers(theirs),
            (mine, theirs) => mine.rank() >= theirs.rank(),
        }
    }
}

impl Facts for Remembered {
    type Memo = Lately;
    type Notes = ();

    fn let_go(memo: &mut Lately) {
        memo.let_go();
    }

    fn close(&mut self, _: i64) -> bool {
        false
    }

    fn forget(&mut self, horizon: EventTime) {
        match self {
            Self::Nothing => {}
            Self::Actor(facts) => facts.forget(horizon),
            Self::Shared(facts) => facts.forget(horizon),
            Self::Chain(link) => {
                if link.is_over(horizon) {
                    *self = Self::Nothing;
                }
            }
        }
    }
}

/// The smallest value seen, if any was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Min<T>(pub(super) Option<T>);

impl<T> Default for Min<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord> Min<T> {
    /// Takes in a value.
    pub(super) fn lower(&mut self, value: T) {
        if self.0.as_ref().is_none_or(|known| value < *known) {
            self.0 = Some(value);
        }
    }
}

impl<T: Ord + Clone> Join for Min<T> {
    fn join(&mut self, other: &Self) {
        if let Some(value) = &other.0 {
            self.lower(value.clone());
        }
    }
}

/// What one actor did in one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActorFacts {
    /// Its first event, and the kind and short name it then had.
    pub(super) born: Min<(EventTime, ActorKind, Arc<str>)>,
    /// Calls, by [`ActionId`](crate::action::ActionId).
    pub(super) actions: Smallest<ActionUse, 1_024>,
    /// Roles assumed, by their ARN.
    pub(super) roles: Smallest<Named, 256>,
    /// Regions in which something was changed or run.
    pub(super) regions: Smallest<Named, 48>,
    /// Networks called from: /24 of IPv4, /48 of IPv6.
    pub(super) networks: Smallest<Named, 64>,
    /// How the actor came in, and with which family of clients.
    pub(super) means: Smallest<Named, 32>,
}

/// One call of one actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ActionUse {
    /// `service:Name`.
    pub(super) label: Arc<str>,
    /// When it went through.
    pub(super) done: Stretches<Evidence>,
    /// When it was tried and failed, whatever for. Teaches nothing.
    pub(super) failed: Stretches<Evidence>,
}

/// Something with a name, and when the actor used it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    /// Its name.
    pub(super) name: Arc<str>,
    /// When it was used.
    pub(super) used: Stretches<Evidence>,
}

/// Uses of an event, as evidence.
pub(super) fn touch(uses: &mut Stretches<Evidence>, event: &Event<'_>, strings: &mut Strings) -> bool {
    uses.touch(
        event.time,
        |known| (&EventId::new(event.event_id), event.object) <= (&known.event_id, &known.object),
        || event.evidence(strings),
    )
}

impl ActorFacts {
    /// The actor called, at `time`.
    pub(super) fn seen(&mut self, actor: &Actor, time: EventTime) {
        if self.born.0.as_ref().is_none_or(|(first, ..)| time <= *first) {
            self.born.lower((time, actor.kind, Arc::clone(&actor.name)));
        }
    }

    fn forget(&mut self, horizon: EventTime) {
        self.actions.retain(|action| {
            action.done.forget(horizon);
            action.failed.forget(horizon);
            !(action.done.is_empty() && action.failed.is_empty())
        });
        let mut named = |named: &mut Named| {
            named.used.forget(horizon);
            !named.used.is_empty()
        };
        self.roles.retain(&mut named);
        self.regions.retain(&mut named);
        self.networks.retain(&mut named);
        self.means.retain(named);
    }
}

impl Join for ActorFacts {
    fn join(&mut self, other: &Self) {
        self.born.join(&other.born);
        self.actions.join(&other.actions);
        self.roles.join(&other.roles);
        self.regions.join(&other.regions);
        self.networks.join(&other.networks);
        self.means.join(&other.means);
    }

    fn covers(&self, other: &Self) -> bool {
        self.born.covers(&other.born)
            && self.actions.covers(&other.actions)
            && self.roles.covers(&other.roles)
            && self.regions.covers(&other.regions)
            && self.networks.covers(&other.networks)
            && self.means.covers(&other.means)
    }
}

impl Join for ActionUse {
    fn join(&mut self, other: &Self) {
        if other.label < self.label {
            self.label = Arc::clone(&other.label);
        }
        self.done.join(&other.done);
        self.failed.join(&other.failed);
    }
}

impl Join for Named {
    fn join(&mut self, other: &Self) {
        if other.name < self.name {
            self.name = Arc::clone(&other.name);
        }
        self.used.join(&other.used);
    }
}

/// What actors with something in common did: those of an account, or the roles of one name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// The first event of any of them.
    pub(super) since: Min<EventTime>,
    /// Calls that went through, by [`ActionId`](crate::action::ActionId).
    pub(super) actions: Smallest<Common, 4_096>,
    /// Regions in which something was changed or run, by the hash of the name.
    pub(super) regions: Smallest<Stretches<EventTime>, 64>,
}

/// A call that several may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Common {
    /// When anyone used it.
    pub(super) used: Stretches<EventTime>,
    /// Who used it first.
    pub(super) pioneers: Pioneers,
}

impl Shared {
    fn forget(&mut self, horizon: EventTime) {
        self.actions.retain(|common| {
            common.used.forget(horizon);
            !common.used.is_empty()
        });
        self.regions.retain(|used| {
            used.forget(horizon);
            !used.is_empty()
        });
    }
}

impl Join for Shared {
    fn join(&mut self, other: &Self) {
        self.since.join(&other.since);
        self.actions.join(&other.actions);
        self.regions.join(&other.regions);
    }

    fn covers(&self, other: &Self) -> bool {
        self.since.covers(&other.since)
            && self.actions.covers(&other.actions)
            && self.regions.covers(&other.regions)
    }
}

impl Join for Common {
    fn join(&mut self, other: &Self) {
        self.used.join(&other.used);
        self.pioneers.join(&other.pioneers);
    }
}

/// The actors that used a call first, with the time: the earliest few, by (time, hash of the actor). An actor that is
/// left out has as many earlier ones before it, and they only get earlier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Pioneers(Vec<(EventTime, u64)>);

impl Pioneers {
    /// More than this many are "many".
    pub(super) const MANY: usize = 4;

    /// An actor used it.
    pub(super) fn insert(&mut self, time: EventTime, actor: u64) {
        if let Some(known) = self.0.iter().position(|(_, a)| *a == actor) {
            if self.0[known].0 <= time {
                return;
            }
            self.0.remove(known);
        }
        let at = self.0.partition_point(|known| *known < (time, actor));
        self.0.insert(at, (time, actor));
        self.0.truncate(Self::MANY);
    }

    /// How many others had used it before `time`, up to [`Pioneers::MANY`].
    pub(super) fn others_before(&self, time: EventTime, actor: u64) -> usize {
        self.0.iter().filter(|(first, a)| *first < time && *a != actor).count()
    }
}

impl Join for Pioneers {
    fn join(&mut self, other: &Self) {
        for (time, actor) in &other.0 {
            self.insert(*time, *actor);
        }
    }
}

/// What roles and people of Identity Center have siblings by: the role's name, or the permission set's without the suffix
/// each account gives it.
pub(super) fn sibling_name(kind: ActorKind, actor_id: &str) -> Option<&str> {
    has_siblings(kind).then(|| role_family(actor_id))?
}

/// Whether actors of this kind have siblings.
pub(super) fn has_siblings(kind: ActorKind) -> bool {
    matches!(kind, ActorKind::Role | ActorKind::IdentityCenterUser)
}

/// The hash of an actor, from its key.
pub(super) fn actor_hash(key: &Key) -> u64 {
    crate::action::stable_hash(key.entity.as_bytes())
}
