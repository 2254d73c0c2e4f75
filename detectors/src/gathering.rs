//! What was seen of some calls: as it is while it is little, summed up once it is much.
//!
//! Most minutes of most keys hold a handful of calls, and nobody ever asks about them. Keeping those as a short list costs
//! one insertion an event; sets, samples and counts are made of them only when they are asked for, or when they are many.

use serde::{Deserialize, Serialize};

use crate::lattice::{Join, shows_nothing_new};
use crate::short::Short;

/// Up to this many sightings are kept as they are.
pub const FEW: usize = 32;

/// What many sightings add up to. Adding commutes and is idempotent, and joining is adding all that was added to the other.
pub trait Total: Join + Clone + Default + PartialEq {
    /// What is seen of one call.
    type Sighting: Ord + Clone;

    /// Adds what was seen of a call. Of copies the smaller counts.
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
    /// Each once, in order; of copies the smallest.
    Few(Short<(u64, T::Sighting)>),
    /// Summed up.
    Many(Box<T>),
}

impl<T: Total> Default for Gathering<T> {
    fn default() -> Self {
        Self::Few(Short::default())
    }
}

impl<T: Total> Gathering<T> {
    /// Adds what was seen of a call.
    pub fn insert(&mut self, call: u64, sighting: T::Sighting) {
        let few = match self {
            Self::Few(few) => few,
            Self::Many(total) => return total.add(call, &sighting),
        };
        if few.is_empty() {
            *few = Short::One((call, sighting));
            return;
        }
        let first = few.partition_point(|known| known.0 < call);
        let among = few[first..].iter().take_while(|known| known.0 == call).count();
        let same = &few[first..first + among];
        if let Some(copy) = same.iter().position(|(_, known)| T::are_copies(known, &sighting)) {
            if same[copy].1 <= sighting {
                return;
            }
            few.remove(first + copy);
        }
        let at = first + few[first..].partition_point(|known| (known.0, &known.1) < (call, &sighting));
        few.insert(at, (call, sighting));
        if few.len() > FEW {
            *self = Self::Many(Box::new(total_of(few)));
        }
    }

    /// What the sightings add up to.
    pub fn total(&self) -> std::borrow::Cow<'_, T> {
        match self {
            Self::Few(few) => std::borrow::Cow::Owned(total_of(few)),
            Self::Many(total) => std::borrow::Cow::Borrowed(total),
        }
    }

    /// Adds all that was seen to a total.
    pub fn add_to(&self, sum: &mut T) {
        match self {
            Self::Few(few) => few.iter().for_each(|(call, sighting)| sum.add(*call, sighting)),
            Self::Many(total) => sum.join(total),
        }
    }
}

fn total_of<T: Total>(few: &[(u64, T::Sighting)]) -> T {
    let mut total = T::default();
    few.iter().for_each(|(call, sighting)| total.add(*call, sighting));
    total
}

/// How many different calls there are among sightings in order.
pub fn different_calls<S>(few: &[(u64, S)]) -> u64 {
    let repeats = few.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    (few.len() - repeats) as u64
}

impl<T: Total> Join for Gathering<T> {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Few(_), Self::Few(theirs)) => {
                theirs.iter().for_each(|(call, sighting)| self.insert(*call, sighting.clone()));
            }
            (Self::Few(mine), Self::Many(theirs)) => {
                let mut total = theirs.clone();
                mine.iter().for_each(|(call, sighting)| total.add(*call, sighting));
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
            (Self::Few(mine), Self::Few(theirs)) if theirs.iter().all(|seen| mine.contains(seen)) => true,
            _ => shows_nothing_new(self, other),
        }
    }

    fn absorb(&mut self, other: Self) {
        match other {
            Self::Few(Short::One((call, sighting))) => self.insert(call, sighting),
            Self::Few(Short::Several(few)) => {
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
    #[derive(Clone, Debug, Default, PartialEq)]
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
                prop_assert_eq!(different_calls(few), calls.len() as u64);
            }
            let (one, two) = stream.split_at(cut.index(stream.len() + 1));
            for (first, second) in [(of(one), of(two)), (of(two), of(one))] {
                let mut both = first.clone();
                both.join(&second);
                both.join(&first);
                prop_assert_eq!(&both, &whole);
                let mut absorbed = first.clone();
                absorbed.absorb(second);
                prop_assert_eq!(&absorbed, &whole);
            }
        }
    }
}
