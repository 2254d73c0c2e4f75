//! Trailhound: reads CloudTrail, remembers, judges, alerts.

pub mod store;
