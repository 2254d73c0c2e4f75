//! Facts of one key as bytes, and the name they are stored under.
//!
//! ```text
//! form           1 byte
//! facts version  postcard u32: Detector::FACTS_VERSION
//! key            postcard Key, so that no name can be taken for another
//! facts          postcard Detector::Facts, to the end
//! ```

use sha2::{Digest as _, Sha256};
use trailhound_detectors::catalogue::{self, Ledgers, Slot, Visit};
use trailhound_detectors::{Detector, Key};

use super::facts::FactStore;
use super::table::{Page, Table, TableError};

/// The form of the whole; the first byte of every item.
const FORM: u8 = 1;
/// Longest name under which a key is stored readably. DynamoDB allows 2,048 bytes.
const READABLE: usize = 1_024;

/// An item that can't be read. It is never replaced by a guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Written by a newer version of this program.
    #[error(
        "facts of {detector} in version {found}, this program knows {known}: use the newer Trailhound that wrote them"
    )]
    Newer {
        /// The detector.
        detector: &'static str,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// Written by an older version, and no way leads from there.
    #[error("facts of {detector} in version {found}, too old for {known}: push facts anew from a replay")]
    Older {
        /// The detector.
        detector: &'static str,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// Not decodable, or another key's.
    #[error("damaged facts of {detector}: {what}")]
    Damaged {
        /// The detector.
        detector: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// The name the facts of a key are stored under: readable, unless it would be too long or ambiguous.
pub fn name(detector: &str, key: &Key) -> String {
    let Key { class, account, entity } = key;
    let plain = account.bytes().all(|b| b.is_ascii_alphanumeric());
    let readable = format!("facts#{detector}#{}#{account}#{entity}", class.0);
    if plain && readable.len() <= READABLE {
        return readable;
    }
    let mut hash = Sha256::new();
    for part in [account, entity] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("facts#{detector}#{}##{}", class.0, hex(&hash.finalize()))
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The detector in a name that [`name`] made.
pub fn detector_of(name: &str) -> Option<&str> {
    name.strip_prefix("facts#")?.split('#').next()
}

/// Facts of a key as bytes. Equal facts give equal bytes.
pub fn encode<D: Detector>(key: &Key, facts: &D::Facts) -> Result<Vec<u8>, ItemError> {
    postcard::to_extend(&(D::FACTS_VERSION, key, facts), vec![FORM]).map_err(|e| damaged::<D>(&e.to_string()))
}

/// The key and facts that [`encode`] wrote, now or in an older version.
pub fn decode<D: Detector>(bytes: &[u8]) -> Result<(Key, D::Facts), ItemError> {
    let (detector, known) = (D::NAME, D::FACTS_VERSION);
    let undecodable = |e: postcard::Error| damaged::<D>(&e.to_string());
    let rest = match bytes {
        [FORM, rest @ ..] => rest,
        [newer, ..] if *newer > FORM => {
            return Err(ItemError::Newer { detector, found: (*newer).into(), known: FORM.into() });
        }
        _ => return Err(damaged::<D>("no form")),
    };
    let (found, rest): (u32, _) = postcard::take_from_bytes(rest).map_err(undecodable)?;
    if found > known {
        return Err(ItemError::Newer { detector, found, known });
    }
    let (key, rest): (Key, _) = postcard::take_from_bytes(rest).map_err(undecodable)?;
    let facts = if found == known {
        postcard::from_bytes(rest).map_err(undecodable)?
    } else {
        D::migrate(found, rest).ok_or(ItemError::Older { detector, found, known })?
    };
    Ok((key, facts))
}

/// Adds all facts that a store holds to facts in memory. `watch` is told how many rows are read.
pub async fn pull<T: Table>(
    store: &FactStore<T>,
    into: &mut Ledgers,
    mut watch: impl FnMut(u64),
) -> Result<(), PullError> {
    let (mut from, mut read) = (None, 0);
    loop {
        let Page { rows, next } = store.table().scan(from).await?;
        read += rows.len() as u64;
        watch(read);
        for (name, row) in rows {
            let Some(detector) = detector_of(&name) else { continue };
            let Some(stored) = store.assemble(&name, row).await? else { continue };
            let mut gather = Gather { detector, bytes: &stored.bytes, into, done: None };
            catalogue::each(&mut gather);
            gather.done.ok_or_else(|| PullError::UnknownDetector { detector: detector.to_owned() })??;
        }
        from = next;
        if from.is_none() {
            return Ok(());
        }
    }
}

/// Why the facts of a store could not all be read.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The table did not answer.
    #[error(transparent)]
    Table(#[from] TableError),
    /// An item can't be read.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// Facts of a detector this program does not have.
    #[error(
        "facts of a detector `{detector}` that this program does not have: use the newer Trailhound that wrote them"
    )]
    UnknownDetector {
        /// The detector.
        detector: String,
    },
}

struct Gather<'a> {
    detector: &'a str,
    bytes: &'a [u8],
    into: &'a mut Ledgers,
    done: Option<Result<(), ItemError>>,
}

impl Visit for Gather<'_> {
    fn visit<D: Detector>(&mut self, slot: Slot<D>) {
        if D::NAME == self.detector {
            self.done = Some(decode::<D>(self.bytes).map(|(key, facts)| {
                (slot.facts_mut)(self.into).take(&key, facts);
            }));
        }
    }
}

fn damaged<D: Detector>(what: &str) -> ItemError {
    ItemError::Damaged { detector: D::NAME, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use trailhound_detectors::detector::Claim;
    use trailhound_detectors::ledger::Class;
    use trailhound_detectors::{Action, Around, ConfigError, Event, EventTime, Facts, Finding, Join, Ledger};

    use super::*;

    /// A detector in its third version, which can still read the second.
    struct Third;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Nothing {}

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Count(u64);

    impl Join for Count {
        fn join(&mut self, other: &Self) {
            self.0 = self.0.max(other.0);
        }
    }

    impl Facts for Count {
        type Memo = ();
        type Notes = ();

        fn close(&mut self, _: i64) -> bool {
            false
        }

        fn forget(&mut self, _: EventTime) {}
    }

    impl Detector for Third {
        const NAME: &'static str = "third";
        const PURPOSE: &'static str = "";
        const DOCS: &'static str = "";
        const FACTS_VERSION: u32 = 3;
        type Config = Nothing;
        type Facts = Count;

        fn new(_: Nothing) -> Result<Self, ConfigError> {
            Ok(Self)
        }
        fn migrate(version: u32, facts: &[u8]) -> Option<Count> {
            (version == 2).then_some(Count(facts.len() as u64))
        }
        fn claim(_: &Action) -> Claim {
            0
        }
        fn observe<'e, 'a: 'e>(_: impl Iterator<Item = (Claim, &'e Event<'a>)>, _: &mut Ledger<Count>) {}
        fn judge(&self, _: &Key, _: &Count, _: &Around<'_, Count>, _: &mut Vec<Finding>) {}
    }

    fn key(account: &str, entity: &str) -> Key {
        Key { class: Class(2), account: account.into(), entity: entity.into() }
    }

    fn written_in(version: u32) -> Vec<u8> {
        postcard::to_extend(&(version, key("1", "e"), Count(300)), vec![FORM]).unwrap()
    }

    #[test]
    fn reads_back_what_it_wrote_and_what_an_older_version_wrote() {
        let bytes = encode::<Third>(&key("1", "e"), &Count(300)).unwrap();
        assert_eq!(bytes, written_in(3));
        assert_eq!(decode::<Third>(&bytes).unwrap(), (key("1", "e"), Count(300)));
        assert_eq!(decode::<Third>(&written_in(2)).unwrap(), (key("1", "e"), Count(2)));
    }

    #[test]
    fn what_is_newer_too_old_or_damaged_is_refused_by_name() {
        let refusal = |bytes: &[u8]| decode::<Third>(bytes).unwrap_err().to_string();
        assert!(refusal(&written_in(4)).contains("third in version 4, this program knows 3"));
        assert!(refusal(&written_in(1)).contains("third in version 1, too old for 3"));
        assert!(refusal(&[FORM + 1]).contains("version 2, this program knows 1"));
        for damaged in [&[][..], &[0], &[FORM], &written_in(3)[..5]] {
            assert!(refusal(damaged).contains("damaged facts of third"), "{damaged:?}");
        }
    }

    #[test]
    fn names_are_readable_and_never_shared() {
        assert_eq!(
            name("third", &key("123456789012", "arn:aws:iam::123456789012:role/a#b")),
            "facts#third#2#123456789012#arn:aws:iam::123456789012:role/a#b"
        );
        assert_eq!(detector_of("facts#third#2#1#e"), Some("third"));
        assert_eq!(detector_of("sent#th-1"), None);
        let long = "x".repeat(5_000);
        let names = [
            name("third", &key("1#a", "b")),
            name("third", &key("1", "a#b")),
            name("third", &key("1", &long)),
            name("third", &key("1", &format!("{long}y"))),
        ];
        assert!(names.iter().all(|n| n.len() <= READABLE), "{names:?}");
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    }
}
