//! The command line: one file a command.
//!
//! Each command has two stages. Its arguments struct is what was *typed*; a method turns it into what that *means*, and
//! refuses what means nothing before anything is read. Only this module and those below it talk to the terminal.

#[cfg(feature = "aws")]
mod bucket;
mod completions;
mod config;
mod demo;
mod detectors;
mod dresser;
pub mod exit;
mod explain_policy;
mod facts;
mod interrupt;
mod moment;
mod progress;
mod replay;
mod simulate;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::builder::styling::Styles;
use clap::{Parser, Subcommand};

/// What a command ends with: an exit code, or why it failed.
type Done = anyhow::Result<u8>;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold().underline())
    .usage(Style::new().bold().underline())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

const EXAMPLES: &str = "\
Examples:
  trailhound demo                                 see it work on a simulated organisation
  trailhound replay ./AWSLogs                     judge a trail on disk, alerts to the terminal
  trailhound replay ./AWSLogs --format json       the same as JSON lines
  trailhound detectors first_time_privilege       what a detector looks for, and when it errs
  trailhound config default > trailhound.toml     start a configuration

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 some input unreadable,
4 alerts reached --fail-on, 130 interrupted.";

/// CloudTrail anomaly detection: risky policy changes, AccessDenied spikes, first-time privilege use, invocation surges.
#[derive(Debug, Parser)]
#[command(name = "trailhound", version, styles = STYLES, after_help = EXAMPLES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Replay(replay::Arguments),
    Simulate(simulate::Arguments),
    ExplainPolicy(explain_policy::Arguments),
    Facts(facts::Arguments),
    Detectors(detectors::Arguments),
    Config(config::Arguments),
    Completions(completions::Arguments),
}

/// Runs a command line, program name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(refusal) => {
            // Nobody is left to be told when even this can't be written.
            let _ = refusal.print();
            return ExitCode::from(if refusal.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    let done = match arguments.command {
        Command::Replay(arguments) => replay::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::ExplainPolicy(arguments) => explain_policy::run(&arguments),
        Command::Facts(arguments) => facts::run(&arguments),
        Command::Detectors(arguments) => detectors::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    ExitCode::from(match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => exit::OK,
        Err(error) => {
            let code = if error.is::<Refused>() { exit::USAGE } else { exit::FAILED };
            let _ = tell(&error);
            code
        }
    })
}

/// What was typed means nothing; the text says what would. Ends with [`exit::USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

/// `error:` and the chain of causes, each on its line.
fn tell(error: &anyhow::Error) -> io::Result<()> {
    let red = AnsiColor::Red.on_default().bold();
    let mut stderr = anstream::stderr().lock();
    writeln!(stderr, "{red}error:{red:#} {error}")?;
    for cause in error.chain().skip(1) {
        writeln!(stderr, "  because: {cause}")?;
    }
    Ok(())
}

/// One thread a core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The width of the terminal, or a readable one.
fn columns() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}

/// The reader has seen enough: not worth a word.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_broken_pipe_is_found_below_other_words() {
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("failed to write");
        assert!(is_broken_pipe(&pipe));
        assert!(!is_broken_pipe(&anyhow::anyhow!("another")));
    }
}
