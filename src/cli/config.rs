//! `trailhound config`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{Done, Refused, exit};
use crate::config::{Config, LoadError};

const EXAMPLES: &str = "\
Examples:
  trailhound config default > trailhound.toml     every field, its meaning and its default
  trailhound config check trailhound.toml         is it right? says where it is not
  trailhound config schema > trailhound.schema.json   for completion in an editor";

/// Write the default configuration, check one, or write the schema
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Write the default configuration, with comments, to standard output
    Default,
    /// Check a configuration; every mistake is told with its line
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Write the JSON schema of the configuration to standard output
    Schema,
}

/// Does what was asked.
pub(super) fn run(arguments: &Arguments) -> Done {
    match &arguments.action {
        Action::Default => io::stdout().lock().write_all(Config::commented_default().as_bytes())?,
        Action::Check { file } => {
            let config = Config::load(file).map_err(refused)?;
            writeln!(
                io::stdout().lock(),
                "{}: right; {} suppressions; {}",
                file.display(),
                config.suppressions.len(),
                config.digest()
            )?;
        }
        Action::Schema => {
            let mut stdout = io::stdout().lock();
            serde_json::to_writer_pretty(&mut stdout, &Config::schema()).map_err(io::Error::from)?;
            writeln!(stdout)?;
        }
    }
    Ok(exit::OK)
}

/// A configuration that is wrong is a mistake of the command line; one that can't be read is a failure.
pub(super) fn refused(error: LoadError) -> anyhow::Error {
    match error {
        LoadError::Read { .. } => error.into(),
        LoadError::Refused { .. } => Refused(format!("the configuration is refused\n{error}")).into(),
    }
}
