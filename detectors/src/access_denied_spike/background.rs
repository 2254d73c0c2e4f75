//! What is usual for a key: its own past, that of others like it, and how long anything was watched at all.

use super::facts::Remembered;
use super::observe::{ACCOUNT, SIBLINGS};
use crate::actor::role_family;
use crate::baseline::{Candidate, Expectation, Past, Usual};
use crate::days::Days;
use crate::detector::Around;
use crate::environment::Learning;
use crate::ledger::{Key, KeyRef};
use crate::time::EventTime;

/// The past of a key and of those like it.
pub(crate) struct Background<'a> {
    learning: &'a Learning,
    own: Days,
    siblings: Days,
    neighbours: Days,
    /// The most different actions in a window, by day.
    breadth: Days,
    /// The first day with refusals in the account: watching began then at the latest.
    first_day: Option<i64>,
}

impl<'a> Background<'a> {
    /// Of a key.
    pub(crate) fn of(key: &Key, facts: &Remembered, around: &Around<'a, Remembered>) -> Self {
        let others = around.others;
        let account = others.facts(KeyRef { class: ACCOUNT, account: &key.account, entity: "" });
        let siblings = role_family(&key.entity)
            .and_then(|entity| others.facts(KeyRef { class: SIBLINGS, account: "", entity }));
        Self {
            learning: &around.environment.learning,
            own: facts.windows.days(),
            siblings: siblings.map(|f| f.siblings.days()).unwrap_or_default(),
            neighbours: account.map(|f| f.neighbours.days()).unwrap_or_default(),
            breadth: facts.breadth.days(),
            first_day: account.and_then(|f| f.windows.days().busiest.keys().next().copied()),
        }
    }

    /// What to expect of a window that starts at `start`.
    pub(crate) fn expect(&self, start: EventTime) -> Option<Expectation<'_>> {
        let candidate = |whose, days| Candidate { whose, days, since: None };
        self.past(start).expect(&[
            candidate("its own", &self.own),
            candidate("others of its name", &self.siblings),
            candidate("others in its account", &self.neighbours),
        ])
    }

    /// The same by the key's own past alone; nothing without one.
    pub(crate) fn own(&self, start: EventTime) -> Option<Expectation<'_>> {
        self.past(start).expect(&[Candidate { whose: "its own", days: &self.own, since: None }])
    }

    /// How many different actions to expect of the broadest window of a day.
    pub(crate) fn breadth(&self, start: EventTime) -> Option<Expectation<'_>> {
        self.past(start).expect(&[Candidate { whose: "its own", days: &self.breadth, since: None }])
    }

    fn past(&self, start: EventTime) -> Past {
        Past::before(start, self.learning, Usual::OnTwoDays)
    }

    /// The days without any refusal of this key before `start`, as far as the account was watched; nothing when there were
    /// some.
    pub(crate) fn quiet_days(&self, start: EventTime) -> Option<i64> {
        let was_quiet = self.own.busiest.keys().all(|day| *day >= start.day());
        let watched = self.first_day.map_or(0, |first| start.day() - first);
        (was_quiet && watched > 0).then_some(watched)
    }

    /// The account is younger than the learning period: what is usual in it is not known yet.
    pub(crate) fn is_learning(&self, start: EventTime) -> bool {
        let watched = self.first_day.map_or(0, |first| start.day() - first);
        watched < i64::from(self.learning.days)
    }
}
