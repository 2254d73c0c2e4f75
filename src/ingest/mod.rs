//! Where log objects come from.

pub mod local;
pub mod origin;

pub use local::{IngestError, LocalFile};
pub use origin::{ObjectKind, Origin};
