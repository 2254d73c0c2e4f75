//! Facts of a replay joined into the table that live shares: a deployment starts with baselines instead of learning them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use trailhound_detectors::EventTime;
use trailhound_detectors::catalogue::Ledgers;

use super::KEPT;
use super::cache::Cache;
use super::desk::Desk;
use super::kind::{self, FactKey};
use super::read::{Batch, Touched};
use super::report::StoreCounts;
use super::working::Working;
use crate::store::{FactStore, Table};

/// Keys joined at once.
const AT_ONCE: usize = 1_000;
/// Time for those.
const TIME: Duration = Duration::from_secs(300);

/// What became of pushed facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Keys there were.
    pub keys: u64,
    /// Rows written; what the table already knew is not written again.
    pub written: u64,
    /// Keys that could not be joined, and why; pushing again does no harm.
    pub failed: Vec<String>,
    /// Keys not even tried, because none before them went through.
    pub untried: u64,
}

/// Keys that may fail before the rest is not tried: the table is not there, or refuses everything.
const FAILURES: usize = 2 * AT_ONCE;

/// Joins facts into a table, whatever is in it and whoever else writes. `watch` is told how many keys are done.
pub async fn push<T: Table>(
    store: &FactStore<T>,
    ledgers: Ledgers,
    now: EventTime,
    mut watch: impl FnMut(u64),
) -> Pushed {
    let kinds = kind::kinds();
    let mut keys: Vec<FactKey> = kinds.iter().flat_map(|kind| kind.keys(&ledgers)).collect();
    keys.sort_unstable();
    let mut pushed = Pushed { keys: keys.len() as u64, ..Pushed::default() };
    let mut batch = Batch { ledgers, ..Batch::default() };
    let mut done = 0;
    for keys in keys.chunks(AT_ONCE) {
        let nothing = Touched { objects: Vec::new(), since: now };
        batch.touched = keys.iter().map(|key| (key.clone(), nothing.clone())).collect::<BTreeMap<_, _>>();
        let cache = Cache::new(0);
        let mut desk = Desk {
            store,
            cache: &cache,
            kinds: &kinds,
            deadline: Instant::now() + TIME,
            tidy: None,
            expires: now.plus(KEPT),
            renew_before: now.plus(KEPT / 2),
            counts: StoreCounts::default(),
        };
        let troubles = desk.settle(&batch, &mut Working::default()).await;
        pushed.written += desk.counts.writes - desk.counts.conflicts;
        let told = troubles.iter().map(|(key, trouble)| {
            format!("facts of {} about {}: {trouble}", kinds[usize::from(key.kind)].name(), key.key.entity)
        });
        pushed.failed.extend(told);
        done += keys.len() as u64;
        watch(done);
        if pushed.failed.len() as u64 == done && pushed.failed.len() >= FAILURES {
            pushed.untried = pushed.keys - done;
            break;
        }
    }
    pushed
}
