//! Where a detector's facts live: one value a key, found without copying the key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hashbrown::{HashTable, hash_table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::action::stable_hash;
use crate::lattice::Join;
use crate::time::EventTime;

pub use crate::strings::Strings;

/// Facts of one key.
pub trait Facts:
    Join + Default + Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What observing keeps at hand to be quick: no fact, never stored, joined or compared. It goes when facts do.
    type Memo: Default + fmt::Debug + Send + Sync;

    /// What judging keeps at hand from key to key to be quick: changes no answer, and goes when judging is done.
    type Notes: Default + fmt::Debug;

    /// The facts the memo was filled beside are gone. What it says of facts must go, too; it may keep what it says of events
    /// alone, to be quick with the next.
    fn let_go(memo: &mut Self::Memo) {
        *memo = Self::Memo::default();
    }

    /// Folds windows that end at or before the minute `closed` into peaks. Must change no answer of `judge`. Whether
    /// something is still open: if not, closing again changes nothing until the facts grow.
    fn close(&mut self, closed: i64) -> bool;

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

    /// [`Key::digest`].
    pub fn digest(self) -> u64 {
        self.hash_with(stable_hash(self.entity.as_bytes()))
    }

    /// The same where the [`stable_hash`] of the entity is known.
    fn hash_with(&self, entity: u64) -> u64 {
        entity ^ stable_hash(self.account.as_bytes()).rotate_left(17) ^ (u64::from(self.class.0) << 56)
    }
}

impl Key {
    /// A hash that depends on the key alone: the same in every process.
    pub fn digest(&self) -> u64 {
        self.as_ref().digest()
    }

    /// This key, borrowed.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { class: self.class, account: &self.account, entity: &self.entity }
    }
}

/// One of so many equal shares of the keys in a part of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which part.
    pub part: usize,
    /// Which share of it, from 0.
    pub nth: usize,
    /// How many shares it is split into.
    pub of: usize,
}

impl Share {
    /// All of a part.
    pub fn whole(part: usize) -> Self {
        Self { part, nth: 0, of: 1 }
    }
}

/// The facts of one detector, in one part or several: a key belongs to one of them by its hash, so that threads that
/// have learnt of the same keys can each join a part.
#[derive(Debug)]
pub struct Ledger<F: Facts> {
    /// One at least.
    parts: Vec<Part<F>>,
    strings: Strings,
    memo: F::Memo,
}

#[derive(Debug, Clone)]
struct Part<F> {
    table: HashTable<Entry<F>>,
    /// Hashes of the keys that may have something to close: each that grew since closing left nothing open.
    open: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Entry<F> {
    hash: u64,
    key: Key,
    facts: F,
    /// Its hash is among the open ones.
    is_open: bool,
}

impl<F> Entry<F> {
    /// There may be something to close.
    #[inline]
    fn mark(&mut self, open: &mut Vec<u64>) {
        if !self.is_open {
            self.is_open = true;
            open.push(self.hash);
        }
    }
}

impl<F> Default for Part<F> {
    fn default() -> Self {
        Self { table: HashTable::new(), open: Vec::new() }
    }
}

impl<F: Facts> Part<F> {
    /// Room for as many keys as there are.
    fn emptied(&self) -> Self {
        Self { table: HashTable::with_capacity(self.table.len()), open: Vec::with_capacity(self.open.len()) }
    }

    /// The facts of a key, made if need be, to grow.
    fn grow(&mut self, key: KeyRef<'_>, hash: u64, new: impl FnOnce() -> Key) -> &mut F {
        let Self { table, open } = self;
        let is_key = |e: &Entry<F>| e.hash == hash && e.key.as_ref() == key;
        let entry = match table.find_entry(hash, is_key) {
            Ok(known) => known.into_mut(),
            Err(absent) => {
                let entry = Entry { hash, key: new(), facts: F::default(), is_open: false };
                absent.into_table().insert_unique(hash, entry, |e| e.hash).into_mut()
            }
        };
        entry.mark(open);
        &mut entry.facts
    }

    fn join(&mut self, theirs: Entry<F>) {
        let Self { table, open } = self;
        let is_key = |e: &Entry<F>| e.hash == theirs.hash && e.key == theirs.key;
        match table.entry(theirs.hash, is_key, |e| e.hash) {
            hash_table::Entry::Occupied(mut mine) => {
                let mine = mine.get_mut();
                mine.facts.absorb(theirs.facts);
                mine.mark(open);
            }
            hash_table::Entry::Vacant(slot) => {
                slot.insert(Entry { is_open: false, ..theirs }).get_mut().mark(open);
            }
        }
    }

    fn close(&mut self, closed: i64) {
        let Self { table, open } = self;
        open.retain(|hash| {
            let mut is_open = false;
            for entry in table.iter_hash_mut(*hash).filter(|e| e.hash == *hash && e.is_open) {
                entry.is_open = entry.facts.close(closed);
                is_open |= entry.is_open;
            }
            is_open
        });
    }
}

impl<F: Facts> Default for Ledger<F> {
    fn default() -> Self {
        Self::of_parts(vec![Part::default()])
    }
}

/// A copy has the facts, and begins to remember for itself.
impl<F: Facts> Clone for Ledger<F> {
    fn clone(&self) -> Self {
        Self { strings: self.strings.clone(), ..Self::of_parts(self.parts.clone()) }
    }
}

impl<F: Facts> Ledger<F> {
    /// An empty ledger in so many parts; at least one.
    pub fn in_parts(count: usize) -> Self {
        Self::of_parts((0..count.max(1)).map(|_| Part::default()).collect())
    }

    /// Takes a part out, as a ledger of one part, and leaves it empty. For facts that will be joined again, whoever holds
    /// them until then: the ledger goes by what it remembers of them, and need not learn it twice.
    pub fn take_part(&mut self, part: usize) -> Self {
        let emptied = self.parts[part].emptied();
        Self::of_parts(vec![std::mem::replace(&mut self.parts[part], emptied)])
    }

    /// Takes all facts out, as a ledger of as many parts, and leaves it empty: with strings to share, and with what it
    /// remembers of events, not of the facts. Growing it from here on gives what growing a new one would.
    pub fn take_out(&mut self) -> Self {
        F::let_go(&mut self.memo);
        let emptied = self.parts.iter().map(Part::emptied).collect();
        let mut taken = Self::of_parts(std::mem::replace(&mut self.parts, emptied));
        for Part { table, open } in &mut taken.parts {
            table.iter_mut().for_each(|entry| entry.mark(open));
        }
        taken
    }

    /// Tells which keys grew since this was asked last, by their [`Key::digest`]. [`Ledger::close`] passes them over until
    /// they grow again, or are taken out.
    pub fn grown(&mut self, mut tell: impl FnMut(u64)) {
        for Part { table, open } in &mut self.parts {
            for hash in open.drain(..) {
                table.iter_hash_mut(hash).filter(|e| e.hash == hash).for_each(|entry| entry.is_open = false);
                tell(hash);
            }
        }
    }

    fn of_parts(parts: Vec<Part<F>>) -> Self {
        Self { parts, strings: Strings::default(), memo: F::Memo::default() }
    }

    /// The facts of a key, to grow; and the strings to share evidence through.
    pub fn grow(&mut self, key: KeyRef<'_>) -> (&mut F, &mut Strings) {
        let (facts, strings, _) = self.grow_recalling(key);
        (facts, strings)
    }

    /// The same, with what observing keeps at hand.
    pub fn grow_recalling(&mut self, key: KeyRef<'_>) -> (&mut F, &mut Strings, &mut F::Memo) {
        self.grow_hashed(key, stable_hash(key.entity.as_bytes()))
    }

    /// The same where the [`stable_hash`] of the key's entity is known.
    pub fn grow_hashed(&mut self, key: KeyRef<'_>, entity: u64) -> (&mut F, &mut Strings, &mut F::Memo) {
        let hash = key.hash_with(entity);
        debug_assert_eq!(hash, key.digest(), "the hash of another entity");
        let Self { parts, strings, memo } = self;
        let part = part_of(hash, parts.len());
        let facts = parts[part].grow(key, hash, || Key {
            class: key.class,
            account: strings.share(key.account),
            entity: key.entity.into(),
        });
        (facts, strings, memo)
    }

    /// What observing keeps at hand.
    pub fn memo(&mut self) -> &mut F::Memo {
        &mut self.memo
    }

    /// Takes in facts of a key.
    pub fn take(&mut self, key: &Key, facts: F) {
        let hash = key.digest();
        self.part_mut(hash).join(Entry { hash, key: key.clone(), facts, is_open: false });
    }

    /// The facts of a key, if there are any.
    pub fn get(&self, key: KeyRef<'_>) -> Option<&F> {
        self.get_by(key.digest(), key)
    }

    /// The same where the [`Key::digest`] is known.
    pub fn get_by(&self, hash: u64, key: KeyRef<'_>) -> Option<&F> {
        let part = &self.parts[part_of(hash, self.parts.len())];
        part.table.find(hash, |e| e.hash == hash && e.key.as_ref() == key).map(|e| &e.facts)
    }

    /// All keys with their facts, sorted by key.
    pub fn sorted(&self) -> Vec<(&Key, &F)> {
        let mut all: Vec<_> = self.entries().map(|e| (&e.key, &e.facts)).collect();
        all.sort_unstable_by_key(|(a, _)| *a);
        all
    }

    /// All keys, each with its [`Key::digest`], in no order.
    pub fn keys(&self) -> impl Iterator<Item = (u64, &Key)> {
        self.entries().map(|e| (e.hash, &e.key))
    }

    /// In how many parts the keys lie.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The keys of a share with their facts, in no order; none where there is no such part.
    pub fn share(&self, Share { part, nth, of }: Share) -> impl Iterator<Item = (&Key, &F)> {
        // Other bits of the hash than parts and tables go by.
        let is_shared = move |e: &&Entry<F>| (e.hash >> 24) as usize % of.max(1) == nth;
        let entries = self.parts.get(part).into_iter().flat_map(|part| &part.table);
        entries.filter(is_shared).map(|e| (&e.key, &e.facts))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.table.len()).sum()
    }

    /// No keys.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.table.is_empty())
    }

    /// Takes in everything another ledger knows.
    pub fn absorb(&mut self, other: Self) {
        let alike = self.parts.len() == other.parts.len();
        for (i, part) in other.parts.into_iter().enumerate() {
            if alike && self.parts[i].table.is_empty() {
                self.parts[i] = part;
            } else {
                part.table.into_iter().for_each(|entry| self.part_mut(entry.hash).join(entry));
            }
        }
    }

    /// Closes windows of every key that has grown since it was closed last.
    pub fn close(&mut self, closed: i64) {
        self.parts.iter_mut().for_each(|part| part.close(closed));
    }

    /// Forgets in every key.
    pub fn forget(&mut self, horizon: EventTime) {
        self.memo = F::Memo::default();
        for entry in self.parts.iter_mut().flat_map(|part| &mut part.table) {
            entry.facts.forget(horizon);
        }
    }

    /// The facts sorted by key: equal for equal facts, however they came together.
    pub fn to_sorted_map(&self) -> BTreeMap<Key, F> {
        self.entries().map(|e| (e.key.clone(), e.facts.clone())).collect()
    }

    fn part_mut(&mut self, hash: u64) -> &mut Part<F> {
        let part = part_of(hash, self.parts.len());
        &mut self.parts[part]
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<F>> {
        self.parts.iter().flat_map(|part| &part.table)
    }
}

/// By bits in the middle of the hash: tables go by those at its ends.
#[inline]
fn part_of(hash: u64, parts: usize) -> usize {
    ((u64::from((hash >> 24) as u32) * parts as u64) >> 32) as usize
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
        self.len() == other.len() && self.entries().all(|e| other.get(e.key.as_ref()) == Some(&e.facts))
    }
}
