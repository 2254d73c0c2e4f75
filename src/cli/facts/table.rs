//! `trailhound facts push` and `pull`: the table of a deployment.

use std::future::Future;
use std::io::{IsTerminal as _, stderr};
use std::time::{SystemTime, UNIX_EPOCH};

use anstream::println;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Builder;
use trailhound_detectors::EventTime;
use trailhound_detectors::catalogue::Ledgers;

use super::{Pull, Push};
use crate::aws;
use crate::cli::{Done, exit};
use crate::live::push;
use crate::store::dynamo::DynamoTable;
use crate::store::{FactStore, item, snapshot};

/// Keys told one by one when they could not be pushed.
const TOLD: usize = 10;

async fn open(table: &str) -> FactStore<DynamoTable> {
    let sdk = aws::of_command().await;
    FactStore::new(DynamoTable::new(aws::dynamodb(&sdk), table))
}

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// A bar for people, nothing elsewhere. A total of 0 is not known.
fn bar(total: u64, what: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        0 => (ProgressBar::new_spinner(), "{spinner:.cyan} {pos} {msg}"),
        _ => {
            (ProgressBar::new(total), "{spinner:.cyan} {wide_bar:.cyan/dim} {pos} of {len} {msg}, {eta} left")
        }
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.with_message(what.to_owned())
}

/// All facts of a table.
pub(super) fn all(table: &str) -> anyhow::Result<Ledgers> {
    wait(async {
        let mut ledgers = Ledgers::default();
        let bar = bar(0, "rows read");
        item::pull(&open(table).await, &mut ledgers, |rows| bar.set_position(rows)).await?;
        bar.finish_and_clear();
        Ok(ledgers)
    })
}

pub(super) fn pull(Pull { file, table }: &Pull) -> Done {
    let ledgers = all(table)?;
    snapshot::save(&ledgers, file)?;
    let keys: usize = ledgers.keys().iter().map(|(_, keys)| keys).sum();
    println!("{keys} keys in {}", file.display());
    Ok(exit::OK)
}

pub(super) fn push(Push { file, table }: &Push) -> Done {
    let ledgers = snapshot::load(file)?;
    let now = EventTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed());
    let bar = bar(ledgers.keys().iter().map(|(_, keys)| *keys as u64).sum(), "keys joined");
    let watch = |done| bar.set_position(done);
    let pushed = wait(async { Ok(push::push(&open(table).await, ledgers, now, watch).await) })?;
    bar.finish_and_clear();
    println!("{} keys, {} rows written", pushed.keys, pushed.written);
    if pushed.failed.is_empty() {
        return Ok(exit::OK);
    }
    let told: Vec<&str> = pushed.failed.iter().take(TOLD).map(String::as_str).collect();
    let failed = pushed.failed.len() as u64 + pushed.untried;
    anyhow::bail!("{failed} keys could not be joined; push again\n{}", told.join("\n"))
}
