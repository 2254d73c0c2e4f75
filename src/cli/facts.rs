//! `trailhound facts`: what was learnt, moved between a replay and the table of a deployment.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anstream::println;
use clap::{Args, Subcommand};
use tokio::runtime::Builder;
use trailhound_detectors::EventTime;
use trailhound_detectors::catalogue::Ledgers;

use super::{Done, exit};
use crate::aws;
use crate::live::push;
use crate::store::dynamo::DynamoTable;
use crate::store::{FactStore, item, snapshot};

/// Keys told one by one when they could not be pushed.
const TOLD: usize = 10;

/// Move facts between a file and the table of a deployment
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join the facts of a file (`replay --facts-out`) into a table
    Push {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        table: Table,
    },
    /// Write all facts of a table to a file (`replay --facts-in`)
    Pull {
        /// The file; one that is there is replaced
        file: PathBuf,
        #[command(flatten)]
        table: Table,
    },
}

#[derive(Debug, Args)]
struct Table {
    /// The table in DynamoDB
    #[arg(long, value_name = "NAME")]
    table: String,
}

impl Table {
    async fn open(self) -> FactStore<DynamoTable> {
        let sdk = aws::of_command().await;
        FactStore::new(DynamoTable::new(aws::dynamodb(&sdk), self.table))
    }
}

pub(super) fn run(arguments: Arguments) -> Done {
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        match arguments.command {
            Command::Push { file, table } => join(snapshot::load(&file)?, table).await,
            Command::Pull { file, table } => {
                let mut ledgers = Ledgers::default();
                item::pull(&table.open().await, &mut ledgers).await?;
                snapshot::save(&ledgers, &file)?;
                let keys: usize = ledgers.keys().iter().map(|(_, keys)| keys).sum();
                println!("{keys} keys in {}", file.display());
                Ok(exit::OK)
            }
        }
    })
}

async fn join(ledgers: Ledgers, table: Table) -> Done {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed();
    let pushed = push::push(&table.open().await, ledgers, EventTime(now)).await;
    println!("{} keys, {} rows written", pushed.keys, pushed.written);
    if pushed.failed.is_empty() {
        return Ok(exit::OK);
    }
    let told: Vec<&str> = pushed.failed.iter().take(TOLD).map(String::as_str).collect();
    anyhow::bail!("{} keys could not be joined; push again\n{}", pushed.failed.len(), told.join("\n"))
}
