//! Trailhound on the command line. What its exit codes mean stands in [`trailhound::cli::exit`].

use std::process::ExitCode;

/// A fifth of a replay would be spent in the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    trailhound::cli::run(std::env::args_os())
}
