//! Trailhound: reads CloudTrail, remembers, judges, alerts.
