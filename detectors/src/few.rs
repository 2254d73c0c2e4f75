//! A bounded choice among names that may be without number, because attackers can make them up.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::action::stable_hash;
use crate::lattice::Join;
use crate::ledger::Strings;

/// Up to `K` names, each with a value: those whose hashes are the smallest. A fair sample that depends only on the set of
/// names, never on the order they were seen in; and what is kept of a name is complete, because a name that had to go
/// can't come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<V, const K: usize> {
    /// By hash. A list, as there are few: a tree would make room for eleven where there is one.
    kept: Vec<(u64, Name<V>)>,
}

/// A name and its value.
type Name<V> = (Arc<str>, V);

impl<V, const K: usize> Default for Few<V, K> {
    fn default() -> Self {
        Self { kept: Vec::new() }
    }
}

impl<V: Join + Default, const K: usize> Few<V, K> {
    /// The value of a name, to grow; nothing when `K` names come before it.
    pub fn grow(&mut self, name: &str, strings: &mut Strings) -> Option<&mut V> {
        self.grow_with(name, || strings.share(name))
    }

    /// The same for a name that is shared already.
    pub fn grow_shared(&mut self, name: &Arc<str>) -> Option<&mut V> {
        self.grow_with(name, || Arc::clone(name))
    }

    fn grow_with(&mut self, name: &str, mut share: impl FnMut() -> Arc<str>) -> Option<&mut V> {
        let hash = stable_hash(name.as_bytes());
        let at = match self.find(hash) {
            Ok(at) => {
                let known = &mut self.kept[at].1.0;
                if name < &**known {
                    *known = share();
                }
                at
            }
            Err(at) if at < K => {
                self.kept.truncate(K - 1);
                self.kept.insert(at, (hash, (share(), V::default())));
                at
            }
            Err(_) => return None,
        };
        Some(&mut self.kept[at].1.1)
    }
}

impl<V, const K: usize> Few<V, K> {
    fn find(&self, hash: u64) -> Result<usize, usize> {
        self.kept.binary_search_by_key(&hash, |(known, _)| *known)
    }

    /// The kept names with their values, in an order of no meaning.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.kept.iter().map(|(_, (name, value))| (name, value))
    }

    /// The value of a name, if it was kept.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(stable_hash(name.as_bytes())).ok().map(|at| &self.kept[at].1.1)
    }

    /// How many names are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// No name was seen.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The name, when there is exactly one.
    pub fn only(&self) -> Option<&Arc<str>> {
        let mut names = self.iter();
        names.next().filter(|_| K > 1 && self.len() == 1).map(|(name, _)| name)
    }

    /// The same names with other values, in no more memory than they need.
    pub fn map<W>(&self, value: impl Fn(&V) -> W) -> Few<W, K> {
        let kept = self.kept.iter().map(|(hash, (name, v))| (*hash, (Arc::clone(name), value(v))));
        Few { kept: kept.collect() }
    }
}

impl<V: Join + Clone, const K: usize> Join for Few<V, K> {
    fn join(&mut self, other: &Self) {
        for (hash, (name, value)) in &other.kept {
            match self.find(*hash) {
                Ok(at) => {
                    let (known, mine) = &mut self.kept[at].1;
                    // Two names with one hash count as one name, the smaller.
                    if name < known {
                        *known = Arc::clone(name);
                    }
                    mine.join(value);
                }
                Err(at) => self.kept.insert(at, (*hash, (Arc::clone(name), value.clone()))),
            }
        }
        self.kept.truncate(K);
    }
}

/// A map by hash.
impl<V: Serialize, const K: usize> Serialize for Few<V, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.kept.iter().map(|(hash, name)| (hash, name)))
    }
}

impl<'de, V: Deserialize<'de>, const K: usize> Deserialize<'de> for Few<V, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept: BTreeMap<u64, Name<V>> = BTreeMap::deserialize(deserializer)?;
        Ok(Self { kept: kept.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lattice::Max;

    fn of(names: &[(u8, u64)]) -> Few<Max<u64>, 3> {
        let mut few: Few<Max<u64>, 3> = Few::default();
        for (name, value) in names {
            if let Some(kept) = few.grow(&name.to_string(), &mut Strings::default()) {
                kept.join(&Max(*value));
            }
        }
        few
    }

    proptest! {
        /// Against sorting all names by hash and taking the first.
        #[test]
        fn equals_the_slow_way_in_any_order_and_split(
            names in proptest::collection::vec((0u8..12, 0u64..100), 0..40),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut all: BTreeMap<u64, (String, u64)> = BTreeMap::new();
            for (name, value) in &names {
                let name = name.to_string();
                let kept = all.entry(stable_hash(name.as_bytes())).or_insert((name, 0));
                kept.1 = kept.1.max(*value);
            }
            let expected: Vec<_> = all.into_values().take(3).collect();
            let whole = of(&names);
            let found: Vec<_> = whole.iter().map(|(name, value)| (name.to_string(), value.0)).collect();
            prop_assert_eq!(found, expected);

            let (one, two) = names.split_at(cut.index(names.len() + 1));
            let mut backwards = of(two);
            backwards.join(&of(one));
            backwards.join(&of(one));
            prop_assert_eq!(&backwards, &whole);

            // At rest it is the map it stands for.
            let map: BTreeMap<u64, _> = whole.kept.iter().cloned().collect();
            let stored = postcard::to_stdvec(&whole).unwrap();
            prop_assert_eq!(&stored, &postcard::to_stdvec(&map).unwrap());
            prop_assert_eq!(postcard::from_bytes::<Few<Max<u64>, 3>>(&stored).unwrap(), whole);
        }
    }
}
