//! What stays of the busiest window of an hour.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::facts::{EVIDENCE, PARTIES};
use super::grave::{GraveCall, Weight};
use super::message::Cause;
use crate::few::Few;
use crate::finding::Evidence;
use crate::lattice::{Join, Max, Sample};

/// What stays of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Different actions that only read, and others.
    pub(crate) reads: Max<u64>,
    pub(crate) writes: Max<u64>,
    /// The rest, which is read as the summary's own. Boxed, as it is gone once the hour turns out to be as all others.
    detail: Option<Box<Detail>>,
}

/// What can be told of a window: the sizes of its sets, and some of what is in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    pub(crate) causes: BTreeMap<Cause, Max<u64>>,
    pub(crate) services: Max<u64>,
    pub(crate) console: Max<u64>,
    pub(crate) parties: Max<u64>,
    pub(crate) named: Few<Max<u64>, PARTIES>,
    pub(crate) grave: Few<(), 16>,
    pub(crate) policies: Few<(), 2>,
    pub(crate) regions: Few<(), 2>,
    pub(crate) accounts: Few<(), 4>,
    pub(crate) sample: Sample<EVIDENCE>,
}

impl Deref for Summary {
    type Target = Detail;

    fn deref(&self) -> &Detail {
        static NONE: LazyLock<Detail> = LazyLock::new(Detail::default);
        self.detail.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Summary {
    fn deref_mut(&mut self) -> &mut Detail {
        self.detail.get_or_insert_default()
    }
}

impl Join for Summary {
    fn join(&mut self, other: &Self) {
        self.reads.join(&other.reads);
        self.writes.join(&other.writes);
        match (&mut self.detail, &other.detail) {
            (_, None) => {}
            (Some(mine), Some(theirs)) => mine.join(theirs),
            (none, theirs) => none.clone_from(theirs),
        }
    }
}

impl Join for Detail {
    fn join(&mut self, other: &Self) {
        self.causes.join(&other.causes);
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

/// At rest a summary is one list of fields, whether there is detail or not.
impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { reads, writes, .. } = self;
        let Detail { causes, services, console, parties, named, grave, policies, regions, accounts, sample } =
            &**self;
        let mut fields = serializer.serialize_struct("Summary", 12)?;
        fields.serialize_field("causes", causes)?;
        fields.serialize_field("reads", reads)?;
        fields.serialize_field("writes", writes)?;
        fields.serialize_field("services", services)?;
        fields.serialize_field("console", console)?;
        fields.serialize_field("parties", parties)?;
        fields.serialize_field("named", named)?;
        fields.serialize_field("grave", grave)?;
        fields.serialize_field("policies", policies)?;
        fields.serialize_field("regions", regions)?;
        fields.serialize_field("accounts", accounts)?;
        fields.serialize_field("sample", sample)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Summary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            causes: BTreeMap<Cause, Max<u64>>,
            reads: Max<u64>,
            writes: Max<u64>,
            services: Max<u64>,
            console: Max<u64>,
            parties: Max<u64>,
            named: Few<Max<u64>, PARTIES>,
            grave: Few<(), 16>,
            policies: Few<(), 2>,
            regions: Few<(), 2>,
            accounts: Few<(), 4>,
            sample: Sample<EVIDENCE>,
        }
        let fields = Fields::deserialize(deserializer)?;
        let Fields { reads, writes, causes, services, console, parties, named, .. } = fields;
        let Fields { grave, policies, regions, accounts, sample, .. } = fields;
        let detail =
            Detail { causes, services, console, parties, named, grave, policies, regions, accounts, sample };
        Ok(Self { reads, writes, detail: (detail != Detail::default()).then(|| Box::new(detail)) })
    }
}

impl Summary {
    pub(super) fn new(reads: Max<u64>, writes: Max<u64>, detail: Detail) -> Self {
        Self { reads, writes, detail: Some(Box::new(detail)) }
    }

    /// Leaves how many actions there were.
    pub(super) fn thin_out(&mut self) {
        self.detail = None;
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
    fn what_was_thinned_out_has_its_actions_and_comes_back_from_rest_as_small() {
        let detail = Detail { services: Max(2), ..Detail::default() };
        let whole = Summary::new(Max(3), Max(4), detail);
        let mut thin = whole.clone();
        thin.thin_out();
        assert_eq!((thin.actions(), thin.services.0, whole.services.0), (7, 0, 2));
        for summary in [&whole, &thin, &Summary::default()] {
            let stored = postcard::to_stdvec(summary).unwrap();
            assert_eq!(&postcard::from_bytes::<Summary>(&stored).unwrap(), summary);
        }
        let mut joined = thin.clone();
        joined.join(&whole);
        assert_eq!(joined, whole);
        joined.join(&thin);
        assert_eq!(joined, whole);
    }
}
