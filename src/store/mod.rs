//! Facts at rest.

#[cfg(feature = "aws")]
pub mod dynamo;
pub mod facts;
pub mod item;
pub mod memory;
pub mod snapshot;
pub mod table;

pub use facts::FactStore;
pub use memory::MemoryTable;
pub use table::Table;
