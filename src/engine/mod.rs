//! One engine: bytes of log objects become facts, facts become findings. Live, replay and tune call it; nothing else
//! decides anything.

pub mod blind;
pub mod distinct;
pub mod lateness;
pub mod tally;
pub mod worker;
