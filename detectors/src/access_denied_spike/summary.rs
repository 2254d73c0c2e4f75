//! What stays of the busiest window of an hour.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::facts::{EVIDENCE, PARTIES};
use super::grave::{GraveCall, Weight};
use super::message::Cause;
use crate::few::Few;
use crate::finding::Evidence;
use crate::lattice::{Join, Max, Sample};

/// What stays of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Read as the summary's own. Gone once the hour turned out to be as all others.
    detail: Option<Box<Detail<Max<u64>>>>,
}

/// What can be told of refusals: sets of them, or the sizes of the sets, and some of what is in them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detail<S> {
    /// Calls by cause.
    pub(crate) causes: BTreeMap<Cause, S>,
    /// Actions that only read, and the others.
    pub(crate) reads: S,
    pub(crate) writes: S,
    pub(crate) services: S,
    /// Calls from a console session.
    pub(crate) console: S,
    /// The other sides. How many, and the calls of some by name.
    pub(crate) parties: S,
    pub(crate) named: Few<S, PARTIES>,
    pub(crate) grave: Few<(), 16>,
    pub(crate) policies: Few<(), 2>,
    pub(crate) regions: Few<(), 2>,
    pub(crate) accounts: Few<(), 4>,
    pub(crate) sample: Sample<EVIDENCE>,
}

impl From<Detail<Max<u64>>> for Summary {
    fn from(detail: Detail<Max<u64>>) -> Self {
        Self { detail: Some(Box::new(detail)) }
    }
}

impl Deref for Summary {
    type Target = Detail<Max<u64>>;

    fn deref(&self) -> &Self::Target {
        static NONE: LazyLock<Detail<Max<u64>>> = LazyLock::new(Detail::default);
        self.detail.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Summary {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.detail.get_or_insert_default()
    }
}

impl Join for Summary {
    fn join(&mut self, other: &Self) {
        match (&mut self.detail, &other.detail) {
            (_, None) => {}
            (Some(mine), Some(theirs)) => mine.join(theirs),
            (none, theirs) => none.clone_from(theirs),
        }
    }
}

impl<S: Join + Clone + PartialEq> Join for Detail<S> {
    fn join(&mut self, other: &Self) {
        self.causes.join(&other.causes);
        self.reads.join(&other.reads);
        self.writes.join(&other.writes);
        self.services.join(&other.services);
        self.console.join(&other.console);
        self.parties.join(&other.parties);
        self.named.join(&other.named);
        self.grave.join(&other.grave);
        self.policies.join(&other.policies);
        self.regions.join(&other.regions);
        self.accounts.join(&other.accounts);
        self.sample.join(&other.sample);
    }
}

impl<S> Detail<S> {
    /// The same of the sizes of its sets.
    pub(super) fn sized<N>(self, size: impl Fn(&S) -> N) -> Detail<N> {
        Detail {
            causes: self.causes.iter().map(|(cause, calls)| (*cause, size(calls))).collect(),
            reads: size(&self.reads),
            writes: size(&self.writes),
            services: size(&self.services),
            console: size(&self.console),
            parties: size(&self.parties),
            named: self.named.map(&size),
            grave: self.grave.map(|()| ()),
            policies: self.policies.map(|()| ()),
            regions: self.regions.map(|()| ()),
            accounts: self.accounts.map(|()| ()),
            sample: self.sample,
        }
    }
}

impl Summary {
    /// Leaves nothing to be told.
    pub(super) fn thin_out(&mut self) {
        self.detail = None;
    }

    /// Whether nothing is left to be told.
    pub(super) fn is_thin(&self) -> bool {
        self.detail.is_none()
    }

    /// How many different actions.
    pub(crate) fn actions(&self) -> u64 {
        self.reads.0 + self.writes.0
    }

    /// The most frequent cause, with its share of the calls.
    pub(crate) fn main_cause(&self) -> (Cause, f64) {
        let total: u64 = self.causes.values().map(|calls| calls.0).sum();
        let main = self.causes.iter().max_by_key(|(cause, calls)| (calls.0, std::cmp::Reverse(**cause)));
        main.map_or((Cause::Unstated, 0.0), |(cause, calls)| (*cause, calls.0 as f64 / total.max(1) as f64))
    }

    /// The grave calls among them, in order of their labels.
    pub(crate) fn grave_calls(&self) -> impl Iterator<Item = (&str, GraveCall)> {
        let mut calls: Vec<_> =
            self.grave.iter().filter_map(|(label, ())| Some((&**label, GraveCall::of(label)?))).collect();
        calls.sort_unstable_by_key(|(label, _)| *label);
        calls.into_iter()
    }

    /// The weight of the heaviest grave call.
    pub(crate) fn worst(&self) -> Option<Weight> {
        self.grave_calls().map(|(_, call)| call.weight).max()
    }

    /// The evidence, as findings hold it.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        self.sample.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_thinned_out_is_thin_until_it_is_learnt_again() {
        let whole = Summary::from(Detail { reads: Max(3), writes: Max(4), ..Detail::default() });
        let mut thin = whole.clone();
        thin.thin_out();
        assert_eq!((whole.is_thin(), whole.actions(), thin.is_thin(), thin.actions()), (false, 7, true, 0));
        let mut joined = thin.clone();
        joined.join(&whole);
        assert_eq!(joined, whole);
        joined.join(&thin);
        assert_eq!(joined, whole);
    }
}
