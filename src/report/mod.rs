//! What people see in a terminal.

pub mod markdown;
pub mod text;
