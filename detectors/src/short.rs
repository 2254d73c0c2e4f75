//! A short list: one item takes no memory of its own.

use std::ops::{Deref, DerefMut};

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

    /// Puts an item at the end.
    pub fn push(&mut self, item: T) {
        match self {
            Self::Several(items) if items.is_empty() => *self = Self::One(item),
            Self::Several(items) => items.push(item),
            Self::One(_) => {
                let Self::One(first) = std::mem::take(self) else { return };
                let mut items = Vec::with_capacity(Self::ROOM);
                items.push(first);
                items.push(item);
                *self = Self::Several(items);
            }
        }
    }

    /// The items, as a list of the ordinary kind.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(item) => vec![item],
            Self::Several(items) => items,
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

impl<T> DerefMut for Short<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(item) => std::slice::from_mut(item),
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

    use super::*;

    proptest! {
        /// Against a list of the ordinary kind.
        #[test]
        fn is_a_list(items in prop::collection::vec(any::<u8>(), 0..12)) {
            let (mut short, mut list) = (Short::default(), Vec::new());
            for item in items {
                list.push(item);
                short.push(item);
                prop_assert_eq!(&*short, &*list);
                prop_assert_eq!(&short, &Short::from(list.clone()));
                let stored = postcard::to_stdvec(&short).unwrap();
                prop_assert_eq!(&stored, &postcard::to_stdvec(&list).unwrap());
                prop_assert_eq!(&postcard::from_bytes::<Short<u8>>(&stored).unwrap(), &short);
                prop_assert_eq!(short.clone().into_vec(), list.clone());
            }
        }
    }
}
