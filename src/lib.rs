//! Trailhound: reads CloudTrail, remembers, judges, alerts.

pub mod engine;
pub mod store;
