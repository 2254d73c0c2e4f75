//! Rows by name, with conditional writes: all that facts at rest ask of a database.

use std::error::Error;
use std::future::Future;

use trailhound_detectors::EventTime;

/// Most rows asked for at once: what one read of DynamoDB may hold.
pub const READ_BATCH: usize = 100;
/// Largest body of a row, bytes. DynamoDB takes 400 KB with names and all.
pub const MAX_BODY: usize = 380 * 1_024;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counts up with every write.
    pub version: u64,
    /// When the table may drop the row.
    pub expires: EventTime,
    /// What it holds.
    pub body: Vec<u8>,
}

/// What must be so for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no such row.
    Absent,
    /// The row has this version.
    Version(u64),
    /// Nothing.
    Always,
}

/// A database that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}")]
pub struct TableError {
    /// What was asked.
    pub what: &'static str,
    /// Why it was not done.
    pub source: Box<dyn Error + Send + Sync>,
}

/// A row that was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The condition does not hold: somebody else wrote.
    #[error("somebody else wrote the row")]
    Conflict,
    /// Not known to be written, and not known not to be.
    #[error(transparent)]
    Failed(#[from] TableError),
}

/// One page of a scan.
#[derive(Debug, Default)]
pub struct Page {
    /// Rows with their names.
    pub rows: Vec<(String, Row)>,
    /// What to ask with for the next page; nothing after the last.
    pub next: Option<String>,
}

/// A table of rows. Reads see every write acknowledged before them.
pub trait Table: Send + Sync {
    /// Rows by name, in the order of the names, of which there are at most [`READ_BATCH`].
    fn get(&self, names: &[String]) -> impl Future<Output = Result<Vec<Option<Row>>, TableError>> + Send;

    /// Writes a row if the condition holds.
    fn put(
        &self,
        name: &str,
        row: Row,
        condition: Condition,
    ) -> impl Future<Output = Result<(), PutError>> + Send;

    /// Deletes a row, if it is there.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), TableError>> + Send;

    /// All rows, page by page, in no particular order.
    fn scan(&self, from: Option<String>) -> impl Future<Output = Result<Page, TableError>> + Send;
}
