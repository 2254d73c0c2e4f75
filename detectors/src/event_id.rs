//! The `eventID` of a record, kept small: facts hold millions of them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// An `eventID`. CloudTrail writes UUIDs, in lower case; those take no memory of their own. Anything else is kept as it is.
/// Compares and is stored as the text it stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct EventId(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Uuid([u8; 16]),
    /// Never a UUID in lower case.
    Other(Arc<str>),
}

/// The length of a UUID's text.
const LENGTH: usize = 36;
/// Where the first digit of each byte stands.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Digits of sixteen.
pub(crate) const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl EventId {
    /// The id with this text.
    pub fn new(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Form::Other(text.into()), Form::Uuid))
    }

    fn with_text<T>(&self, see: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Form::Uuid(bytes) => {
                let mut text = [b'-'; LENGTH];
                for (place, byte) in PLACES.iter().zip(bytes) {
                    text[*place] = DIGITS[usize::from(byte >> 4)];
                    text[place + 1] = DIGITS[usize::from(byte & 15)];
                }
                see(std::str::from_utf8(&text).unwrap_or_default())
            }
            Form::Other(text) => see(text),
        }
    }
}

/// The bytes of a UUID in lower case. Without a branch and a digit at a time, for compilers make one step of many such.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; LENGTH] = text.as_bytes().try_into().ok()?;
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(&text[..8]);
    digits[8..12].copy_from_slice(&text[9..13]);
    digits[12..16].copy_from_slice(&text[14..18]);
    digits[16..20].copy_from_slice(&text[19..23]);
    digits[20..].copy_from_slice(&text[24..]);
    let mut wrong = 0;
    for digit in &mut digits {
        let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        let is_number = number < 10;
        wrong |= u8::from(!is_number & (letter >= 6));
        *digit = if is_number { number } else { letter.wrapping_add(10) };
    }
    let mut bytes = [0; 16];
    for (four, eight) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(digits.as_chunks::<8>().0) {
        *four = packed(u64::from_le_bytes(*eight)).to_le_bytes();
    }
    (wrong == 0 && HYPHENS.iter().all(|place| text[*place] == b'-')).then_some(bytes)
}

/// Four bytes of eight digits' values, one a byte.
fn packed(values: u64) -> u32 {
    let pairs = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (fours | fours >> 16) as u32
}

impl Ord for EventId {
    /// By the text; of two UUIDs their bytes stand in the same order as their texts.
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Form::Uuid(mine), Form::Uuid(theirs)) => mine.cmp(theirs),
            _ => self.with_text(|mine| other.with_text(|theirs| mine.cmp(theirs))),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for EventId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| fmt::Debug::fmt(text, f))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = EventId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EventId, E> {
                Ok(EventId::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// UUIDs, and what nearly is one.
    fn texts() -> impl Strategy<Value = String> {
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        let near = "[0-9a-fA-F]{8}[-0][0-9a-g]{4}-[0-9a-f]{4}-[0-9a-f]{4}[-/][0-9a-f]{11,13}";
        prop_oneof![uuid, near, "[ -~]{0,40}", "\\PC{0,12}"]
    }

    proptest! {
        #[test]
        fn is_its_text((one, two) in (texts(), texts())) {
            let (a, b) = (EventId::new(&one), EventId::new(&two));
            prop_assert_eq!(a.to_string(), &*one);
            prop_assert_eq!(a.cmp(&b), one.cmp(&two));
            prop_assert_eq!(a == b, one == two);
            let stored = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(&stored, &postcard::to_stdvec(&*one).unwrap());
            prop_assert_eq!(postcard::from_bytes::<EventId>(&stored).unwrap(), a);
        }
    }

    #[test]
    fn uuids_take_no_memory_of_their_own() {
        let uuid = "0a1b2c3d-0000-4000-8000-00000000ffff";
        assert!(matches!(EventId::new(uuid).0, Form::Uuid(_)));
        assert!(matches!(EventId::new(&uuid.to_uppercase()).0, Form::Other(_)));
        assert!(size_of::<EventId>() <= 24);
    }
}
