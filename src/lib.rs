//! Trailhound: reads CloudTrail, remembers, judges, alerts.
//!
//! The detectors live in `trailhound-detectors`, and know neither files nor clocks. This crate is the shell around
//! them: it reads trails, keeps facts, dresses findings as alerts, and talks to people. `ARCHITECTURE.md` has the map.

pub mod alert;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cli;
pub mod config;
pub mod engine;
pub mod inflate;
pub mod ingest;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod live;
pub mod parse;
pub mod replay;
pub mod report;
pub mod simulate;
pub mod sink;
pub mod store;
pub mod suppress;
pub mod whole_file;

pub use trailhound_detectors as detectors;
