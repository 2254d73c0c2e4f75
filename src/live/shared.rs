//! Rows that every process joins its part into: when what was delivered, what is held back.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use trailhound_detectors::EventTime;

use super::desk::{Trouble, pause};
use crate::store::facts::{FactStore, Stamp};
use crate::store::item::ItemError;
use crate::store::table::{PutError, Table};

/// The form of all such rows; their first byte.
const FORM: u8 = 1;
/// How often a part is joined anew because somebody else wrote.
const ATTEMPTS: u32 = 16;

/// A value that processes share: joining is commutative, associative and idempotent.
pub(super) trait Shared: Serialize + DeserializeOwned + Default + PartialEq + Clone + Sync {
    /// What it is, for complaints.
    const NAME: &'static str;

    fn join(&mut self, other: &Self);
}

/// A shared row as it was read.
#[derive(Clone, Debug)]
pub(super) struct Shard<V> {
    pub(super) name: String,
    pub(super) value: V,
    stamp: Option<Stamp>,
}

/// The shared rows of these names.
pub(super) async fn load<V: Shared>(
    store: &FactStore<impl Table>,
    names: &[String],
    deadline: Instant,
) -> Result<Vec<Shard<V>>, Trouble> {
    let rows = timeout_at(deadline, store.load(names)).await.map_err(|_| Trouble::OutOfTime)??;
    let shard = |(name, row): (&String, Option<crate::store::facts::Stored>)| {
        let (value, stamp) = match row {
            Some(row) => (decode(&row.bytes)?, Some(row.stamp)),
            None => (V::default(), None),
        };
        Ok(Shard { name: name.clone(), value, stamp })
    };
    names.iter().zip(rows).map(shard).collect()
}

/// Writes a row that was read, unless somebody wrote it meanwhile.
async fn save<V: Shared>(
    store: &FactStore<impl Table>,
    shard: &Shard<V>,
    expires: EventTime,
    deadline: Instant,
) -> Result<(), Trouble> {
    let bytes = postcard::to_extend(&shard.value, vec![FORM]).map_err(|e| damaged::<V>(e.to_string()))?;
    let saved = store.save(&shard.name, &bytes, expires, shard.stamp.as_ref());
    match timeout_at(deadline, saved).await.map_err(|_| Trouble::OutOfTime)? {
        Ok(_) => Ok(()),
        Err(PutError::Conflict) => Err(Trouble::Contended),
        Err(PutError::Failed(error)) => Err(error.into()),
    }
}

/// Joins a part into a shared row, if that is news. Answers whether it was.
pub(super) async fn merge<V: Shared>(
    store: &FactStore<impl Table>,
    name: &str,
    part: &V,
    lasts: Lasts,
) -> Result<bool, Trouble> {
    change(store, name, lasts, |value: &mut V| value.join(part)).await
}

/// Changes a shared row, whoever else does, if there is anything to change. Answers whether there was.
pub(super) async fn change<V: Shared>(
    store: &FactStore<impl Table>,
    name: &str,
    Lasts { expires, deadline }: Lasts,
    change: impl Fn(&mut V),
) -> Result<bool, Trouble> {
    for attempt in 0..ATTEMPTS {
        let mut rows = load::<V>(store, &[name.to_owned()], deadline).await?;
        let Some(mut shard) = rows.pop() else { break };
        let before = shard.value.clone();
        change(&mut shard.value);
        if shard.value == before {
            return Ok(false);
        }
        match save(store, &shard, expires, deadline).await {
            Ok(()) => return Ok(true),
            Err(Trouble::Contended) => pause(attempt, deadline).await,
            Err(other) => return Err(other),
        }
    }
    Err(Trouble::Contended)
}

/// Until when a row is kept, and until when there is time to write it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasts {
    pub(super) expires: EventTime,
    pub(super) deadline: Instant,
}

/// Names of the shards of a sort of row.
pub(super) fn names(sort: &str, shards: usize) -> Vec<String> {
    (0..shards).map(|shard| format!("{sort}#{shard:02}")).collect()
}

fn decode<V: Shared>(bytes: &[u8]) -> Result<V, Trouble> {
    match bytes.split_first() {
        Some((&FORM, rest)) => postcard::from_bytes(rest).map_err(|e| damaged::<V>(e.to_string())),
        Some((form, _)) if *form > FORM => Err(Trouble::Item(ItemError::Newer {
            detector: V::NAME,
            found: (*form).into(),
            known: FORM.into(),
        })),
        _ => Err(damaged::<V>("no form".to_owned())),
    }
}

fn damaged<V: Shared>(what: String) -> Trouble {
    Trouble::Item(ItemError::Damaged { detector: V::NAME, what })
}

/// Long enough for one row, for what is not worth an invocation's time.
pub(super) const BRIEFLY: Duration = Duration::from_secs(5);
