//! Figures as people read them: `1,234`, `12.3 MiB`, `2 h 05 min`.

use std::time::Duration;

use crate::detectors::EventTime;
use crate::detectors::finding::grouped;

/// With thousands set apart.
pub fn count(n: u64) -> String {
    grouped(n)
}

/// A count and its noun, which takes an `s` beside one.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// In the largest binary unit that leaves at least one.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown to one decimal")]
    let mut value = n as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// A span of event time in its two largest units.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s:02} s"),
        (0, h, m, _) => format!("{h} h {m:02} min"),
        (1, h, _, _) => format!("1 day {h} h"),
        (d, h, _, _) => format!("{d} days {h} h"),
    }
}

/// Wall-clock time that passed.
pub fn elapsed(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        span(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }
}

/// So many a second.
pub fn rate(n: u64, seconds: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shown rounded; a float saturates"
    )]
    let whole = (n as f64 / seconds.max(1e-9)).round() as u64;
    count(whole)
}

/// `2026-03-01 10:00:00`, always UTC.
pub fn moment(time: EventTime) -> String {
    time.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}

/// `10:00:00`.
pub fn time_of_day(time: EventTime) -> String {
    moment(time).rsplit(' ').next().unwrap_or_default().to_owned()
}

/// From one moment to another, the date once if it is one.
pub fn period(start: EventTime, end: EventTime) -> String {
    if start == end {
        format!("{} UTC", moment(start))
    } else if start.day() == end.day() {
        format!("{} to {} UTC", moment(start), time_of_day(end))
    } else {
        format!("{} to {} UTC", moment(start), moment(end))
    }
}

/// One block a slot, as high as its share of the largest.
pub fn bars(slots: &[u64]) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = slots.iter().copied().max().unwrap_or(0).max(1);
    // Rounded up: what is there is seen.
    slots.iter().map(|n| BLOCKS[usize::try_from((n * 8).div_ceil(largest)).unwrap_or(8).min(8)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "file"), counted(2, "file")], ["1 file", "2 files"]);
        assert_eq!(
            [0, 1_023, 1_024, 1_572_864, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16384.0 PiB"]
        );
        assert_eq!(
            [-1, 59, 61, 3_661, 90_000, 180_000].map(span),
            ["0 s", "59 s", "1 min 01 s", "1 h 01 min", "1 day 1 h", "2 days 2 h"]
        );
        assert_eq!([400, 61_000].map(|ms| elapsed(Duration::from_millis(ms))), ["0.4 s", "1 min 01 s"]);
    }

    #[test]
    fn a_period_says_its_date_once() {
        let time = |text| EventTime::parse(text).unwrap();
        let (a, b, c) =
            (time("2026-03-01T10:00:00Z"), time("2026-03-01T11:00:00Z"), time("2026-03-02T00:00:00Z"));
        assert_eq!(period(a, a), "2026-03-01 10:00:00 UTC");
        assert_eq!(period(a, b), "2026-03-01 10:00:00 to 11:00:00 UTC");
        assert_eq!(period(a, c), "2026-03-01 10:00:00 to 2026-03-02 00:00:00 UTC");
    }

    #[test]
    fn bars_show_the_smallest_and_the_largest() {
        assert_eq!(bars(&[0, 1, 500, 1_000]), " ▁▄█");
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[0, 0]), "  ");
    }
}
