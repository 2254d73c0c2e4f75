//! Trails that lie in S3, for `replay`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::replay::Inputs;
use crate::aws;
use crate::ingest::ahead::Ahead;
use crate::ingest::folders::Wanted;
use crate::ingest::s3::S3;
use crate::ingest::s3::list::{ListError, Listing, Root};
use crate::report::figures;

/// How often the count of objects found is told.
const INTERVAL: Duration = Duration::from_millis(200);
/// Threads that talk to S3; parsing has threads of its own.
const THREADS: usize = 2;

/// Folders of buckets, and paths of this machine.
pub(super) fn told_apart(paths: Vec<PathBuf>) -> (Vec<Root>, Vec<PathBuf>) {
    let (mut buckets, mut rest) = (Vec::new(), Vec::new());
    for path in paths {
        match path.to_str().and_then(Root::parse) {
            Some(root) => buckets.push(root),
            None => rest.push(path),
        }
    }
    (buckets, rest)
}

/// Lists what is wanted of some folders of buckets. All must lie in one region.
pub(super) fn open(roots: &[Root], wanted: &Wanted, max_stored_bytes: u64) -> anyhow::Result<Inputs> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let sdk = runtime.block_on(aws::of_command());
    let mut s3 = S3::new(aws::s3(&sdk));
    let (mut files, mut outside) = (Vec::new(), 0);
    for root in roots {
        let mut listing = look(&runtime, &s3, root, wanted);
        if let Err(ListError::Elsewhere { region, .. }) = listing {
            s3 = S3::new(aws::s3_in(&sdk, Some(region)));
            listing = look(&runtime, &s3, root, wanted);
        }
        let listing = listing?;
        files.extend(listing.files);
        outside += listing.outside;
    }
    Ok(Inputs { files, outside, shelf: Arc::new(Ahead::new(s3, max_stored_bytes, runtime)) })
}

/// Lists one folder, and tells people how far that has come.
fn look(runtime: &Runtime, s3: &S3, root: &Root, wanted: &Wanted) -> Result<Listing, ListError> {
    let found = AtomicU64::new(0);
    runtime.block_on(async {
        let listing = s3.list(root, wanted, &found);
        tokio::pin!(listing);
        if !io::stderr().is_terminal() {
            return listing.await;
        }
        loop {
            tokio::select! {
                listed = &mut listing => {
                    let _ = write!(io::stderr(), "\r\x1b[K");
                    return listed;
                }
                () = tokio::time::sleep(INTERVAL) => {
                    let found = figures::count(found.load(Ordering::Relaxed));
                    // Progress that can't be shown is no reason to stop.
                    let _ = write!(io::stderr(), "\r\x1b[Klisting: {found} objects");
                }
            }
        }
    })
}
