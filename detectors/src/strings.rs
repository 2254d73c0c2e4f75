//! What repeats from record to record, kept once.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::action::stable_hash;
use crate::event::Event;
use crate::finding::Circumstances;

/// Strings and sets of strings that repeat, kept once: objects, addresses, names. Sharing is for memory and speed alone;
/// what is shared compares equal to what is not.
#[derive(Debug, Default, Clone)]
pub struct Strings {
    table: HashTable<(u64, Arc<str>)>,
    circumstances: Recent<Circumstances>,
}

impl Strings {
    /// Beyond this many, sharing starts afresh: attackers choose some of these strings.
    const MAX: usize = 16_384;

    /// The string, shared with earlier equal ones.
    pub fn share(&mut self, text: &str) -> Arc<str> {
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
        let hash = mixed(action.id.0, texts);
        let is_same = |known: &Circumstances| {
            let code = known.error_code.as_deref().unwrap_or_default();
            [&*known.source_ip, &*known.session, &*known.access_key, code] == texts
                && known.name == action.logged_name
                && known.source == action.source
        };
        if let Some(known) = self.circumstances.get(hash, is_same) {
            return known;
        }
        let new = Circumstances {
            source: Arc::clone(&action.source),
            name: Arc::clone(&action.logged_name),
            error_code: (!error_code.is_empty()).then(|| self.share(error_code)),
            source_ip: self.share(event.source_ip),
            session: self.share(session.name),
            access_key: self.share(session.access_key),
        };
        self.circumstances.keep(hash, new)
    }
}

/// A hash of some texts, begun with a well-mixed number.
pub(crate) fn mixed<const N: usize>(begin: u64, texts: [&str; N]) -> u64 {
    texts.iter().fold(begin, |hash, text| match text.len() {
        0 => hash.rotate_left(23),
        _ => hash.rotate_left(23) ^ stable_hash(text.as_bytes()),
    })
}

/// Values seen lately, each in the one place its hash gives it; a newer one pushes out an older.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    slots: Vec<Option<(u64, Arc<T>)>>,
}

impl<T> Recent<T> {
    const SLOTS: usize = 2_048;

    /// The value of a hash for which `is_same` holds.
    pub(crate) fn get(&self, hash: u64, is_same: impl FnOnce(&T) -> bool) -> Option<Arc<T>> {
        let (known, value) = self.slots.get(Self::place(hash))?.as_ref()?;
        (*known == hash && is_same(value)).then(|| Arc::clone(value))
    }

    /// Keeps a value.
    pub(crate) fn keep(&mut self, hash: u64, value: T) -> Arc<T> {
        if self.slots.is_empty() {
            self.slots.resize_with(Self::SLOTS, || None);
        }
        let value = Arc::new(value);
        self.slots[Self::place(hash)] = Some((hash, Arc::clone(&value)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Session;
    use crate::testing::Call;
    use crate::time::EventTime;

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
