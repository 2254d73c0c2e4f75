//! What most sorts of refusals have in common: bursts against the key's own past.

use super::background::Background;
use super::burst::{Bar, Burst, bursts};
use super::draft::{Draft, short_name};
use super::facts::{FLOOR, Remembered};
use super::summary::Summary;
use crate::baseline::Expectation;
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;
use crate::window::Peak;

/// So many times the threshold is graver than the threshold.
pub(crate) const GRAVER: u64 = 3;

/// One sort of refusals: how it is told.
pub(crate) struct Series {
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) mitre: &'static [&'static str],
    /// What was counted, behind the number in the title.
    pub(crate) what: &'static str,
}

impl Series {
    /// Judges the busiest windows of hours by `bar`, which is given the window and the expectation.
    pub(crate) fn judge(
        &self,
        (key, facts): (&Key, &Remembered),
        around: &Around<'_, Remembered>,
        bar: impl Fn(&Peak<Summary>, Option<&Expectation<'_>>) -> Option<Bar>,
    ) -> Vec<Finding> {
        let peaks = facts.windows.hours(FLOOR);
        if peaks.is_empty() {
            return Vec::new();
        }
        let background = Background::of(key, facts, around);
        let found = bursts(&peaks, |peak| {
            let expectation = background.own(peak.range().start);
            let mut bar = bar(peak, expectation.as_ref())?;
            if let Some(expectation) = expectation {
                bar.expected = Some(expectation.expected);
                bar.reasons.push(Reason::new("busiest", expectation.basis(peak.count)));
                let odd = expectation.odd_time(peak.count);
                bar.reasons.extend(odd.map(|text| Reason::new("unusual_time", text)));
            }
            Some(bar)
        });
        let tell = |burst: Burst| {
            let title = format!("{}: {} {}", short_name(&key.entity), burst.count, self.what);
            let (kind, unit, mitre) = (self.kind, self.unit, self.mitre.to_vec());
            Draft { key, facts, kind, unit, title, mitre }.finish(burst)
        };
        found.into_iter().map(tell).collect()
    }
}

/// A bar with one reason; the series adds the past.
pub(crate) fn bar(threshold: u64, severity: Severity, reason: Reason) -> Bar {
    Bar { threshold, expected: None, severity, reasons: vec![reason] }
}
