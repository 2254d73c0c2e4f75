//! Facts at rest.

pub mod snapshot;
