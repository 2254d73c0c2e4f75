//! What repeats from record to record, kept once.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::action::stable_hash;
use crate::event::Event;
use crate::finding::Circumstances;
use crate::joined::Joined;

/// Strings and sets of strings that repeat, kept once: objects, addresses, names. Sharing is for memory and speed alone;
/// what is shared compares equal to what is not.
#[derive(Debug, Clone)]
pub struct Strings {
    table: HashTable<(u64, Arc<str>)>,
    circumstances: Recent<Told>,
    /// One of its own: threads would get into each other's way counting who holds the one of the standard library.
    empty: Arc<str>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { table: HashTable::new(), circumstances: Recent::default(), empty: Arc::from("") }
    }
}

impl Strings {
    /// Beyond this many, sharing starts afresh: attackers choose some of these strings.
    const MAX: usize = 16_384;

    /// The string, shared with earlier equal ones.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if text.is_empty() {
            return Arc::clone(&self.empty);
        }
        if self.table.len() >= Self::MAX {
            self.table.clear();
        }
        let hash = stable_hash(text.as_bytes());
        let entry = self
            .table
            .entry(hash, |(h, s)| *h == hash && **s == *text, |(h, _)| *h)
            .or_insert_with(|| (hash, text.into()));
        Arc::clone(&entry.get().1)
    }

    /// What was called from where in an event that failed with this code, shared with equal ones of late.
    pub(crate) fn circumstances(&mut self, event: &Event<'_>, error_code: &str) -> Arc<Circumstances> {
        let (action, session) = (event.action, &event.session);
        let texts = [event.source_ip, session.name, session.access_key, error_code];
        let is_same = |told: &Told| told.circumstances.is_of(action) && told.texts.is(&texts);
        let hash = glance(action.id.0, texts);
        if let Some(known) = self.circumstances.get(hash, is_same) {
            return Arc::clone(&known.circumstances);
        }
        let circumstances = Arc::new(Circumstances {
            source: Arc::clone(&action.source),
            name: Arc::clone(&action.logged_name),
            error_code: (!error_code.is_empty()).then(|| self.share(error_code)),
            source_ip: self.share(event.source_ip),
            session: self.share(session.name),
            access_key: self.share(session.access_key),
        });
        let told = Told { texts: Joined::of(&texts), circumstances: Arc::clone(&circumstances) };
        self.circumstances.keep(hash, told);
        circumstances
    }
}

/// Circumstances, with their texts at one place to compare them by.
#[derive(Debug)]
struct Told {
    texts: Joined<4>,
    circumstances: Arc<Circumstances>,
}

/// Whether two texts are equal. What was interned is told by where it stands.
#[inline]
pub(crate) fn same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// A hash of some texts, begun with a well-mixed number: for this run alone.
pub(crate) fn mixed<const N: usize>(begin: u64, texts: [&str; N]) -> u64 {
    texts.iter().fold(begin, |hash, text| match text.len() {
        0 => hash.rotate_left(23),
        _ => hash.rotate_left(23) ^ FixedState::default().hash_one(text.as_bytes()),
    })
}

/// The same from the ends of the texts alone: enough to find a place for what is compared whole before it is taken.
#[inline]
pub(crate) fn glance<const N: usize>(begin: u64, texts: [&str; N]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    texts.iter().fold(begin, |hash, text| {
        let text = text.as_bytes();
        let ends = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(27)
            }
            _ if text.is_empty() => 0,
            _ => stable_hash(text),
        };
        let mixed = (hash ^ ends ^ text.len() as u64).wrapping_mul(ODD);
        mixed ^ mixed >> 32
    })
}

/// Values seen lately, each in one of the two places its hash gives it; the newest pushes the one before it to the other
/// place, and out what was there.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    slots: Vec<Option<(u64, Arc<T>)>>,
}

impl<T> Recent<T> {
    const SLOTS: usize = 2_048;

    /// The value of a hash for which `is_same` holds.
    pub(crate) fn get(&self, hash: u64, is_same: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let place = Self::place(hash);
        let at = |place: usize| {
            let (known, value) = self.slots.get(place)?.as_ref()?;
            (*known == hash && is_same(value)).then(|| Arc::clone(value))
        };
        at(place).or_else(|| at(place ^ 1))
    }

    /// Keeps a value.
    pub(crate) fn keep(&mut self, hash: u64, value: T) -> Arc<T> {
        if self.slots.is_empty() {
            self.slots.resize_with(Self::SLOTS, || None);
        }
        let value = Arc::new(value);
        let place = Self::place(hash);
        self.slots[place ^ 1] = self.slots[place].replace((hash, Arc::clone(&value)));
        value
    }

    fn place(hash: u64) -> usize {
        (hash ^ hash >> 32) as usize % Self::SLOTS
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

/// A copy remembers nothing of late.
impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Answers to questions about texts that repeat, such as the parts of a record, each in the one place its text gives it.
#[derive(Debug)]
pub(crate) struct Answers<T> {
    slots: Vec<Option<Answer<T>>>,
}

#[derive(Debug)]
struct Answer<T> {
    question: u64,
    text: String,
    answer: T,
}

impl<T: Copy> Answers<T> {
    const SLOTS: usize = 1_024;
    /// Longer texts are not kept.
    const LONGEST: usize = 1_024;

    /// The answer, found now unless the question was put about the same text of late.
    pub(crate) fn of(&mut self, question: u64, text: &str, find: impl FnOnce() -> T) -> T {
        if text.len() > Self::LONGEST {
            return find();
        }
        if self.slots.is_empty() {
            self.slots.resize_with(Self::SLOTS, || None);
        }
        // Texts of one sort begin and end alike: all of it counts.
        let place = FixedState::default().hash_one((question, text)) as usize % Self::SLOTS;
        let slot = &mut self.slots[place];
        match slot {
            Some(known) if known.question == question && known.text == text => known.answer,
            Some(known) => {
                (known.question, known.answer) = (question, find());
                known.text.clear();
                known.text.push_str(text);
                known.answer
            }
            None => slot.insert(Answer { question, text: text.to_owned(), answer: find() }).answer,
        }
    }
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

/// Where a piece of a text stands in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    start: usize,
    length: usize,
}

impl Extent {
    /// Of a piece that was cut out of the text.
    pub(crate) fn of(piece: &str, text: &str) -> Self {
        let start = piece.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        debug_assert!(piece.is_empty() || text.get(start..start + piece.len()) == Some(piece));
        Self { start, length: piece.len() }
    }

    /// The piece at this place.
    pub(crate) fn in_text(self, text: &str) -> &str {
        if self.length == 0 { "" } else { text.get(self.start..self.start + self.length).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Session;
    use crate::testing::Call;
    use crate::time::EventTime;

    #[test]
    fn answers_are_those_to_the_question_about_the_text() {
        let mut answers = Answers::default();
        let texts = ["", "a", "to be", "or not to be, that is", "or what to be, that is", &"x".repeat(2_000)];
        for round in 0..3 {
            for text in texts {
                for question in [0, 1, 1 << 40] {
                    let answer = answers.of(question, text, || (question, text.len(), round));
                    assert_eq!((answer.0, answer.1), (question, text.len()));
                }
            }
        }
        let mut answers = Answers::default();
        assert_eq!([1, 2].map(|answer| answers.of(7, "now", || answer)), [1, 1]);
        let text = "one two";
        assert_eq!(Extent::of(&text[4..], text).in_text(text), "two");
        assert_eq!(Extent::of("", text).in_text(text), "");
    }

    #[test]
    fn two_of_one_place_stay() {
        let mut recent = Recent::default();
        let hashes = [7, 7 + Recent::<u64>::SLOTS as u64, 7 + 2 * Recent::<u64>::SLOTS as u64];
        for hash in hashes {
            recent.keep(hash, hash);
        }
        let known = hashes.map(|hash| recent.get(hash, |value| *value == hash).map(|value| *value));
        assert_eq!(known, [None, Some(hashes[1]), Some(hashes[2])]);
        assert_eq!(recent.get(hashes[2], |_| false), None);
    }

    #[test]
    fn equal_circumstances_are_one_and_different_ones_are_not() {
        let call = |source_ip, name: &'static str, access_key| Call {
            source_ip,
            session: Session { access_key, ..Session::default() },
            ..Call::new("s3", name, EventTime(0))
        };
        let mut strings = Strings::default();
        let mut of = |call: Call<'_>, code| call.with(|event| strings.circumstances(event, code));
        let first = of(call("192.0.2.1", "GetObject", "A"), "");
        assert!(Arc::ptr_eq(&first, &of(call("192.0.2.1", "GetObject", "A"), "")));
        for (other, code) in [
            (call("192.0.2.2", "GetObject", "A"), ""),
            (call("192.0.2.1", "PutObject", "A"), ""),
            (call("192.0.2.1", "GetObject", "B"), ""),
            (call("192.0.2.1", "GetObject", "A"), "AccessDenied"),
        ] {
            assert_ne!(first, of(other, code));
        }
        assert_eq!(&*first.source_ip, "192.0.2.1");
        assert_eq!(first.error_code, None);
    }
}
