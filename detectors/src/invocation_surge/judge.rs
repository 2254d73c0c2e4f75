//! Which windows are surges.

use std::cell::OnceCell;
use std::sync::Arc;

use super::config::Config;
use super::facts::{Remembered, Shape};
use super::families::{Family, Subject};
use super::kin::Kin;
use super::observe::ACCOUNT;
use super::{growth, tell};
use crate::baseline::{Candidate, Expectation, Past, Usual};
use crate::days::Days;
use crate::detector::Around;
use crate::environment::Learning;
use crate::finding::Finding;
use crate::ledger::{Key, KeyRef};
use crate::time::EventTime;
use crate::window::Peak;

/// A surge within the gap of another is told only when this many times larger.
const ESCALATION: f64 = 3.0;
/// Percent of the calls that one actor makes when it does it nearly alone.
const ALONE: usize = 80;
/// This many attempts for each request are a storm; Lambda tries three times at most.
const STORM: f64 = 2.0;

/// Whether a surge is told depends on surges up to this much earlier, and each of those on the days before it. So all look
/// back this much less than facts are kept, and what was forgotten changes nothing.
const MARGIN_DAYS: u32 = 5;
// Ordinary hours are forgotten by days that judging must still see.
const _: () = assert!(Days::USUAL_FROM + MARGIN_DAYS as i64 <= Learning::LEAST_MEMORY_DAYS as i64);

/// One key being judged.
pub(super) struct Judge<'a> {
    pub(super) config: &'a Config,
    pub(super) key: &'a Key,
    pub(super) facts: &'a Remembered,
    pub(super) around: &'a Around<'a, Remembered>,
    pub(super) family: Family,
    pub(super) subject: Subject,
    /// As configured, but forgetting earlier: see [`MARGIN_DAYS`].
    pub(super) learning: Learning,
}

/// A window that is a surge, and why.
pub(super) struct Surge<'a> {
    pub(super) hour: i64,
    pub(super) peak: &'a Peak<Shape>,
    /// What was counted.
    pub(super) observed: u64,
    pub(super) threshold: f64,
    /// What was usual, if anything is known.
    pub(super) expected: Option<u64>,
    pub(super) expectation: Option<Expectation<'a>>,
    /// The key is still being learnt, and nothing like it is known.
    pub(super) learning: bool,
}

pub(super) fn judge(
    config: &Config,
    key: &Key,
    facts: &Remembered,
    around: &Around<'_, Remembered>,
    out: &mut Vec<Finding>,
) {
    let Some((family, subject)) = Family::of(key.class) else { return };
    let configured = &around.environment.learning;
    let forget_after_days = configured.forget_after_days.saturating_sub(MARGIN_DAYS).max(1);
    let learning = Learning { forget_after_days, ..configured.clone() };
    let judge = Judge { config, key, facts, around, family, subject, learning };
    judge.surges(out);
    if family.grows() && subject != Subject::Throttled {
        growth::judge(&judge, out);
    }
}

impl<'a> Judge<'a> {
    fn surges(&self, out: &mut Vec<Finding>) {
        let hours = self.facts.calls.hours(self.config.floor(self.family, self.subject));
        if hours.is_empty() {
            return;
        }
        let (days, kin) = (self.facts.calls.days(), OnceCell::new());
        let gap = i64::from(self.config.episode_gap_hours);
        // Whether a surge is told depends on those within the gap before it, and what it continues on one gap more.
        let first = self.around.span.start.hour().saturating_sub(2 * gap);
        let mut recent: Vec<(i64, u64, Option<String>)> = Vec::new();
        for (hour, peak) in hours.range(first..) {
            let Some(surge) = self.surge((*hour, peak), &days, &kin) else { continue };
            recent.retain(|(before, ..)| hour - before <= gap);
            let largest = recent.iter().map(|(_, observed, _)| *observed).max();
            let is_told = largest.is_none_or(|largest| surge.observed as f64 >= ESCALATION * largest as f64)
                && !self.is_told_of_actor(&surge);
            let mut id = None;
            if is_told {
                let mut finding = tell::surge(self, &surge);
                finding.continues = recent.iter().rev().find_map(|(.., id)| id.clone());
                id = Some(finding.id());
                out.push(finding);
            }
            recent.push((*hour, surge.observed, id));
        }
    }

    /// Whether the largest window of an hour is a surge.
    pub(super) fn surge<'s>(
        &self,
        (hour, peak): (i64, &'s Peak<Shape>),
        days: &'s Days,
        kin: &'s OnceCell<Kin>,
    ) -> Option<Surge<'s>> {
        let observed = peak.count;
        let floor = self.config.floor(self.family, self.subject);
        if observed < floor {
            return None;
        }
        let is_storm = peak.count as f64 >= STORM * peak.summary.names.count() as f64;
        if self.family == Family::Attempts && !is_storm {
            return None;
        }
        let start = EventTime::of_minute(peak.start);
        let past = Past::before(start, &self.learning, Usual::OnThreeDays);
        let account = self.account_since();
        let own = Candidate { whose: self.whose(), days, since: account.filter(|_| self.is_of_account()) };
        let mut expectation = past.expect(&[own]);
        let young =
            |e: &Option<Expectation<'_>>| e.as_ref().is_none_or(|e| e.days < i64::from(self.learning.days));
        let mut is_learning = self.learning.days > 0 && young(&expectation);
        if is_learning {
            let kin = kin.get_or_init(|| Kin::of(self));
            let expected = |e: &Option<Expectation<'_>>| e.as_ref().map(|e| e.expected);
            let alike = kin.alike().and_then(|alike| past.expect(&[alike]));
            is_learning = young(&alike);
            // Those of its name know what is usual for it; others of the account only what numbers are common there.
            let common = kin.account().filter(|_| is_learning).and_then(|account| past.expect(&[account]));
            for other in [alike, common] {
                if expected(&other) > expected(&expectation) {
                    expectation = other;
                }
            }
        }
        if expectation.is_none() && !self.speaks_for_itself(start, account) {
            return None;
        }
        let expected = expectation.as_ref().map(|e| e.expected);
        let factor = if self.family == Family::Attempts { STORM } else { self.config.factor };
        let multiple = if is_learning { self.config.learning_multiple } else { 1.0 };
        let threshold = expectation.as_ref().map_or(0.0, |e| e.times(factor)).max(floor as f64) * multiple;
        (observed as f64 >= threshold).then_some(Surge {
            hour,
            peak,
            observed,
            threshold,
            expected,
            expectation,
            learning: is_learning,
        })
    }

    /// Whether one actor does it nearly alone, and has a surge of its own that tells the same.
    fn is_told_of_actor(&self, surge: &Surge<'_>) -> bool {
        if self.subject != Subject::Target || !self.family.traits().subjects.contains(&Subject::Actor) {
            return false;
        }
        let Some((actor, _)) = tell::leading(&surge.peak.summary, ALONE, |call| &call.other) else {
            return false;
        };
        let class = self.family.class(Subject::Actor);
        let key = Key { class, account: Arc::clone(&self.key.account), entity: actor.into() };
        let Some(facts) = self.around.others.facts(key.as_ref()) else { return false };
        let learning = self.learning.clone();
        let actor = Judge { key: &key, facts, subject: Subject::Actor, learning, ..*self };
        let hours = facts.calls.hours(self.config.floor(self.family, Subject::Actor));
        let (days, kin) = (facts.calls.days(), OnceCell::new());
        let mut near = hours.range(surge.hour - 1..=surge.hour + 1);
        near.any(|(hour, peak)| actor.surge((*hour, peak), &days, &kin).is_some())
    }

    /// Whether a number says something before anything is known to compare it with: not where every application's
    /// everyday numbers are large and the whole account is new, and not what AWS services do.
    fn speaks_for_itself(&self, start: EventTime, account: Option<EventTime>) -> bool {
        if self.subject == Subject::Actor && is_aws(&self.key.entity) {
            return false;
        }
        let learning = self.learning.seconds();
        let account_is_new = account.is_none_or(|since| start.0.saturating_sub(since.0) < learning);
        !(self.family.is_volume() && account_is_new && learning > 0)
    }

    /// An actor or a call is as old as its account: what it did not do before counts as a quiet day. A function or a
    /// table may be new.
    fn is_of_account(&self) -> bool {
        self.subject == Subject::Actor || matches!(self.family, Family::Api | Family::Compute | Family::Jobs)
    }

    fn account_since(&self) -> Option<EventTime> {
        let key = KeyRef { class: ACCOUNT, account: &self.key.account, entity: "" };
        self.around.others.facts(key)?.since.0
    }

    fn whose(&self) -> &'static str {
        match (self.subject, self.family) {
            (Subject::Actor, _) => "this actor",
            (_, Family::Function | Family::Attempts) => "this function",
            (_, Family::Model) => "this model",
            (_, Family::Objects | Family::ObjectWrites) => "this bucket",
            (_, Family::Items | Family::ItemWrites | Family::Scans) => "this table",
            (_, Family::Api | Family::Compute | Family::Jobs) => "this call in this account",
            _ => "this target",
        }
    }
}

/// Whether an actor's id is that of AWS itself.
pub(super) fn is_aws(actor: &str) -> bool {
    actor.contains(":role/aws-service-role/") || (actor.ends_with(".amazonaws.com") && !actor.contains(':'))
}
