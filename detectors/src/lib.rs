//! Trailhound's detectors: values in, values out. No I/O, no clock, no async.
//!
//! Every detector is two functions: [`Detector::observe`] grows facts, which can be joined in any order, and
//! [`Detector::judge`] decides from them alone. The catalogue in [`catalogue`] is the list of them all.

pub mod access_denied_spike;
pub mod access_level;
pub mod action;
pub mod actor;
pub mod baseline;
pub mod catalogue;
pub mod chain;
pub mod days;
pub mod detector;
pub mod environment;
pub mod event;
pub mod event_id;
pub mod few;
pub mod finding;
pub mod first_time_privilege;
pub mod gathering;
pub mod invocation_surge;
mod joined;
pub mod json;
mod lately;
pub mod lattice;
pub mod ledger;
pub mod policy_change;
pub mod short;
pub mod story;
mod strings;
#[cfg(test)]
mod testing;
pub mod time;
pub mod window;

pub use access_level::AccessLevel;
pub use action::{Action, ActionTable};
pub use actor::{Actor, ActorKind, ActorTable, Identity};
pub use detector::{Around, ConfigError, Detector, Lookup};
pub use environment::Environment;
pub use event::{CallId, Category, Event, Parts, Session, Timeliness};
pub use event_id::EventId;
pub use finding::{Circumstances, Evidence, Finding, Severity};
pub use lattice::Join;
pub use ledger::{Class, Facts, Key, KeyRef, Ledger};
pub use time::{EventTime, TimeRange};
