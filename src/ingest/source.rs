//! Where the bytes of objects come from.

use std::error::Error;
use std::future::Future;

use super::envelope::ObjectRef;

/// An object that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not there, or may not be read.
    #[error("no such object, or no permission to read it")]
    Missing,
    /// Not at hand.
    #[error("moved to an archive: restore it first (aws s3api restore-object)")]
    Archived,
    /// There, and not to be had.
    #[error("S3 refuses to hand it out ({0})")]
    Refused(String),
    /// Larger than any log object.
    #[error("larger than the {limit} bytes allowed")]
    TooLarge {
        /// The bytes allowed.
        limit: u64,
    },
    /// The store of objects did not answer, or not to the end.
    #[error("the object could not be read")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// A store of objects.
pub trait Source: Send + Sync {
    /// The bytes of an object, as they are stored; at most `limit` of them.
    fn fetch(
        &self,
        object: &ObjectRef,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, FetchError>> + Send;
}
