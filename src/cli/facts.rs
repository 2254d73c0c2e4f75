//! `trailhound facts`: what was learnt, looked at, and moved between a replay and the table of a deployment.

mod inspect;
#[cfg(not(feature = "aws"))]
#[path = "facts/no_table.rs"]
mod table;
#[cfg(feature = "aws")]
mod table;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Done;

const EXAMPLES: &str = "\
Examples:
  trailhound facts inspect ci-deploy --facts FILE            what is remembered of an actor or a resource
  trailhound facts push FILE --table TABLE                   start a deployment with what a replay learnt
  trailhound facts pull FILE --table TABLE                   what a deployment learnt, for replay --facts-in";

/// Look at facts; move them between a file and the table of a deployment
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Push(Push),
    Pull(Pull),
}

/// Join the facts of a file (`replay --facts-out`) into a table; can be repeated, and taken up again
#[derive(Debug, Args)]
struct Push {
    /// The file
    file: PathBuf,
    /// The table in DynamoDB
    #[arg(long, value_name = "NAME")]
    table: String,
}

/// Write all facts of a table to a file (`replay --facts-in`)
#[derive(Debug, Args)]
struct Pull {
    /// The file; one that is there is replaced, once all facts are read
    file: PathBuf,
    /// The table in DynamoDB
    #[arg(long, value_name = "NAME")]
    table: String,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    match &arguments.command {
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Push(arguments) => table::push(arguments),
        Command::Pull(arguments) => table::pull(arguments),
    }
}
