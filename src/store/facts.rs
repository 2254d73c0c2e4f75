//! Facts and sent alerts as rows of a table.
//!
//! | name | body |
//! |---|---|
//! | `facts#DETECTOR#CLASS#ACCOUNT#ENTITY` | facts of one key, or where their parts are |
//! | `part#HEAD#TAG#N` | a part of facts too large for one row |
//! | `sent#ID` | severity and revision an alert was last published with |
//!
//! Parts are written before the row that names them, under names made of the version and the content, and dropped after the
//! next version stands: at every moment the row names parts that are there. Who reads a row and finds its parts gone
//! reads a newer row.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trailhound_detectors::{EventTime, Severity};

use super::item::hex;
use super::table::{Condition, MAX_BODY, PutError, READ_BATCH, Row, Table, TableError};

const WHOLE: u8 = 0;
const PARTS: u8 = 1;
/// How often a row is read again because its parts were gone.
const REREADS: usize = 4;

/// The state of a row that was read or written: what the next write must find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    version: u64,
    parts: Option<Parts>,
    /// When the table may drop it.
    pub expires: EventTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    tag: String,
    count: u16,
}

impl Parts {
    fn names(&self, head: &str) -> impl Iterator<Item = String> {
        let head = hex(&Sha256::digest(head)[..16]);
        (0..self.count).map(move |n| format!("part#{head}#{}#{n}", self.tag))
    }
}

/// Bytes that were stored, and the state they were in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The state.
    pub stamp: Stamp,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How an alert was last published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// With this severity.
    pub severity: Severity,
    /// In this revision.
    pub revision: u32,
}

/// Facts and sent alerts in a table.
#[derive(Debug)]
pub struct FactStore<T> {
    table: T,
}

impl<T: Table> FactStore<T> {
    /// Over a table.
    pub fn new(table: T) -> Self {
        Self { table }
    }

    /// The table.
    pub fn table(&self) -> &T {
        &self.table
    }

    /// What is stored under names, of which there are at most [`READ_BATCH`], in their order.
    pub async fn load(&self, names: &[String]) -> Result<Vec<Option<Stored>>, TableError> {
        let rows = self.table.get(names).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (name, row) in names.iter().zip(rows) {
            found.push(match row {
                Some(row) => self.assemble(name, row).await?,
                None => None,
            });
        }
        Ok(found)
    }

    /// The bytes behind a row that was read under `name`.
    pub async fn assemble(&self, name: &str, row: Row) -> Result<Option<Stored>, TableError> {
        let mut row = row;
        for _ in 0..REREADS {
            let Row { version, expires, body } = row;
            match body.split_first() {
                Some((&WHOLE, bytes)) => {
                    let stamp = Stamp { version, parts: None, expires };
                    return Ok(Some(Stored { stamp, bytes: bytes.to_vec() }));
                }
                Some((&PARTS, parts)) => {
                    let parts: Parts = decoded(parts)?;
                    if let Some(bytes) = self.gather(name, &parts).await? {
                        let stamp = Stamp { version, parts: Some(parts), expires };
                        return Ok(Some(Stored { stamp, bytes }));
                    }
                }
                _ => return Err(unreadable("a row that says neither whole nor parts")),
            }
            match self.table.get(&[name.to_owned()]).await?.pop().flatten() {
                Some(newer) => row = newer,
                None => return Ok(None),
            }
        }
        Err(unreadable("a row whose parts are gone"))
    }

    async fn gather(&self, head: &str, parts: &Parts) -> Result<Option<Vec<u8>>, TableError> {
        let names: Vec<String> = parts.names(head).collect();
        let mut bytes = Vec::with_capacity(names.len() * MAX_BODY);
        for names in names.chunks(READ_BATCH) {
            for row in self.table.get(names).await? {
                match row {
                    Some(row) => bytes.extend_from_slice(&row.body),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(bytes))
    }

    /// Stores bytes under a name, if the row there is still the one of `before`.
    pub async fn save(
        &self,
        name: &str,
        bytes: &[u8],
        expires: EventTime,
        before: Option<&Stamp>,
    ) -> Result<Stamp, PutError> {
        let version = before.map_or(1, |b| b.version.wrapping_add(1));
        let condition = before.map_or(Condition::Absent, |b| Condition::Version(b.version));
        let parts = if bytes.len() < MAX_BODY {
            None
        } else {
            Some(self.scatter(name, bytes, version, expires).await?)
        };
        let body = match &parts {
            None => [&[WHOLE], bytes].concat(),
            Some(parts) => postcard::to_extend(parts, vec![PARTS]).map_err(|e| unreadable(e.to_string()))?,
        };
        self.table.put(name, Row { version, expires, body }, condition).await?;
        for part in before.and_then(|b| b.parts.as_ref()).into_iter().flat_map(|parts| parts.names(name)) {
            // What stays behind is found by nobody, and expires.
            let _ = self.table.delete(&part).await;
        }
        Ok(Stamp { version, parts, expires })
    }

    async fn scatter(
        &self,
        head: &str,
        bytes: &[u8],
        version: u64,
        expires: EventTime,
    ) -> Result<Parts, PutError> {
        let mut hash = Sha256::new();
        hash.update(version.to_le_bytes());
        hash.update(bytes);
        let chunks = bytes.chunks(MAX_BODY);
        let count = u16::try_from(chunks.len()).map_err(|_| unwritable("facts beyond all bounds"))?;
        let parts = Parts { tag: hex(&hash.finalize()[..16]), count };
        for (name, chunk) in parts.names(head).zip(chunks) {
            let row = Row { version, expires, body: chunk.to_vec() };
            self.table.put(&name, row, Condition::Always).await?;
        }
        Ok(parts)
    }

    /// How alerts were last published, in the order of their ids, of which there are at most [`READ_BATCH`].
    pub async fn sent(&self, ids: &[&str]) -> Result<Vec<Option<Sent>>, TableError> {
        let names: Vec<String> = ids.iter().map(|id| format!("sent#{id}")).collect();
        let rows = self.table.get(&names).await?;
        rows.into_iter().map(|row| row.map(|row| decoded(&row.body)).transpose()).collect()
    }

    /// An alert was published.
    pub async fn record(&self, id: &str, sent: Sent, expires: EventTime) -> Result<(), PutError> {
        let body = postcard::to_stdvec(&sent).map_err(|e| unreadable(e.to_string()))?;
        self.table.put(&format!("sent#{id}"), Row { version: 1, expires, body }, Condition::Always).await
    }
}

fn decoded<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, TableError> {
    postcard::from_bytes(bytes).map_err(|e| unreadable(e.to_string()))
}

fn unreadable(why: impl Into<String>) -> TableError {
    TableError { what: "read a row", source: why.into().into() }
}

fn unwritable(why: &'static str) -> TableError {
    TableError { what: "write a row", source: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryTable;

    const LATER: EventTime = EventTime(2_000_000_000);

    fn store() -> FactStore<MemoryTable> {
        FactStore::new(MemoryTable::default())
    }

    async fn load(store: &FactStore<MemoryTable>, name: &str) -> Option<Stored> {
        store.load(&[name.to_owned()]).await.unwrap().pop().unwrap()
    }

    #[tokio::test]
    async fn the_second_of_two_writers_is_told() {
        let store = store();
        let first = store.save("k", b"one", LATER, None).await.unwrap();
        assert!(matches!(store.save("k", b"x", LATER, None).await, Err(PutError::Conflict)));
        let second = store.save("k", b"two", LATER, Some(&first)).await.unwrap();
        assert!(matches!(store.save("k", b"x", LATER, Some(&first)).await, Err(PutError::Conflict)));
        assert_eq!(load(&store, "k").await, Some(Stored { stamp: second, bytes: b"two".to_vec() }));
        assert_eq!(load(&store, "other").await, None);
    }

    #[tokio::test]
    async fn what_is_too_large_for_a_row_is_split_and_leaves_nothing_behind() {
        let store = store();
        let large = |seed: u8| -> Vec<u8> { (0..MAX_BODY * 2 + 9).map(|i| (i % 251) as u8 ^ seed).collect() };
        let mut stamp = store.save("k", b"small", LATER, None).await.unwrap();
        for seed in 0..3 {
            stamp = store.save("k", &large(seed), LATER, Some(&stamp)).await.unwrap();
            assert_eq!(load(&store, "k").await.unwrap().bytes, large(seed));
            assert_eq!(store.table().len(), 4, "one head, three parts");
        }
        assert!(matches!(store.save("k", &large(9), LATER, None).await, Err(PutError::Conflict)));
        assert_eq!(load(&store, "k").await.unwrap().bytes, large(2), "a writer who lost has done no harm");
        store.save("k", b"small", LATER, Some(&stamp)).await.unwrap();
        assert_eq!(load(&store, "k").await.unwrap().bytes, b"small");
    }

    #[tokio::test]
    async fn a_reader_overtaken_by_a_writer_reads_the_newer_row() {
        let store = store();
        let large = vec![7; MAX_BODY * 2];
        let stamp = store.save("k", &large, LATER, None).await.unwrap();
        let overtaken = store.table().get(&["k".to_owned()]).await.unwrap().remove(0).unwrap();
        store.save("k", b"newer", LATER, Some(&stamp)).await.unwrap();
        let found = store.assemble("k", overtaken).await.unwrap().unwrap();
        assert_eq!(found.bytes, b"newer");
    }

    #[tokio::test]
    async fn a_row_whose_parts_are_gone_for_good_is_an_error_and_not_nothing() {
        let store = store();
        store.save("k", &vec![7; MAX_BODY * 2], LATER, None).await.unwrap();
        let page = store.table().scan(None).await.unwrap();
        let (part, _) = page.rows.iter().find(|(name, _)| name.starts_with("part#")).unwrap();
        store.table().delete(part).await.unwrap();
        assert!(store.load(&["k".to_owned()]).await.is_err());
    }

    #[tokio::test]
    async fn sent_alerts_are_remembered() {
        let store = store();
        let sent = Sent { severity: Severity::High, revision: 2 };
        store.record("th-1", sent, LATER).await.unwrap();
        assert_eq!(store.sent(&["th-0", "th-1"]).await.unwrap(), [None, Some(sent)]);
    }
}
