//! A short list: one item takes no memory of its own.

use std::ops::Deref;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A list that mostly holds one item. Compares and is stored as the slice it stands for.
#[derive(Clone, Debug)]
pub enum Short<T> {
    /// One item, in place.
    One(T),
    /// None, or any number.
    Several(Vec<T>),
}

impl<T> Short<T> {
    /// Room for this many once there are two.
    const ROOM: usize = 4;

    /// Puts an item in front of the one at a place.
    pub fn insert(&mut self, at: usize, item: T) {
        match self {
            Self::Several(items) if items.is_empty() => *self = Self::One(item),
            Self::Several(items) => items.insert(at, item),
            Self::One(_) => {
                let Self::One(first) = std::mem::take(self) else { return };
                let mut items = Vec::with_capacity(Self::ROOM);
                items.push(first);
                items.insert(at, item);
                *self = Self::Several(items);
            }
        }
    }

    /// Takes out the item at a place.
    pub fn remove(&mut self, at: usize) {
        match self {
            Self::One(_) => *self = Self::default(),
            Self::Several(items) => drop(items.remove(at)),
        }
    }
}

impl<T> Default for Short<T> {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl<T> Deref for Short<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Several(items) => items,
        }
    }
}

impl<T: PartialEq> PartialEq for Short<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> From<Vec<T>> for Short<T> {
    fn from(mut items: Vec<T>) -> Self {
        match (items.pop(), items.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => {
                items.extend(last);
                Self::Several(items)
            }
        }
    }
}

impl<T: Serialize> Serialize for Short<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    proptest! {
        /// Against a list of the ordinary kind.
        #[test]
        fn is_a_list(steps in prop::collection::vec((any::<Index>(), any::<Option<u8>>()), 0..12)) {
            let (mut short, mut list) = (Short::default(), Vec::new());
            for (at, step) in steps {
                match step {
                    Some(item) => {
                        let at = at.index(list.len() + 1);
                        list.insert(at, item);
                        short.insert(at, item);
                    }
                    None if list.is_empty() => {}
                    None => {
                        let at = at.index(list.len());
                        list.remove(at);
                        short.remove(at);
                    }
                }
                prop_assert_eq!(&*short, &*list);
                prop_assert_eq!(&short, &Short::from(list.clone()));
                let stored = postcard::to_stdvec(&short).unwrap();
                prop_assert_eq!(&stored, &postcard::to_stdvec(&list).unwrap());
                prop_assert_eq!(&postcard::from_bytes::<Short<u8>>(&stored).unwrap(), &short);
            }
        }
    }
}
