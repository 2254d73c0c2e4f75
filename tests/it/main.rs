//! One binary for all integration tests: they share their linking.
//!
//! `TRAILHOUND_BLESS=1 cargo test --test it` rewrites what is generated (`docs/detectors.md`);
//! `INSTA_UPDATE=always cargo test` rewrites snapshots. Read the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

mod cli;
mod explain_policy;
mod generated;
mod parity;
mod tidy;
mod trailhound;
mod trails;
