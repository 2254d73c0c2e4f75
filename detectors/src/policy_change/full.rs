//! How full an hour is, known without counting again.

use std::cmp::Reverse;

use crate::finding::Severity;

/// What decides who gives way in a full hour: the mildest, and of equally mild ones the last.
pub(crate) type Rank<M> = (Reverse<Severity>, M);

/// An hour of things at moments.
#[derive(Clone, Debug)]
pub(crate) struct Hour<M> {
    /// Which, counted from the epoch.
    pub(crate) hour: i64,
    /// How many things.
    pub(crate) count: usize,
    /// The one to give way to the next.
    pub(crate) last: Option<Rank<M>>,
}

impl<M: Ord> Hour<M> {
    /// An hour with these in it.
    pub(crate) fn of(hour: i64, ranks: impl Iterator<Item = Rank<M>>) -> Self {
        ranks.fold(Self { hour, count: 0, last: None }, |mut hour, rank| {
            hour.take(rank);
            hour
        })
    }

    /// Counts one more.
    pub(crate) fn take(&mut self, rank: Rank<M>) {
        self.count += 1;
        if self.last.as_ref().is_none_or(|last| *last < rank) {
            self.last = Some(rank);
        }
    }
}
