//! Event time: whole seconds of UTC, and the minutes, hours and days it falls into.
//!
//! CloudTrail stamps events with whole seconds. Nothing in this crate knows any other clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds in a minute, an hour and a day.
pub const MINUTE: i64 = 60;
/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// Seconds since 1970-01-01T00:00:00Z, as CloudTrail's `eventTime` states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// The minute this time falls into, counted from the epoch.
    pub fn minute(self) -> i64 {
        self.0.div_euclid(MINUTE)
    }

    /// The hour this time falls into, counted from the epoch.
    pub fn hour(self) -> i64 {
        self.0.div_euclid(HOUR)
    }

    /// The day (UTC) this time falls into, counted from the epoch.
    pub fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The first second of a minute counted from the epoch.
    pub fn of_minute(minute: i64) -> Self {
        Self(minute.saturating_mul(MINUTE))
    }

    /// The first second of an hour counted from the epoch.
    pub fn of_hour(hour: i64) -> Self {
        Self(hour.saturating_mul(HOUR))
    }

    /// The first second of a day counted from the epoch.
    pub fn of_day(day: i64) -> Self {
        Self(day.saturating_mul(DAY))
    }

    /// This time moved by a number of seconds, which may be negative.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Reads RFC 3339 (`2026-03-01T10:00:00Z`, with or without fraction or offset).
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        Self::parse_fixed(text.as_bytes())
            .or_else(|| text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_second())))
    }

    /// Reads the time of a record. All of CloudTrail's are UTC, so one without an offset is: tables that logs are loaded into
    /// drop it.
    pub fn parse_logged(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| {
            let with_time = text.len() > "2026-03-01".len();
            let utc = with_time.then(|| text.parse::<jiff::civil::DateTime>().ok()).flatten()?;
            Some(Self(utc.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second()))
        })
    }

    /// The one form AWS writes, `YYYY-MM-DDThh:mm:ssZ`, without going through a general parser: eight bytes at a time.
    fn parse_fixed(text: &[u8]) -> Option<Self> {
        const DATE: Form = Form::new(*b"0000-00-");
        const TIME: Form = Form::new(*b"00T00:00");
        /// The last eight bytes: they begin inside the hours.
        const END: Form = Form::new(*b"0:00:00Z");
        let text: &[u8; 20] = text.try_into().ok()?;
        let date = DATE.values(*text.first_chunk()?)?;
        let time = TIME.values(*text[8..].first_chunk()?)?;
        let end = END.values(*text.last_chunk()?)?;
        let number = |values: [u8; 8], at: usize| u32::from(values[at] * 10 + values[at + 1]);
        let days =
            days_since_epoch(number(date, 0) * 100 + number(date, 2), number(date, 5), number(time, 0))?;
        let (hour, minute, second) = (number(time, 3), number(time, 6), number(end, 5));
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let [hour, minute, second] = [hour, minute, second].map(i64::from);
        Some(Self(days * DAY + hour * HOUR + minute * MINUTE + second))
    }
}

/// The minute a record was written in, as text and as time: the next is mostly of the same.
#[derive(Clone, Debug, Default)]
pub struct LoggedMinute {
    /// `YYYY-MM-DDThh:mm:`, and the first second of it.
    latest: Option<([u8; 17], EventTime)>,
}

impl LoggedMinute {
    /// [`EventTime::parse_logged`].
    pub fn read(&mut self, text: &str) -> Option<EventTime> {
        let fixed: Option<&[u8; 20]> = text.as_bytes().try_into().ok();
        if let Some([minute @ .., tens @ b'0'..=b'5', ones @ b'0'..=b'9', b'Z']) = fixed
            && let Some((latest, start)) = &self.latest
            && minute == latest
        {
            return Some(start.plus(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')));
        }
        if let Some(fixed @ [minute @ .., _, _, _]) = fixed
            && let Some(time) = EventTime::parse_fixed(fixed)
        {
            self.latest = Some((*minute, EventTime::of_minute(time.minute())));
            return Some(time);
        }
        EventTime::parse_logged(text)
    }
}

/// What eight bytes look like: digits where a form has zeros, and else what it has.
struct Form {
    plain: u64,
    /// For each byte 127 less the largest it may be once `plain` is taken off it.
    room: u64,
}

impl Form {
    const fn new(form: [u8; 8]) -> Self {
        let (mut room, mut i) = ([127; 8], 0);
        while i < 8 {
            if form[i] == b'0' {
                room[i] = 127 - 9;
            }
            i += 1;
        }
        Self { plain: u64::from_le_bytes(form), room: u64::from_le_bytes(room) }
    }

    /// The values of the digits.
    #[inline]
    fn values(&self, bytes: [u8; 8]) -> Option<[u8; 8]> {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let values = u64::from_le_bytes(bytes) ^ self.plain;
        // What is too large for its byte's room sets the highest bit, unless that is set already.
        let too_large = values | ((values & LOW) + self.room);
        (too_large & !LOW == 0).then_some(values.to_le_bytes())
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, where there is such a date.
fn days_since_epoch(year: u32, month: u32, day: u32) -> Option<i64> {
    const BEFORE_MONTH: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    /// From 0000-01-01 to 1970-01-01.
    const EPOCH: i64 = 719_528;
    let index = (month as usize).checked_sub(1)?;
    let (before, after) = (*BEFORE_MONTH.get(index)?, *BEFORE_MONTH.get(index + 1)?);
    let leap = u32::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let length = after - before + if month == 2 { leap } else { 0 };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Of the years before this one.
    let leaps = year.div_ceil(4) - year.div_ceil(100) + year.div_ceil(400);
    let days = year * 365 + leaps + before + if month > 2 { leap } else { 0 } + day - 1;
    Some(i64::from(days) - EPOCH)
}

/// RFC 3339, whole seconds; times no calendar holds are written as `@seconds`.
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// From `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First second inside.
    pub start: EventTime,
    /// First second after.
    pub end: EventTime,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: EventTime(i64::MIN), end: EventTime(i64::MAX) };

    /// Whether `time` lies inside.
    pub fn contains(&self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_read_again_is_the_same() {
        let mut minute = LoggedMinute::default();
        for text in [
            "2023-07-10T11:54:47Z",
            "2023-07-10T11:54:00Z",
            "2023-07-10T11:54:59Z",
            "2023-07-10T11:54:60Z",
            "2023-07-10T11:54:4:Z",
            "2023-07-10T11:54:/7Z",
            "2023-07-10T11:54:47z",
            "2023-07-10 11:54:47Z",
            "2023-07-10 11:54:48Z",
            "2023-07-10T11:55:47Z",
            "2023-07-10T11:54:47.000Z",
            "2023-07-10 11:54:47",
            "",
        ] {
            assert_eq!(minute.read(text), EventTime::parse_logged(text), "{text}");
        }
        let empty = "\0".repeat(17);
        assert_eq!(LoggedMinute::default().read(&format!("{empty}47Z")), None);
    }

    #[test]
    fn reads_what_aws_writes_and_the_other_rfc_3339_forms() {
        for text in [
            "2023-07-10T11:54:47Z",
            "2023-07-10T11:54:47.250Z",
            "2023-07-10T13:54:47+02:00",
            "2023-07-10 11:54:47Z",
            "2023-07-10 11:54:47",
            "2023-07-10 11:54:47.000000000",
        ] {
            assert_eq!(EventTime::parse_logged(text).unwrap().to_string(), "2023-07-10T11:54:47Z", "{text}");
        }
        for text in ["2023-07-10 11:54:47", "2023-07-10T11:54:47.000000000"] {
            assert_eq!(EventTime::parse(text), None, "{text}");
        }
        for text in [
            "",
            "2023-02-30T00:00:00Z",
            "2023-07-10T24:00:01Z",
            "2023-07-10",
            "yesterday",
            "2023-07-1aT00:00:00Z",
            "2023- 7-10T00:00:00Z",
            "2023-07-10T\u{7f}0:00:00Z",
        ] {
            assert_eq!(EventTime::parse_logged(text), None, "{text}");
        }
    }

    #[test]
    fn fixed_and_general_parser_agree() {
        for seconds in (-2_000_000_000..4_000_000_000).step_by(86_399 * 7) {
            let text = EventTime(seconds).to_string();
            assert_eq!(EventTime::parse_fixed(text.as_bytes()), Some(EventTime(seconds)), "{text}");
        }
    }

    #[test]
    fn every_byte_is_looked_at() {
        const TEXT: &[u8; 20] = b"2024-02-19T13:49:58Z";
        for at in 0..TEXT.len() {
            for byte in 0..=u8::MAX {
                let mut text = *TEXT;
                text[at] = byte;
                let is_of_the_form =
                    if TEXT[at].is_ascii_digit() { byte.is_ascii_digit() } else { byte == TEXT[at] };
                let read = std::str::from_utf8(&text).ok().filter(|_| is_of_the_form);
                let general = read.and_then(|text| text.parse::<jiff::Timestamp>().ok());
                let general = general.map(|t| EventTime(t.as_second()));
                assert_eq!(EventTime::parse_fixed(&text), general, "{text:?}");
            }
        }
    }

    #[test]
    fn only_days_of_the_calendar_are_read() {
        for (text, is_a_day) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("2000-02-29", true),
            ("1900-02-29", false),
            ("2023-04-30", true),
            ("2023-04-31", false),
            ("2023-12-31", true),
            ("2023-13-01", false),
            ("2023-00-01", false),
            ("2023-01-00", false),
            ("0000-02-29", true),
            ("9999-12-31", true),
        ] {
            let text = format!("{text}T00:00:00Z");
            let general = text.parse::<jiff::Timestamp>().ok().map(|t| EventTime(t.as_second()));
            assert_eq!(EventTime::parse_fixed(text.as_bytes()).is_some(), is_a_day, "{text}");
            if general.is_some() {
                assert_eq!(EventTime::parse_fixed(text.as_bytes()), general, "{text}");
            }
        }
    }

    #[test]
    fn buckets_round_down_before_the_epoch_too() {
        assert_eq!(EventTime(-1).minute(), -1);
        assert_eq!(EventTime(-1).day(), -1);
        assert_eq!(EventTime(59).minute(), 0);
    }
}
