//! Where log objects come from.

pub mod allow;
pub mod envelope;
pub mod local;
pub mod origin;

pub use allow::Allow;
pub use envelope::ObjectRef;
pub use local::{IngestError, LocalFile};
pub use origin::{ObjectKind, Origin};
