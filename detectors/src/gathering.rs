//! What was seen of some calls: as it is while it is little, summed up once it is much.
//!
//! Most minutes of most keys hold a handful of calls, and nobody ever asks about them. Keeping those as a short list costs
//! one push an event; sets, samples and counts are made of them only when they are asked for, or when they are many.

use std::borrow::Cow;
use std::fmt::Debug;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::lattice::{Join, shows_nothing_new};
use crate::short::Short;

/// Up to this many sightings are kept as they are.
pub const FEW: usize = 32;

/// What many sightings add up to. Adding commutes and is idempotent, and joining is adding all that was added to the other.
pub trait Total: Join + Clone + Default + PartialEq {
    /// What is seen of one call.
    type Sighting: Ord + Clone + Debug;

    /// Adds what was seen of a call. Of copies the smaller counts, whichever came first.
    fn add(&mut self, call: u64, sighting: &Self::Sighting);

    /// Whether two sightings of one call are copies: the same record in two objects.
    fn are_copies(one: &Self::Sighting, other: &Self::Sighting) -> bool {
        one == other
    }
}

/// Sightings of calls: up to [`FEW`] themselves, more as their [`Total`]. The form depends only on the set of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "T: Serialize, T::Sighting: Serialize",
    deserialize = "T: Deserialize<'de>, T::Sighting: Deserialize<'de>"
))]
pub enum Gathering<T: Total> {
    /// Themselves.
    Few(Sightings<T>),
    /// Summed up.
    Many(Box<T>),
}

/// Some sightings, each with its call. They lie as they came, copies among them, and are put in order when somebody asks:
/// compares and is stored as what [`Sightings::in_order`] gives.
#[derive(Clone, Debug)]
pub struct Sightings<T: Total>(Short<(u64, T::Sighting)>);

impl<T: Total> Default for Gathering<T> {
    fn default() -> Self {
        Self::Few(Sightings::default())
    }
}

impl<T: Total> Gathering<T> {
    /// Nothing was seen.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.0.is_empty())
    }

    /// Adds what was seen of a call.
    pub fn insert(&mut self, call: u64, sighting: T::Sighting) {
        let few = match self {
            Self::Few(few) => few,
            Self::Many(total) => return total.add(call, &sighting),
        };
        if few.0.len() < FEW {
            few.0.push((call, sighting));
            return;
        }
        // It is full: what comes again and again must not cost putting it in order each time.
        let is_copy =
            |(known, seen): &&mut (u64, T::Sighting)| *known == call && T::are_copies(seen, &sighting);
        if let Some((_, copy)) = few.0.iter_mut().find(is_copy) {
            if sighting < *copy {
                *copy = sighting;
            }
            return;
        }
        few.0.push((call, sighting));
        few.tidy();
        if few.0.len() > FEW {
            *self = Self::Many(Box::new(total_of(&few.0)));
        }
    }

    /// What the sightings add up to.
    pub fn total(&self) -> Cow<'_, T> {
        match self {
            Self::Few(few) => Cow::Owned(total_of(&few.0)),
            Self::Many(total) => Cow::Borrowed(total),
        }
    }

    /// Adds all that was seen to a total.
    pub fn add_to(&self, sum: &mut T) {
        match self {
            Self::Few(few) => few.0.iter().for_each(|(call, sighting)| sum.add(*call, sighting)),
            Self::Many(total) => sum.join(total),
        }
    }
}

impl<T: Total> Sightings<T> {
    /// Each once, by call; of copies the smallest.
    pub fn in_order(&self) -> Cow<'_, [(u64, T::Sighting)]> {
        if self.is_tidy() {
            return Cow::Borrowed(&self.0);
        }
        let mut tidy = self.clone();
        tidy.tidy();
        Cow::Owned(tidy.0.into_vec())
    }

    /// All that came, in any order: copies are among them.
    pub fn as_they_came(&self) -> &[(u64, T::Sighting)] {
        &self.0
    }

    /// How many different calls there are.
    pub fn calls(&self) -> u64 {
        if self.is_tidy() {
            return self.0.len() as u64;
        }
        let mut calls: Vec<u64> = self.0.iter().map(|(call, _)| *call).collect();
        calls.sort_unstable();
        calls.dedup();
        calls.len() as u64
    }

    /// In order, and of every call one.
    fn is_tidy(&self) -> bool {
        self.0.is_sorted_by(|(one, _), (next, _)| one < next)
    }

    fn tidy(&mut self) {
        let mut all = std::mem::take(&mut self.0).into_vec();
        all.sort_unstable_by(|(one, mine), (other, theirs)| (one, mine).cmp(&(other, theirs)));
        let mut tidy: Vec<(u64, T::Sighting)> = Vec::with_capacity(all.len());
        for (call, sighting) in all {
            let mut same = tidy.iter().rev().take_while(|(known, _)| *known == call);
            if !same.any(|(_, known)| T::are_copies(known, &sighting)) {
                tidy.push((call, sighting));
            }
        }
        self.0 = tidy.into();
    }
}

impl<T: Total> Default for Sightings<T> {
    fn default() -> Self {
        Self(Short::default())
    }
}

impl<T: Total> PartialEq for Sightings<T> {
    fn eq(&self, other: &Self) -> bool {
        self.in_order() == other.in_order()
    }
}

impl<T: Total> Serialize for Sightings<T>
where
    T::Sighting: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.in_order().iter())
    }
}

impl<'de, T: Total> Deserialize<'de> for Sightings<T>
where
    T::Sighting: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Short::deserialize(deserializer).map(Self)
    }
}

fn total_of<T: Total>(few: &[(u64, T::Sighting)]) -> T {
    let mut total = T::default();
    few.iter().for_each(|(call, sighting)| total.add(*call, sighting));
    total
}

impl<T: Total> Join for Gathering<T> {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Few(_), Self::Few(theirs)) => {
                theirs.0.iter().for_each(|(call, sighting)| self.insert(*call, sighting.clone()));
            }
            (Self::Few(mine), Self::Many(theirs)) => {
                let mut total = theirs.clone();
                mine.0.iter().for_each(|(call, sighting)| total.add(*call, sighting));
                *self = Self::Many(total);
            }
            (Self::Many(mine), theirs) => theirs.add_to(mine),
        }
    }

    fn covers(&self, other: &Self) -> bool
    where
        Self: Clone + PartialEq,
    {
        match (self, other) {
            (Self::Few(mine), Self::Few(theirs)) if theirs.0.iter().all(|seen| mine.0.contains(seen)) => true,
            _ => shows_nothing_new(self, other),
        }
    }

    fn absorb(&mut self, other: Self) {
        match other {
            Self::Few(Sightings(Short::One((call, sighting)))) => self.insert(call, sighting),
            Self::Few(Sightings(Short::Several(few))) => {
                few.into_iter().for_each(|(call, sighting)| self.insert(call, sighting));
            }
            many @ Self::Many(_) => self.join(&many),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// Calls and records, each with the first object it stands in.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct First(BTreeMap<(u64, u8), u8>);

    impl Join for First {
        fn join(&mut self, other: &Self) {
            for ((call, record), object) in &other.0 {
                self.add(*call, &(*record, *object));
            }
        }
    }

    impl Total for First {
        type Sighting = (u8, u8);

        fn add(&mut self, call: u64, (record, object): &(u8, u8)) {
            let first = self.0.entry((call, *record)).or_insert(*object);
            *first = (*first).min(*object);
        }

        fn are_copies(one: &(u8, u8), other: &(u8, u8)) -> bool {
            one.0 == other.0
        }
    }

    type Seen = Gathering<First>;

    fn of(stream: &[(u64, (u8, u8))]) -> Seen {
        let mut seen = Seen::default();
        stream.iter().for_each(|(call, sighting)| seen.insert(*call, *sighting));
        seen
    }

    proptest! {
        /// Against a map of all records.
        #[test]
        fn is_what_was_seen_in_any_order_and_split(
            stream in prop::collection::vec((0u64..40, (0u8..3, 0u8..3)), 0..120),
            cut in any::<Index>(),
        ) {
            let mut all = First::default();
            stream.iter().for_each(|(call, sighting)| all.add(*call, sighting));
            let whole = of(&stream);
            prop_assert_eq!(matches!(whole, Seen::Few(_)), all.0.len() <= FEW);
            prop_assert_eq!(&*whole.total(), &all);
            if let Seen::Few(few) = &whole {
                let calls: BTreeSet<u64> = all.0.keys().map(|(call, _)| *call).collect();
                prop_assert_eq!(few.calls(), calls.len() as u64);
            }
            let (one, two) = stream.split_at(cut.index(stream.len() + 1));
            for (first, second) in [(of(one), of(two)), (of(two), of(one))] {
                let mut both = first.clone();
                both.join(&second);
                both.join(&first);
                prop_assert_eq!(&both, &whole);
                prop_assert_eq!(postcard::to_stdvec(&both).unwrap(), postcard::to_stdvec(&whole).unwrap());
                let mut absorbed = first.clone();
                absorbed.absorb(second);
                prop_assert_eq!(&absorbed, &whole);
            }
        }
    }
}
