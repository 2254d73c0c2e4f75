//! How much work judging one document may take.
//!
//! Policies come from whoever writes them. Some questions about a document compare everything with everything, so a
//! document within all limits of length could take minutes. What is asked of it is counted here, in steps and not in time, so
//! that the same document always gets the same verdicts.

use std::cell::Cell;

use crate::policy_change::wildcard::{self, Case};

/// Steps for one document, or the comparison of two; a step compares a byte or so. A policy of 128 KB, longer than any service
/// accepts, with a stranger let in by each of its statements takes about half.
pub(crate) const MAX_STEPS: usize = 500_000;

/// Steps left. Once they are used up every question is answered with no, and the document is said to be judged in part.
#[derive(Debug)]
pub(crate) struct Work {
    left: Cell<usize>,
    used_up: Cell<bool>,
}

impl Default for Work {
    fn default() -> Self {
        Self { left: Cell::new(MAX_STEPS), used_up: Cell::new(false) }
    }
}

impl Work {
    /// Takes steps; false when there are not so many left.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        match self.left.get().checked_sub(steps) {
            Some(left) if !self.used_up.get() => {
                self.left.set(left);
                true
            }
            _ => {
                self.used_up.set(true);
                false
            }
        }
    }

    /// Whether something was not looked at.
    pub(crate) fn is_used_up(&self) -> bool {
        self.used_up.get()
    }

    /// Steps taken so far.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        MAX_STEPS - self.left.get()
    }

    /// Whether a pattern stands for a text, as [`wildcard::matches`].
    pub(crate) fn matches(&self, pattern: &str, text: &str, case: Case) -> bool {
        if self.used_up.get() {
            return false;
        }
        // Some for what is around the search.
        const AROUND: usize = 12;
        let (found, steps) = wildcard::search(pattern, text, case, self.left.get());
        self.spend(steps + AROUND) && found == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_beyond_the_budget_are_answered_with_no() {
        let work = Work::default();
        assert!(work.matches("a*", "abc", Case::Counts));
        assert!(work.taken() > 0 && work.taken() < 30);
        let (pattern, text) = (format!("*{}b", "a".repeat(1_000)), "a".repeat(2_000));
        for _ in 0..3 {
            assert!(!work.matches(&pattern, &text, Case::Counts));
        }
        assert!(work.is_used_up());
        assert!(!work.matches("a*", "abc", Case::Counts));
        assert!(work.taken() <= MAX_STEPS);
    }
}
