//! `trailhound detectors`.

use std::io::Write as _;

use anstyle::AnsiColor;

use super::{Done, Refused, columns, exit};
use crate::detectors::catalogue::{self, Entry};
use crate::report::markdown;

const EXAMPLES: &str = "\
Examples:
  trailhound detectors                            the list
  trailhound detectors access_denied_spike        what it looks for, when it fires, known false positives";

/// List the detectors, or explain one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A detector; its documentation is shown
    name: Option<String>,
}

/// Lists or explains.
pub(super) fn run(arguments: &Arguments) -> Done {
    let mut stdout = anstream::stdout().lock();
    match &arguments.name {
        Some(name) => {
            let entry = find(name)?;
            if !entry.docs.starts_with("# ") {
                markdown::write(&mut stdout, &format!("# {}\n\n", entry.name), columns())?;
            }
            markdown::write(&mut stdout, entry.docs, columns())?;
        }
        None => {
            let name = AnsiColor::Cyan.on_default();
            let width = catalogue::ENTRIES.iter().map(|e| e.name.len()).max().unwrap_or(0);
            for entry in catalogue::ENTRIES {
                writeln!(stdout, "{name}{:width$}{name:#}  {}", entry.name, entry.purpose)?;
            }
        }
    }
    Ok(exit::OK)
}

fn find(name: &str) -> Result<&'static Entry, Refused> {
    catalogue::ENTRIES.iter().find(|e| e.name == name).ok_or_else(|| {
        let names = || catalogue::ENTRIES.iter().map(|e| e.name);
        let nearest = names()
            .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
            .filter(|n| strsim::jaro_winkler(name, n) > 0.7);
        Refused(match nearest {
            Some(nearest) => format!("no detector is called `{name}`; did you mean `{nearest}`?"),
            None => format!(
                "no detector is called `{name}`; there are {}",
                names().collect::<Vec<_>>().join(", ")
            ),
        })
    })
}
