//! `trailhound completions`.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Done, exit};

const EXAMPLES: &str = "\
Examples:
  trailhound completions bash > ~/.local/share/bash-completion/completions/trailhound
  trailhound completions zsh > ~/.zfunc/_trailhound
  trailhound completions fish > ~/.config/fish/completions/trailhound.fish";

/// Write completions for a shell to standard output
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Writes them.
pub(super) fn run(arguments: &Arguments) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "trailhound", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(exit::OK)
}
