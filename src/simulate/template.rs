//! Records, compiled once and written millions of times.
//!
//! A template is the text of a record with holes, `<time>` or `<hex:17>`. Names that are known when the world is built
//! are filled in by [`Template::compile`]; what is left are [`Hole`]s, filled for every event by [`Template::render`]
//! without allocating.

use super::caller::Session;
use super::dice::Dice;
use trailhound_detectors::EventTime;

/// What is different in every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// The event's time.
    Time,
    /// The event's time as responses of IAM and STS spell it, some seconds later.
    Spelled(i64),
    /// The id of this record.
    EventId,
    /// An id that both records of one cross-account call share.
    SharedId,
    /// A random UUID.
    Uuid,
    SessionName,
    AccessKey,
    SessionStart,
    Address,
    /// So many random hexadecimal digits.
    Hex(u32),
    /// So many random capitals and digits.
    Upper(u32),
    /// So many characters of random base64.
    Base64(u32),
    /// A number below this one.
    Number(u32),
    /// A number below this one, the same wherever the record holds one: a key in the request and in the resources.
    Serial(u32),
}

impl Hole {
    fn parse(name: &str) -> Option<Self> {
        let (kind, size) = name.split_once(':').unwrap_or((name, "1"));
        let size: u32 = size.parse().ok()?;
        Some(match kind {
            "time" => Self::Time,
            "spelled" => Self::Spelled(i64::from(size)),
            "event-id" => Self::EventId,
            "shared-id" => Self::SharedId,
            "uuid" => Self::Uuid,
            "session" => Self::SessionName,
            "key-id" => Self::AccessKey,
            "session-start" => Self::SessionStart,
            "address" => Self::Address,
            "hex" => Self::Hex(size),
            "upper" => Self::Upper(size),
            "base64" => Self::Base64(size),
            "number" => Self::Number(size),
            "serial" => Self::Serial(size),
            _ => return None,
        })
    }
}

/// Names filled in when a template is compiled, with their text; the text may hold further names and holes.
pub(super) type Bindings<'b> = &'b [(&'b str, &'b str)];

/// The text of a record with holes.
#[derive(Debug, Default)]
pub(super) struct Template {
    text: String,
    /// Where in `text` each hole is, in order.
    holes: Vec<(usize, Hole)>,
}

/// Names within names deeper than this are left as they stand.
const MAX_NESTING: usize = 8;

impl Template {
    /// Fills in `bindings`. A name that is neither bound nor a hole stays as it stands, brackets and all.
    pub(super) fn compile(text: &str, bindings: Bindings<'_>) -> Self {
        let mut template = Self::default();
        template.expand(text, bindings, 0);
        template
    }

    fn expand(&mut self, mut text: &str, bindings: Bindings<'_>, nesting: usize) {
        while let Some((before, rest)) = text.split_once('<') {
            self.text.push_str(before);
            let found = rest.split_once('>').and_then(|(name, after)| {
                let bound = bindings.iter().find(|(bound, _)| *bound == name);
                match (bound, Hole::parse(name)) {
                    (Some((_, value)), _) if nesting < MAX_NESTING => {
                        self.expand(value, bindings, nesting + 1);
                        Some(after)
                    }
                    (None, Some(hole)) => {
                        self.holes.push((self.text.len(), hole));
                        Some(after)
                    }
                    _ => None,
                }
            });
            text = found.unwrap_or_else(|| {
                self.text.push('<');
                rest
            });
        }
        self.text.push_str(text);
    }

    /// Writes one record and returns its event id.
    pub(super) fn render(&self, moment: &Moment<'_>, dice: &mut Dice, out: &mut Vec<u8>) -> [u8; 36] {
        let mut event_id = [0; 36];
        let mut written = 0;
        let serial = dice.clone();
        dice.bits();
        for (at, hole) in &self.holes {
            out.extend_from_slice(&self.text.as_bytes()[written..*at]);
            written = *at;
            match *hole {
                Hole::Time => out.extend_from_slice(&rfc3339(moment.time)),
                Hole::Spelled(later) => out.extend_from_slice(spelled(moment.time + later).as_bytes()),
                Hole::SessionStart => out.extend_from_slice(&rfc3339(moment.session.start)),
                Hole::EventId => {
                    event_id = uuid(dice.bits(), dice.bits());
                    out.extend_from_slice(&event_id);
                }
                Hole::Uuid => out.extend_from_slice(&uuid(dice.bits(), dice.bits())),
                Hole::SharedId => {
                    let mut shared = Dice::new(moment.time.cast_unsigned(), &moment.session.key);
                    out.extend_from_slice(&uuid(shared.bits(), shared.bits()));
                }
                Hole::SessionName => out.extend_from_slice(moment.session.name.as_bytes()),
                Hole::AccessKey => out.extend_from_slice(moment.session.key.as_bytes()),
                Hole::Address => out.extend_from_slice(moment.session.address.as_bytes()),
                Hole::Hex(n) => letters(dice, b"0123456789abcdef", n, out),
                Hole::Upper(n) => letters(dice, b"ABCDEFGHJKMNPQRSTVWXYZ0123456789", n, out),
                Hole::Base64(n) => {
                    letters(
                        dice,
                        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                        n,
                        out,
                    );
                }
                Hole::Number(below) => number(dice.below(u64::from(below)), out),
                Hole::Serial(below) => number(serial.clone().below(u64::from(below)), out),
            }
        }
        out.extend_from_slice(&self.text.as_bytes()[written..]);
        event_id
    }
}

#[cfg(test)]
impl Template {
    /// The text with its holes filled somehow.
    pub(super) fn example(&self) -> String {
        let session = Session::new("i-0abc", "ASIAEXAMPLE", 1_772_442_000, "10.0.0.7");
        let mut out = Vec::new();
        self.render(&Moment { time: 1_772_445_605, session: &session }, &mut Dice::new(1, "test"), &mut out);
        String::from_utf8(out).unwrap()
    }
}

/// When an event happens, and in which session.
pub(super) struct Moment<'m> {
    /// Seconds since the epoch.
    pub(super) time: i64,
    /// The caller's session.
    pub(super) session: &'m Session,
}

/// Characters of an alphabet whose size is a power of two, several from each draw.
fn letters<const N: usize>(dice: &mut Dice, alphabet: &[u8; N], count: u32, out: &mut Vec<u8>) {
    const { assert!(N.is_power_of_two()) };
    let width = N.trailing_zeros();
    let (mut bits, mut left) = (0, 0);
    for _ in 0..count {
        if left < width {
            (bits, left) = (dice.bits(), u64::BITS);
        }
        out.push(alphabet[bits as usize % N]);
        bits >>= width;
        left -= width;
    }
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// A version 4 UUID of random bits.
fn uuid(high: u64, low: u64) -> [u8; 36] {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | (0b10 << 62);
    let digits = u128::from(high) << 64 | u128::from(low);
    let mut text = [b'-'; 36];
    let mut shift = 128;
    for (at, byte) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            shift -= 4;
            *byte = b"0123456789abcdef"[(digits >> shift) as usize & 15];
        }
    }
    text
}

/// `YYYY-MM-DDThh:mm:ssZ`.
pub(super) fn rfc3339(time: i64) -> [u8; 20] {
    let at = Civil::of(time);
    let mut text = *b"0000-00-00T00:00:00Z";
    let mut put = |at: usize, value: u8| {
        text[at] = b'0' + value / 10;
        text[at + 1] = b'0' + value % 10;
    };
    put(0, at.century);
    put(2, at.year);
    put(5, at.month);
    put(8, at.day);
    put(11, at.hour);
    put(14, at.minute);
    put(17, at.second);
    text
}

/// `Mar 2, 2026, 9:05:00 AM`, as responses of IAM and STS spell times.
fn spelled(time: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Civil { century, year, month, day, hour, minute, second } = Civil::of(time);
    let (clock, half) = ((hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" });
    let name = MONTHS[usize::from(month) - 1];
    format!("{name} {day}, {century:02}{year:02}, {clock}:{minute:02}:{second:02} {half}")
}

struct Civil {
    century: u8,
    year: u8,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Civil {
    fn of(time: i64) -> Self {
        let date = date_of(time);
        let second = EventTime(time).0.rem_euclid(86_400);
        Self {
            century: (date.year() / 100).unsigned_abs() as u8,
            year: (date.year() % 100).unsigned_abs() as u8,
            month: date.month().unsigned_abs(),
            day: date.day().unsigned_abs(),
            hour: (second / 3_600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }
}

/// The date (UTC) of a time; the epoch's where no calendar holds it.
pub(super) fn date_of(time: i64) -> jiff::civil::Date {
    let epoch = jiff::civil::date(1970, 1, 1);
    jiff::Timestamp::from_second(time).map_or(epoch, |t| t.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, bindings: Bindings<'_>) -> String {
        Template::compile(text, bindings).example()
    }

    #[test]
    fn names_are_bound_nested_and_holes_filled() {
        let bindings = [("who", "<role>/<session>"), ("role", "web")];
        assert_eq!(
            example("<who> <time> <spelled:3600> <address> <key-id> <unknown> <", &bindings),
            "web/i-0abc 2026-03-02T10:00:05Z Mar 2, 2026, 11:00:05 AM 10.0.0.7 ASIAEXAMPLE <unknown> <"
        );
    }

    #[test]
    fn a_name_bound_to_itself_ends() {
        assert!(example("<a>", &[("a", "x<a>")]).starts_with("xxx"));
    }

    #[test]
    fn random_holes_have_their_form() {
        let text = example("<event-id> <hex:17> <number:10>", &[]);
        let parts: Vec<_> = text.split(' ').collect();
        assert_eq!((parts[0].len(), parts[1].len(), parts[2].len()), (36, 17, 1));
        assert_eq!(&parts[0][14..15], "4");
        assert!("89ab".contains(&parts[0][19..20]));
    }

    #[test]
    fn times_agree_with_the_general_formatter() {
        for time in (0..4_000_000_000).step_by(86_399 * 11) {
            let text = String::from_utf8(rfc3339(time).to_vec()).unwrap();
            assert_eq!(text, EventTime(time).to_string());
        }
    }

    #[test]
    fn both_records_of_one_call_share_their_id() {
        assert_eq!(example("<shared-id>", &[]), example("<shared-id>", &[]));
    }
}
