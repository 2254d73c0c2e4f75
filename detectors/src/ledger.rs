//! Where a detector's facts live: one value a key, found without copying the key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::action::stable_hash;
use crate::lattice::Join;
use crate::time::EventTime;

/// Facts of one key.
pub trait Facts:
    Join + Default + Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Folds windows that end at or before the minute `closed` into peaks. Must change no answer of `judge`.
    fn close(&mut self, closed: i64);

    /// Drops what ended before `horizon`. Must change no answer about times from `horizon` plus the forgetting period on.
    fn forget(&mut self, horizon: EventTime);
}

/// What sort of key: a number of the detector's own, stable because facts at rest hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Class(pub u8);

/// Which facts: (class, account, entity). The detector is given by the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What sort of key.
    pub class: Class,
    /// The account the facts are about; empty when they span accounts.
    pub account: Arc<str>,
    /// Actor, function, bucket, API…
    pub entity: Arc<str>,
}

/// A key that borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef<'a> {
    /// What sort of key.
    pub class: Class,
    /// The account.
    pub account: &'a str,
    /// The entity.
    pub entity: &'a str,
}

impl KeyRef<'_> {
    /// A key of its own.
    pub fn to_key(self) -> Key {
        Key { class: self.class, account: self.account.into(), entity: self.entity.into() }
    }

    fn hash(&self) -> u64 {
        stable_hash(self.entity.as_bytes())
            ^ stable_hash(self.account.as_bytes()).rotate_left(17)
            ^ (u64::from(self.class.0) << 56)
    }
}

impl Key {
    /// This key, borrowed.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { class: self.class, account: &self.account, entity: &self.entity }
    }
}

/// Strings that repeat, kept once: objects, addresses, names.
#[derive(Debug, Default, Clone)]
pub struct Strings {
    table: HashTable<Arc<str>>,
}

impl Strings {
    /// Beyond this many, sharing starts afresh: attackers choose some of these strings.
    const MAX: usize = 65_536;

    /// The string, shared with earlier equal ones.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if self.table.len() >= Self::MAX {
            self.table.clear();
        }
        let hash = stable_hash(text.as_bytes());
        Arc::clone(
            self.table
                .entry(hash, |s| **s == *text, |s| stable_hash(s.as_bytes()))
                .or_insert_with(|| text.into())
                .get(),
        )
    }
}

/// The facts of one detector.
#[derive(Debug, Clone)]
pub struct Ledger<F> {
    table: HashTable<(u64, Key, F)>,
    strings: Strings,
}

impl<F> Default for Ledger<F> {
    fn default() -> Self {
        Self { table: HashTable::new(), strings: Strings::default() }
    }
}

impl<F: Facts> Ledger<F> {
    /// The facts of a key, to grow; and the strings to share evidence through.
    pub fn grow(&mut self, key: KeyRef<'_>) -> (&mut F, &mut Strings) {
        let hash = key.hash();
        let Self { table, strings } = self;
        let entry = table
            .entry(hash, |(h, k, _)| *h == hash && k.as_ref() == key, |(h, _, _)| *h)
            .or_insert_with(|| {
                let key =
                    Key { class: key.class, account: strings.share(key.account), entity: key.entity.into() };
                (hash, key, F::default())
            });
        (&mut entry.into_mut().2, strings)
    }

    /// Takes in facts of a key.
    pub fn take(&mut self, key: &Key, facts: F) {
        let (mine, _) = self.grow(key.as_ref());
        if *mine == F::default() {
            *mine = facts;
        } else {
            mine.join(&facts);
        }
    }

    /// The facts of a key, if there are any.
    pub fn get(&self, key: KeyRef<'_>) -> Option<&F> {
        let hash = key.hash();
        self.table.find(hash, |(h, k, _)| *h == hash && k.as_ref() == key).map(|(_, _, f)| f)
    }

    /// All keys with their facts, sorted by key.
    pub fn sorted(&self) -> Vec<(&Key, &F)> {
        let mut all: Vec<_> = self.table.iter().map(|(_, key, facts)| (key, facts)).collect();
        all.sort_unstable_by_key(|(a, _)| *a);
        all
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// No keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes in everything another ledger knows.
    pub fn absorb(&mut self, other: Self) {
        if self.table.is_empty() {
            *self = other;
            return;
        }
        for (hash, key, facts) in other.table {
            match self.table.entry(hash, |(h, k, _)| *h == hash && *k == key, |(h, _, _)| *h) {
                hashbrown::hash_table::Entry::Occupied(mut mine) => mine.get_mut().2.join(&facts),
                hashbrown::hash_table::Entry::Vacant(slot) => {
                    slot.insert((hash, key, facts));
                }
            }
        }
    }

    /// Closes windows of every key.
    pub fn close(&mut self, closed: i64) {
        for (_, _, facts) in &mut self.table {
            facts.close(closed);
        }
    }

    /// Forgets in every key.
    pub fn forget(&mut self, horizon: EventTime) {
        for (_, _, facts) in &mut self.table {
            facts.forget(horizon);
        }
    }

    /// The facts sorted by key: equal for equal facts, however they came together.
    pub fn to_sorted_map(&self) -> BTreeMap<Key, F> {
        self.table.iter().map(|(_, key, facts)| (key.clone(), facts.clone())).collect()
    }
}

/// A list of (key, facts), sorted by key: equal facts give equal bytes.
impl<F: Facts> Serialize for Ledger<F> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sorted())
    }
}

impl<'de, F: Facts> Deserialize<'de> for Ledger<F> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<F>(std::marker::PhantomData<F>);
        impl<'de, F: Facts> serde::de::Visitor<'de> for Entries<F> {
            type Value = Ledger<F>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of keys with their facts")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Ledger<F>, A::Error> {
                let mut ledger = Ledger::default();
                while let Some((key, facts)) = seq.next_element::<(Key, F)>()? {
                    ledger.take(&key, facts);
                }
                Ok(ledger)
            }
        }
        deserializer.deserialize_seq(Entries(std::marker::PhantomData))
    }
}

impl<F: Facts> PartialEq for Ledger<F> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.table.iter().all(|(_, key, facts)| other.get(key.as_ref()) == Some(facts))
    }
}
