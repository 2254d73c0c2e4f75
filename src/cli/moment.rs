//! Times as people type them.

use crate::detectors::time::{DAY, EventTime};

/// The first second of what was typed: a moment, or a day in UTC.
pub(super) fn start(text: &str) -> Result<EventTime, String> {
    EventTime::parse(text).or_else(|| day(text)).ok_or_else(|| meaning_nothing(text))
}

/// The first second after what was typed: a moment, or a whole day in UTC.
pub(super) fn end(text: &str) -> Result<EventTime, String> {
    EventTime::parse(text).or_else(|| day(text).map(|d| d.plus(DAY))).ok_or_else(|| meaning_nothing(text))
}

fn day(text: &str) -> Option<EventTime> {
    // The general parser would also take `2026-03-01T10:00` without a zone, and drop the time.
    if text.len() != "2026-03-01".len() {
        return None;
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    EventTime::parse(&format!("{date}T00:00:00Z"))
}

fn meaning_nothing(text: &str) -> String {
    let zone = if text.contains('T') { "; a time needs its zone" } else { "" };
    format!("`{text}` is no time{zone}: write 2026-03-01 or 2026-03-01T10:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_moments_exact() {
        let shown = |time: Result<EventTime, String>| time.unwrap().to_string();
        assert_eq!(shown(start("2026-03-01")), "2026-03-01T00:00:00Z");
        assert_eq!(shown(end("2026-03-01")), "2026-03-02T00:00:00Z");
        for exact in [start, end] {
            assert_eq!(shown(exact("2026-03-01T12:00:00+02:00")), "2026-03-01T10:00:00Z");
        }
    }

    #[test]
    fn what_means_nothing_is_refused_with_an_example() {
        for text in
            ["", "yesterday", "2026-02-30", "01.03.2026", "20260301", "2026-03-01T10:00", "1772359200"]
        {
            for parse in [start, end] {
                assert!(parse(text).unwrap_err().contains("2026-03-01T10:00:00Z"), "{text}");
            }
        }
    }
}
