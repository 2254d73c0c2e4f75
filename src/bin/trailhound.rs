//! Trailhound on the command line. What its exit codes mean stands in [`trailhound::cli::exit`].

use std::process::ExitCode;

fn main() -> ExitCode {
    trailhound::cli::run(std::env::args_os())
}
