//! Fetching ahead of those who read: objects come over the network side by side while others are being parsed, and never
//! more bytes than are allowed wait to be read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::ObjectRef;
use super::file::{Disk, LogFile, Shelf};
use super::local::IngestError;
use super::source::{FetchError, Source};

/// Objects fetched at once: S3 answers one after some tens of milliseconds.
const FETCHES: usize = 32;
/// Stored bytes fetched, or being fetched, and not yet read.
const BYTES_IN_FLIGHT: u64 = 64 << 20;
/// Bytes are handed out in pieces of this size.
const PIECE: u64 = 64 << 10;
/// Whoever takes longer than this for one object, with all attempts, is not going to deliver it.
const PATIENCE: Duration = Duration::from_secs(180);

/// Log objects of a store, fetched before they are asked for.
pub struct Ahead<S> {
    inner: Arc<Inner<S>>,
    runtime: Runtime,
}

struct Inner<S> {
    source: S,
    limit: u64,
    fetches: Arc<Semaphore>,
    room: Arc<Semaphore>,
    slots: Mutex<BTreeMap<ObjectRef, Slot>>,
}

enum Slot {
    /// On its way.
    Coming(oneshot::Receiver<Fetched>),
    /// Somebody could not wait, and fetched it.
    Taken,
}

/// An object, and the room it takes until it is read.
struct Fetched {
    bytes: Result<Vec<u8>, FetchError>,
    _room: OwnedSemaphorePermit,
}

impl<S> fmt::Debug for Ahead<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").finish_non_exhaustive()
    }
}

impl<S: Source + 'static> Ahead<S> {
    /// Objects of `source`, at most `limit` bytes each, fetched on `runtime`.
    pub fn new(source: S, limit: u64, runtime: Runtime) -> Self {
        let room = usize::try_from(BYTES_IN_FLIGHT / PIECE).unwrap_or(1);
        let inner = Inner {
            source,
            limit,
            fetches: Arc::new(Semaphore::new(FETCHES)),
            room: Arc::new(Semaphore::new(room)),
            slots: Mutex::default(),
        };
        Self { inner: Arc::new(inner), runtime }
    }
}

impl<S: Source + 'static> Inner<S> {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<ObjectRef, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches objects one after another, many at a time, as room comes free.
    async fn fetch_all(self: Arc<Self>, objects: Vec<(ObjectRef, u64)>) {
        for (object, bytes) in objects {
            let pieces = u32::try_from(bytes.min(BYTES_IN_FLIGHT).div_ceil(PIECE)).unwrap_or(u32::MAX).max(1);
            // Neither is ever closed.
            let Ok(fetch) = Arc::clone(&self.fetches).acquire_owned().await else { return };
            let Ok(room) = Arc::clone(&self.room).acquire_many_owned(pieces).await else { return };
            let (send, coming) = oneshot::channel();
            {
                let mut slots = self.slots();
                if let Some(Slot::Taken) = slots.remove(&object) {
                    continue;
                }
                slots.insert(object.clone(), Slot::Coming(coming));
            }
            let inner = Arc::clone(&self);
            tokio::spawn(async move {
                let bytes = inner.fetch(&object).await;
                drop(fetch);
                // Nobody waits any more when the replay was stopped.
                let _ = send.send(Fetched { bytes, _room: room });
            });
        }
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Vec<u8>, FetchError> {
        let fetched = timeout(PATIENCE, self.source.fetch(object, self.limit)).await;
        fetched.unwrap_or_else(|_| Err(FetchError::Failed("it came too slowly".into())))
    }

    /// What is on its way; or nothing, and then nobody else will fetch it.
    fn coming(&self, object: &ObjectRef) -> Option<oneshot::Receiver<Fetched>> {
        let mut slots = self.slots();
        match slots.remove(object) {
            Some(Slot::Coming(coming)) => Some(coming),
            _ => {
                slots.insert(object.clone(), Slot::Taken);
                None
            }
        }
    }
}

impl<S: Source + 'static> Shelf for Ahead<S> {
    fn expect(&self, files: &[LogFile]) {
        let objects = files.iter().filter_map(|file| match file {
            LogFile::S3(file) if file.bytes <= self.inner.limit => Some((file.object.clone(), file.bytes)),
            _ => None,
        });
        self.runtime.spawn(Arc::clone(&self.inner).fetch_all(objects.collect()));
    }

    fn read(&self, file: &LogFile, limit: u64, into: &mut Vec<u8>) -> Result<(), IngestError> {
        let LogFile::S3(file) = file else { return Disk.read(file, limit, into) };
        let object = &file.object;
        into.clear();
        let failed = |why| IngestError::Fetch { object: object.uri(), why };
        if file.bytes > self.inner.limit {
            return Err(failed(FetchError::TooLarge { limit: self.inner.limit }));
        }
        let fetched = match self.inner.coming(object) {
            // Its sender is gone only when fetching panicked.
            Some(coming) => match coming.blocking_recv() {
                Ok(fetched) => fetched.bytes,
                Err(e) => Err(FetchError::Failed(e.into())),
            },
            None => self.runtime.block_on(self.inner.fetch(object)),
        };
        *into = fetched.map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::Builder;

    use super::*;

    /// Objects full of the last byte of their name; counts how many are being fetched at once.
    #[derive(Default)]
    struct Store {
        now: AtomicUsize,
        most: AtomicUsize,
        fetched: AtomicUsize,
        slow: Option<Duration>,
    }

    impl Source for Arc<Store> {
        async fn fetch(&self, object: &ObjectRef, _: u64) -> Result<Vec<u8>, FetchError> {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(self.slow.unwrap_or(Duration::from_millis(2))).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            self.fetched.fetch_add(1, Ordering::SeqCst);
            match object.key.as_bytes() {
                [.., b'!'] => Err(FetchError::Missing),
                [.., last] => Ok(vec![*last; usize::try_from(object.size.unwrap_or(1)).unwrap_or(1)]),
                [] => Err(FetchError::Missing),
            }
        }
    }

    fn file(key: &str, bytes: u64) -> LogFile {
        LogFile::in_s3(ObjectRef { bucket: "trail".into(), key: key.into(), size: Some(bytes) }, bytes)
    }

    fn ahead(store: &Arc<Store>) -> Ahead<Arc<Store>> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Ahead::new(Arc::clone(store), 32 << 20, runtime)
    }

    #[test]
    fn readers_get_each_its_own_and_fetches_go_side_by_side() {
        let store = Arc::new(Store::default());
        let shelf = ahead(&store);
        let files: Vec<LogFile> = (0..400).map(|n| file(&format!("{n}-{}", n % 10), 3)).collect();
        shelf.expect(&files);
        std::thread::scope(|scope| {
            for half in files.chunks(200) {
                let shelf = &shelf;
                scope.spawn(move || {
                    let mut bytes = Vec::new();
                    for file in half {
                        shelf.read(file, 1 << 20, &mut bytes).unwrap();
                        assert_eq!(bytes, [*file.origin().name.as_bytes().last().unwrap(); 3]);
                    }
                });
            }
        });
        assert_eq!(store.fetched.load(Ordering::SeqCst), 400, "each is fetched once");
        let most = store.most.load(Ordering::SeqCst);
        // Readers that run ahead of the order fetch for themselves.
        assert!((4..=FETCHES + 2).contains(&most), "{most}");
    }

    #[test]
    fn what_waits_to_be_read_is_bounded() {
        let store = Arc::new(Store::default());
        let shelf = ahead(&store);
        let files: Vec<LogFile> = (0..10).map(|n| file(&format!("large-{n}"), 16 << 20)).collect();
        shelf.expect(&files);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(store.fetched.load(Ordering::SeqCst), 4, "four fill the room");
        let mut bytes = Vec::new();
        for file in files.iter().rev() {
            shelf.read(file, 1 << 30, &mut bytes).unwrap();
            assert_eq!(bytes.len(), 16 << 20);
        }
        assert_eq!(store.fetched.load(Ordering::SeqCst), 10);
    }

    #[test]
    fn what_can_not_be_had_is_said_with_its_name() {
        let shelf = ahead(&Arc::new(Store::default()));
        let (missing, large) = (file("gone!", 5), file("large", 64 << 20));
        shelf.expect(&[missing.clone(), large.clone()]);
        let mut bytes = b"older".to_vec();
        let said = shelf.read(&missing, 10, &mut bytes).unwrap_err().to_string();
        assert!(said.contains("s3://trail/gone!") && bytes.is_empty(), "{said}");
        let said = shelf.read(&large, 10, &mut bytes).unwrap_err().to_string();
        assert!(said.contains("s3://trail/large") && said.contains("larger"), "{said}");
    }
}
