//! Where log objects come from.

pub mod allow;
pub mod envelope;
pub mod local;
pub mod origin;
#[cfg(feature = "aws")]
pub mod s3;
pub mod source;

pub use allow::Allow;
pub use envelope::ObjectRef;
pub use local::{IngestError, LocalFile};
pub use origin::{ObjectKind, Origin};
