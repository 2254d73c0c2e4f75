//! What is remembered of a resource: its changes in order, and the documents they set.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::actor::ActorKind;
use crate::environment::Organization;
use crate::event::CallId;
use crate::finding::{Evidence, Severity};
use crate::lattice::{Join, shows_nothing_new};
use crate::policy_change::analysis::{self, Kind, Setting};
use crate::policy_change::at_hand::AtHand;
use crate::policy_change::calls;
use crate::policy_change::document::Document;
use crate::policy_change::documents::{Digest, Documents};
use crate::policy_change::full::Hour;
use crate::policy_change::held::Places;
use crate::policy_change::notes::Notes;
use crate::policy_change::steps::Steps;
use crate::policy_change::tries::Tries;
use crate::policy_change::verdict::Code;
use crate::time::EventTime;

/// More changes of one resource in one hour are not all kept: the gravest are, and of equally grave ones the first. So
/// who floods a resource with changes can't hide one among them.
pub(crate) const MAX_AN_HOUR: usize = 48;

/// What a call did to the resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum What {
    /// Set its document.
    Set(Kind, Digest),
    /// Wrote a version of its document; the flag of [`Version`] tells whether it counts.
    Version(Kind, Digest, Version),
    /// Made a version count.
    Default(Arc<str>),
    /// Deleted its document.
    Gone,
    /// Granted access beside what there was: a document of its own.
    Grant(Digest),
    /// Took back what such a document grants.
    Revoke(Digest),
    /// Took back the statement with an id; all grants, where there is none.
    RevokeStatement(Option<Arc<str>>),
    /// Attached a managed policy.
    Attach(Arc<str>),
    /// Detached one.
    Detach(Arc<str>),
    /// Did what a row of the switches says: its id.
    Switch(u64),
    /// Opened ports to the internet.
    Open(Vec<Opening>),
    /// Nobody knows: the parameters were too large for the log.
    Omitted,
    /// Nobody knows: the log of the failed call holds no parameters.
    Unseen,
    /// Deleted the resource itself: what comes after under its name is another.
    Ended,
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Version {
    /// `v2`; empty when the log does not say.
    pub(crate) id: Arc<str>,
    /// Whether it counts from now on.
    pub(crate) default: bool,
}

/// Ports opened to the internet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for all.
    pub(crate) protocol: Arc<str>,
    /// First port; -1 for all.
    pub(crate) from: i64,
    /// Last port; -1 for all.
    pub(crate) to: i64,
}

/// One change, and who made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "StoredChange")]
pub(crate) struct Change {
    /// What was done, by whom: kept once for calls that did the same shortly after each other. Its fields are read as the
    /// change's own.
    pub(crate) doing: Arc<Doing>,
    /// The record.
    pub(crate) evidence: Evidence,
    /// How grave it is by itself: see [`What::graveness`]. Follows from what was done.
    pub(crate) weight: Severity,
}

/// What somebody does to something, whenever it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Doing {
    /// What was done.
    pub(crate) what: What,
    /// The sort of thing changed.
    pub(crate) thing: Arc<str>,
    /// Its ARN or name, as the call has it.
    pub(crate) id: Arc<str>,
    /// The call, as `service:name`, hashed.
    pub(crate) action: u64,
    /// The actor's id, `Actor::id`.
    pub(crate) actor: Arc<str>,
    /// The actor's sort.
    pub(crate) actor_kind: ActorKind,
    /// The region.
    pub(crate) region: Arc<str>,
}

/// A change as it is stored: all of it side by side.
#[derive(Deserialize)]
struct StoredChange {
    what: What,
    thing: Arc<str>,
    id: Arc<str>,
    action: u64,
    actor: Arc<str>,
    actor_kind: ActorKind,
    region: Arc<str>,
    evidence: Evidence,
    weight: Severity,
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { doing, evidence, weight } = self;
        let Doing { what, thing, id, action, actor, actor_kind, region } = &**doing;
        let mut stored = serializer.serialize_struct("Change", 9)?;
        stored.serialize_field("what", what)?;
        stored.serialize_field("thing", thing)?;
        stored.serialize_field("id", id)?;
        stored.serialize_field("action", action)?;
        stored.serialize_field("actor", actor)?;
        stored.serialize_field("actor_kind", actor_kind)?;
        stored.serialize_field("region", region)?;
        stored.serialize_field("evidence", evidence)?;
        stored.serialize_field("weight", weight)?;
        stored.end()
    }
}

impl From<StoredChange> for Change {
    fn from(stored: StoredChange) -> Self {
        let StoredChange { what, thing, id, action, actor, actor_kind, region, evidence, weight } = stored;
        let doing = Doing { what, thing, id, action, actor, actor_kind, region };
        Self { doing: Arc::new(doing), evidence, weight }
    }
}

impl std::ops::Deref for Change {
    type Target = Doing;

    fn deref(&self) -> &Doing {
        &self.doing
    }
}

impl Change {
    /// Whether the call went through.
    pub(crate) fn succeeded(&self) -> bool {
        self.evidence.error_code.is_none()
    }

    /// Which of a call's effects it is.
    fn effect(&self) -> u8 {
        match self.what {
            What::Set(..)
            | What::Version(..)
            | What::Default(_)
            | What::Gone
            | What::Ended
            | What::Omitted
            | What::Unseen => 0,
            What::Revoke(_) | What::RevokeStatement(_) => 1,
            What::Grant(_) => 2,
            What::Attach(_) | What::Detach(_) => 3,
            What::Open(_) => 4,
            What::Switch(_) => 5,
        }
    }

    fn digest(&self) -> Option<Digest> {
        self.what.digest()
    }
}

/// When, by which call, and which of its effects: one call may delete a policy and be grave by itself.
type Moment = (EventTime, u64, u8);

/// The facts of a resource, or of an actor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Remembered {
    changes: BTreeMap<Moment, Change>,
    documents: Documents,
    /// What an actor did; nothing in facts of a resource.
    pub(crate) steps: Steps,
    /// What it was refused and what went through; nothing in facts of a resource.
    pub(crate) tries: Tries,
    /// Where a holder's policies stand; nothing in facts of anything else.
    pub(crate) places: Places,
    /// The hour that grew last. No fact: it follows from the changes.
    #[serde(skip)]
    hour: Option<Hour<Moment>>,
}

/// Facts as they are stored.
#[derive(Deserialize)]
struct Stored {
    changes: BTreeMap<Moment, Change>,
    documents: BTreeMap<Digest, Arc<str>>,
    steps: Steps,
    tries: Tries,
    places: Places,
}

impl From<Stored> for Remembered {
    fn from(Stored { changes, documents, steps, tries, places }: Stored) -> Self {
        let mut facts = Self { steps, tries, places, ..Self::default() };
        for (moment, change) in changes {
            let text = change.digest().and_then(|digest| documents.get(&digest));
            facts.add(moment, change, text);
        }
        facts
    }
}

impl PartialEq for Remembered {
    fn eq(&self, other: &Self) -> bool {
        self.changes == other.changes
            && self.documents == other.documents
            && self.steps == other.steps
            && self.tries == other.tries
            && self.places == other.places
    }
}

impl Remembered {
    /// Adds a change, with the document it refers to. Of two effects of a sort that one call had, the smaller stays, whichever
    /// came first.
    pub(crate) fn insert(&mut self, time: EventTime, call: CallId, change: Change, text: Option<&Arc<str>>) {
        let moment = (time, call.0, change.effect());
        let rank = (Reverse(change.weight), moment);
        let known = self.hour.take().filter(|known| known.hour == time.hour());
        let mut hour = known.unwrap_or_else(|| self.look_at(time.hour()));
        if hour.count >= MAX_AN_HOUR && !self.changes.contains_key(&moment) {
            let Some(last) = hour.last.filter(|last| rank < *last) else {
                self.hour = Some(hour);
                return;
            };
            self.remove(last.1);
            self.add(moment, change, text);
        } else if self.add(moment, change, text) {
            hour.take(rank);
            self.hour = Some(hour);
        }
    }

    fn look_at(&self, hour: i64) -> Hour<Moment> {
        let changes = self.changes.range(of_hour(hour));
        Hour::of(hour, changes.map(|(moment, change)| (Reverse(change.weight), *moment)))
    }

    /// The changes in order, each with its time.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (EventTime, &Change)> {
        self.changes.iter().map(|((time, ..), change)| (*time, change))
    }

    /// The text of a document.
    pub(crate) fn text(&self, digest: Digest) -> Option<&Arc<str>> {
        self.documents.get(digest)
    }

    /// Whether there was none for the moment.
    fn add(&mut self, moment: Moment, change: Change, text: Option<&Arc<str>>) -> bool {
        let digest = change.digest();
        let before = match self.changes.entry(moment) {
            Entry::Occupied(known) if *known.get() <= change => return false,
            Entry::Occupied(mut known) => Some(known.insert(change)),
            Entry::Vacant(slot) => {
                slot.insert(change);
                None
            }
        };
        if let (Some(digest), Some(text)) = (digest, text) {
            self.documents.refer(digest, text);
        }
        self.release(before.as_ref());
        before.is_none()
    }

    fn remove(&mut self, moment: Moment) {
        let gone = self.changes.remove(&moment);
        self.release(gone.as_ref());
    }

    fn release(&mut self, gone: Option<&Change>) {
        if let Some(digest) = gone.and_then(Change::digest) {
            self.documents.release(digest);
        }
        self.hour = None;
    }

    /// Keeps the gravest changes of an hour.
    fn bound(&mut self, hour: i64) {
        let over = self.changes.range(of_hour(hour)).count().saturating_sub(MAX_AN_HOUR);
        if over == 0 {
            return;
        }
        let mut ranked: Vec<_> = self
            .changes
            .range(of_hour(hour))
            .map(|(moment, change)| (change.weight, Reverse(*moment)))
            .collect();
        ranked.sort_unstable();
        for (_, Reverse(moment)) in ranked.into_iter().take(over) {
            self.remove(moment);
        }
    }
}

fn of_hour(hour: i64) -> Range<Moment> {
    (EventTime::of_hour(hour), 0, 0)..(EventTime::of_hour(hour + 1), 0, 0)
}

impl What {
    /// How grave a change is by itself: a function of what was done and the document it refers to, whatever else is known.
    pub(crate) fn graveness(&self, text: Option<&str>) -> Severity {
        let judged = |kind| match text.and_then(|text| Document::parse(text).ok()) {
            Some(document) => {
                let organization = Organization::default();
                let setting = Setting { kind, account: "", organization: &organization };
                analysis::judge(&document, &setting).first().map_or(Severity::Informational, |v| v.severity)
            }
            None => Severity::Medium,
        };
        match self {
            Self::Set(kind, _) | Self::Version(kind, ..) => judged(*kind),
            Self::Grant(_) => judged(Kind::Resource),
            Self::Attach(arn) if calls::is_aws_managed(arn) => {
                calls::managed(arn).0.map_or(Severity::Low, Code::severity)
            }
            Self::Omitted | Self::Gone | Self::Ended => Severity::High,
            // Of those attached or made to count, the text stands in other facts.
            Self::Attach(_) | Self::Default(_) | Self::Detach(_) | Self::Switch(_) | Self::Open(_) => {
                Severity::Medium
            }
            Self::Revoke(_) | Self::RevokeStatement(_) | Self::Unseen => Severity::Informational,
        }
    }

    fn digest(&self) -> Option<Digest> {
        match self {
            Self::Set(_, digest)
            | Self::Version(_, digest, _)
            | Self::Grant(digest)
            | Self::Revoke(digest) => Some(*digest),
            _ => None,
        }
    }
}

impl Join for Remembered {
    fn join(&mut self, other: &Self) {
        let mut hours: Vec<i64> = Vec::new();
        for (moment, change) in &other.changes {
            let text = change.digest().and_then(|digest| other.text(digest));
            self.add(*moment, change.clone(), text);
            if hours.last() != Some(&moment.0.hour()) {
                hours.push(moment.0.hour());
            }
        }
        for hour in hours {
            self.bound(hour);
        }
        self.steps.join(&other.steps);
        self.tries.join(&other.tries);
        self.places.join(&other.places);
    }

    fn covers(&self, other: &Self) -> bool {
        if !other.changes.is_empty() {
            return shows_nothing_new(self, other);
        }
        self.steps.covers(&other.steps)
            && self.tries.covers(&other.tries)
            && self.places.covers(&other.places)
    }
}

impl crate::ledger::Facts for Remembered {
    type Memo = AtHand;
    type Notes = Notes;

    /// What calls did depends on them alone; what was done lately is in the facts.
    fn let_go(memo: &mut Self::Memo) {
        memo.lately.let_go();
    }

    fn close(&mut self, closed: i64) -> bool {
        let steps = &self.steps;
        let tries = self.tries.close(closed, || steps.changed().collect());
        self.steps.close(closed) || tries
    }

    /// What came before the horizon stays as far as it decides the state at the horizon: the newest of each thing done
    /// since the document was last set, and the versions.
    fn forget(&mut self, horizon: EventTime) {
        let kept = self.changes.split_off(&(horizon, 0, 0));
        let old = std::mem::replace(&mut self.changes, kept);
        let mut done: Vec<What> = Vec::new();
        let mut whole = false;
        for (moment, change) in old.into_iter().rev() {
            let is_version = matches!(change.what, What::Version(..));
            if !change.succeeded() || (whole && !is_version) || done.contains(&change.what) {
                self.release(Some(&change));
                continue;
            }
            whole |= matches!(change.what, What::Set(..) | What::Gone | What::Ended);
            done.push(change.what.clone());
            self.changes.insert(moment, change);
        }
        self.hour = None;
        self.steps.forget(horizon);
        self.tries.forget(horizon);
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
