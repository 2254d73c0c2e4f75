//! From the busiest windows of hours to bursts worth one finding each.

use std::collections::{BTreeMap, VecDeque};

use super::summary::Summary;
use crate::finding::{Reason, Severity};
use crate::lattice::Join;
use crate::time::{EventTime, MINUTE, TimeRange};
use crate::window::{Peak, WINDOW_MINUTES};

/// Hours that a burst stays known for. Two more than a day, so that what happens daily, not quite on time, is known.
pub(crate) const KNOWN_HOURS: i64 = 26;

/// So much larger than everything known, a burst is news again.
const ESCALATION: u64 = 3;

/// Why a window stands out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// The least count that would have been told.
    pub(crate) threshold: u64,
    /// What was to be expected.
    pub(crate) expected: Option<u64>,
    pub(crate) severity: Severity,
    pub(crate) reasons: Vec<Reason>,
}

impl Bar {
    /// Whether a reason of this code was given.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.reasons.iter().any(|reason| reason.code == code)
    }
}

/// Refusals that stand out, told once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Burst {
    /// The hour it began in: its identity.
    pub(crate) hour: i64,
    /// From the first window to the last that touches it.
    pub(crate) range: TimeRange,
    /// When it was last known to go on: the end of the last window that stood out and was not told again.
    pub(crate) until: EventTime,
    /// Refusals in the busiest of these windows.
    pub(crate) count: u64,
    /// What is known of them.
    pub(crate) summary: Summary,
    /// Why it stands out.
    pub(crate) bar: Bar,
    /// The hour of the burst it is an escalation of.
    pub(crate) escalates: Option<i64>,
}

/// An hour that stood out, told or not.
struct Known {
    hour: i64,
    count: u64,
    actions: u64,
    /// The hour of the finding that told of it.
    told: i64,
}

/// Bursts among the busiest windows of hours: those for which `bar` gives a reason, each told once. What goes on, or comes
/// again within a day, is silent unless it grows by a factor; what crosses an hour's end is one burst.
pub(crate) fn bursts(
    peaks: &BTreeMap<i64, Peak<Summary>>,
    mut bar: impl FnMut(&Peak<Summary>) -> Option<Bar>,
) -> Vec<Burst> {
    let mut found: Vec<Burst> = Vec::new();
    let mut known: VecDeque<Known> = VecDeque::new();
    // Of a thin one there is nothing to tell, even where the days that made it ordinary are forgotten.
    for (hour, peak) in peaks.iter().filter(|(_, peak)| !peak.summary.is_thin()) {
        let Some(reason) = bar(peak) else { continue };
        while known.front().is_some_and(|k| k.hour < hour - KNOWN_HOURS) {
            known.pop_front();
        }
        let (count, actions) = (peak.count, peak.summary.actions());
        let range = peak.range();
        let told = match found.last_mut() {
            Some(last)
                if last.hour == hour - 1 && range.start <= last.range.end.plus(WINDOW_MINUTES * MINUTE) =>
            {
                last.range.end = range.end;
                last.summary.join(&peak.summary);
                if count > last.count {
                    (last.count, last.bar) = (count, reason);
                }
                last.hour
            }
            _ => match known.back() {
                Some(newest)
                    if known.iter().any(|k| count < k.count.saturating_mul(ESCALATION))
                        && known.iter().any(|k| actions < k.actions.max(2).saturating_mul(ESCALATION)) =>
                {
                    newest.told
                }
                newest => {
                    let escalates = newest.map(|k| k.told);
                    let summary = peak.summary.clone();
                    found.push(Burst {
                        hour: *hour,
                        range,
                        count,
                        summary,
                        bar: reason,
                        escalates,
                        until: range.end,
                    });
                    *hour
                }
            },
        };
        if let Some(last) = found.last_mut().filter(|last| last.hour == told) {
            last.until = range.end;
        }
        known.push_back(Known { hour: *hour, count, actions, told });
    }
    found
}
