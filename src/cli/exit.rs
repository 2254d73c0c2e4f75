//! Exit codes: part of the interface, as stable as the alerts' fields.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; whether there were alerts or not |
//! | 1 | failed: a file that can't be written, facts that can't be loaded, no input at all |
//! | 2 | refused before reading anything: the command line or the configuration is wrong |
//! | 3 | done, but some of the input could not be read; the alerts are those of the rest |
//! | 4 | done, and an alert reached the severity of `--fail-on`; outranks 3 |
//! | 130 | interrupted (Ctrl-C or a termination signal); nothing half-written is left behind |
//!
//! A reader that closes the pipe early (`| head`) is no error.

/// Done.
pub const OK: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Refused before reading anything.
pub const USAGE: u8 = 2;
/// Done, but some of the input could not be read.
pub const UNREADABLE: u8 = 3;
/// Done, and an alert reached the severity of `--fail-on`.
pub const ALERTED: u8 = 4;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;
