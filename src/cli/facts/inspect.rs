//! `trailhound facts inspect`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{Done, Refused, exit};
use crate::detectors::catalogue::Ledgers;
use crate::report::facts;
use crate::store::snapshot;

const EXAMPLES: &str = "\
Examples:
  trailhound facts inspect ci-deploy --facts FILE            everything remembered of an actor or a resource
  trailhound facts inspect arn:aws:s3:::data --facts FILE --format json
  trailhound facts inspect 123456789012 --table TABLE        of an account, from a deployment";

/// Show what is remembered of an actor, a resource or an account
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// An ARN, the name at its end, or an account id
    who: String,
    #[command(flatten)]
    from: From,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Where the facts lie: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct From {
    /// A file that `replay --facts-out` wrote
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// The table of a deployment in DynamoDB; all of it is read
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl From {
    fn load(&self) -> anyhow::Result<Ledgers> {
        if let Some(table) = &self.table {
            return super::table::all(table);
        }
        match &self.facts {
            Some(file) => Ok(snapshot::load(file)?),
            None => Err(Refused("give --facts FILE".to_owned()).into()),
        }
    }
}

pub(super) fn run(Arguments { who, from, format }: &Arguments) -> Done {
    let ledgers = from.load()?;
    let found = facts::about(&ledgers, who);
    if found.is_empty() {
        let alike = facts::suggestions(&ledgers, who);
        let alike: Vec<String> =
            alike.iter().map(|name| crate::report::text::plain(name).into_owned()).collect();
        let hint = if alike.is_empty() {
            "give an ARN as logs name it, the name at its end, or an account id".to_owned()
        } else {
            format!("did you mean one of these?\n  {}", alike.join("\n  "))
        };
        anyhow::bail!("nothing is remembered of `{}`; {hint}", crate::report::text::plain(who));
    }
    let mut stdout = anstream::stdout().lock();
    match format {
        Format::Text => facts::write(&mut stdout, &found)?,
        Format::Json => {
            for one in &found {
                serde_json::to_writer(&mut stdout, one)?;
                writeln!(stdout)?;
            }
        }
    }
    Ok(exit::OK)
}
