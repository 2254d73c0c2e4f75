//! A table in memory: for a process that keeps facts no longer than it lives, and for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::{Condition, MAX_BODY, Page, PutError, READ_BATCH, Row, Table, TableError};

/// A table in memory, with DynamoDB's limits.
#[derive(Debug, Default)]
pub struct MemoryTable {
    rows: Mutex<BTreeMap<String, Row>>,
}

impl MemoryTable {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// Every change is a single insertion or removal, so a panic elsewhere leaves the map whole.
    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table for MemoryTable {
    async fn get(&self, names: &[String]) -> Result<Vec<Option<Row>>, TableError> {
        if names.len() > READ_BATCH {
            return Err(refused("read rows", "too many at once"));
        }
        let rows = self.rows();
        Ok(names.iter().map(|name| rows.get(name).cloned()).collect())
    }

    async fn put(&self, name: &str, row: Row, condition: Condition) -> Result<(), PutError> {
        if row.body.len() > MAX_BODY {
            return Err(refused("write a row", "larger than a row may be").into());
        }
        let mut rows = self.rows();
        let holds = match (condition, rows.get(name)) {
            (Condition::Always, _) | (Condition::Absent, None) => true,
            (Condition::Version(wanted), Some(there)) => there.version == wanted,
            (Condition::Absent, Some(_)) | (Condition::Version(_), None) => false,
        };
        if !holds {
            return Err(PutError::Conflict);
        }
        rows.insert(name.to_owned(), row);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), TableError> {
        self.rows().remove(name);
        Ok(())
    }

    async fn scan(&self, from: Option<String>) -> Result<Page, TableError> {
        let rows = self.rows();
        let after = from.map_or(Bound::Unbounded, Bound::Excluded);
        let page: Vec<_> = rows
            .range((after, Bound::Unbounded))
            .take(READ_BATCH)
            .map(|(name, row)| (name.clone(), row.clone()))
            .collect();
        let next = (page.len() == READ_BATCH).then(|| page.last().map(|(name, _)| name.clone())).flatten();
        Ok(Page { rows: page, next })
    }
}

fn refused(what: &'static str, why: &'static str) -> TableError {
    TableError { what, source: why.into() }
}
