//! Which policies a user, role or group was ever given: facts of policies are found by name, and this remembers the names.

use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::stable_hash;
use crate::detector::Lookup;
use crate::finding::Severity;
use crate::lattice::{Join, Smallest};
use crate::ledger::{Class, KeyRef, Ledger};
use crate::policy_change::analysis::{Kind, Setting};
use crate::policy_change::calls;
use crate::policy_change::document::Document;
use crate::policy_change::extract::{RESOURCE, holder_name};
use crate::policy_change::facts::{Doing, Remembered, What};
use crate::policy_change::notes::{Notes, Policy};
use crate::policy_change::verdict::Code;
use crate::time::EventTime;

/// Facts of who holds policies.
pub(crate) const HOLDER: Class = Class(2);

/// More policies of one holder are not remembered: IAM's quotas allow 20 attached ones, and inline ones of 10 KB together.
const MAX: usize = 64;

/// The entities of the resources that hold its policies.
pub(crate) type Places = Smallest<Place, MAX>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Place(Arc<str>);

/// Of two with one hash the smaller stays.
impl Join for Place {
    fn join(&mut self, other: &Self) {
        if other.0 < self.0 {
            self.0 = Arc::clone(&other.0);
        }
    }
}

/// The user, role or group that gets a policy, as `group/NAME`.
pub(crate) fn holder(doing: &Doing) -> Option<String> {
    let gives = matches!(doing.what, What::Set(Kind::Identity, _) | What::Attach(_));
    (gives && matches!(&*doing.thing, "user" | "role" | "group"))
        .then(|| format!("{}/{}", doing.thing, holder_name(&doing.id)))
}

/// Remembers where a policy of a holder stands.
pub(crate) fn observe(account: &str, holder: &str, entity: &str, ledger: &mut Ledger<Remembered>) {
    let (facts, strings) = ledger.grow(KeyRef { class: HOLDER, account, entity: holder });
    let place = Place(strings.share(entity));
    if let Some(known) = facts.places.grow(stable_hash(entity.as_bytes()), || place.clone()) {
        known.join(&place);
    }
}

/// The policies of a holder over time.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Inline policies, by entity.
    inline: Vec<(Place, Policy)>,
    attached: Vec<Attached>,
}

/// A managed policy, and from when on it was attached or not.
#[derive(Debug)]
struct Attached {
    place: Place,
    arn: Arc<str>,
    turns: Vec<(EventTime, bool)>,
}

impl Attached {
    fn of(place: &Place, facts: &Remembered) -> Option<Self> {
        let done = || facts.changes().filter(|(_, change)| change.succeeded());
        let arn = done().find_map(|(_, change)| match &change.what {
            What::Attach(arn) => Some(Arc::clone(arn)),
            _ => None,
        })?;
        let turns = done().map(|(time, change)| (time, matches!(change.what, What::Attach(_)))).collect();
        Some(Self { place: place.clone(), arn, turns })
    }

    fn at(&self, time: EventTime) -> bool {
        let until = self.turns.partition_point(|(at, _)| *at <= time);
        until.checked_sub(1).is_some_and(|last| self.turns[last].1)
    }
}

impl Held {
    /// The policies of a holder (`group/NAME`), as far as calls that gave it some were seen.
    pub(crate) fn of(others: &dyn Lookup<Remembered>, account: &str, holder: &str, notes: &Notes) -> Self {
        let facts = |class, entity| others.facts(KeyRef { class, account, entity });
        let mut held = Self::default();
        let places = facts(HOLDER, holder).into_iter().flat_map(|facts| facts.places.values());
        for place in places {
            let Some(resource) = facts(RESOURCE, &place.0) else { continue };
            match Attached::of(place, resource) {
                Some(attached) => held.attached.push(attached),
                None => held.inline.push((place.clone(), Policy::of(resource, notes))),
            }
        }
        held
    }

    /// The documents that are known to have counted at a time, but for that of one place.
    pub(crate) fn documents_beside(
        &self,
        entity: &str,
        time: EventTime,
        account: &str,
        (others, notes): (&dyn Lookup<Remembered>, &Notes),
    ) -> Vec<Rc<Document>> {
        let inline = self.inline.iter().filter(|(place, _)| *place.0 != *entity);
        let inline = inline.filter_map(|(_, policy)| policy.at(time, notes));
        let attached =
            self.attached.iter().filter(|attached| *attached.place.0 != *entity && attached.at(time));
        let attached =
            attached.filter_map(|attached| notes.policy(others, account, &attached.arn).at(time, notes));
        inline.chain(attached).collect()
    }

    /// The inline ones.
    pub(crate) fn inline(&self) -> impl Iterator<Item = &Policy> {
        self.inline.iter().map(|(_, policy)| policy)
    }

    /// The gravest verdict on any of them as they stood at a time; nothing where no text is known.
    pub(crate) fn weight_at(
        &self,
        time: EventTime,
        setting: &Setting<'_>,
        (others, notes): (&dyn Lookup<Remembered>, &Notes),
    ) -> Option<Severity> {
        let inline = self.inline.iter().filter_map(|(_, policy)| policy.weight_at(time, setting, notes));
        let attached = self.attached.iter().filter(|attached| attached.at(time)).filter_map(
            |Attached { arn, .. }| {
                if calls::is_aws_managed(arn) {
                    return calls::managed(arn).0.map(Code::severity);
                }
                notes.policy(others, setting.account, arn).weight_at(time, setting, notes)
            },
        );
        inline.chain(attached).max()
    }
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
