//! Where log objects come from.

#[cfg(feature = "aws")]
pub mod ahead;
pub mod allow;
pub mod envelope;
pub mod file;
pub mod folders;
pub mod local;
pub mod origin;
#[cfg(feature = "aws")]
pub mod s3;
pub mod source;

pub use allow::Allow;
pub use envelope::ObjectRef;
pub use file::{Disk, LogFile, S3File, Shelf};
pub use local::{IngestError, LocalFile};
pub use origin::{ObjectKind, Origin};
