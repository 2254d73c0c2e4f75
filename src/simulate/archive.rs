//! Writes log objects to disk: compressed on worker threads, the same bytes whatever their number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use libdeflater::{CompressionLvl, Compressor};

use super::SimulateError;
use super::delivery::LogFile;

/// AWS's files are about this small; libdeflate's output is the same on every machine.
const LEVEL: i32 = 6;
/// Files waiting to be compressed, for each worker.
const WAITING: usize = 4;

/// Where finished files go.
pub(super) struct Archive {
    queue: Sender<LogFile>,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    files: AtomicU64,
    json: AtomicU64,
    gzip: AtomicU64,
}

impl Written {
    /// Files, bytes of JSON, and bytes on disk.
    pub(super) fn totals(&self) -> (u64, u64, u64) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (of(&self.files), of(&self.json), of(&self.gzip))
    }
}

impl Archive {
    /// Runs `produce` with an archive in a folder; returns when everything is on disk. The first error of either side wins.
    pub(super) fn run<T>(
        folder: &Path,
        threads: usize,
        written: &Written,
        produce: impl FnOnce(&Self) -> Result<T, SimulateError>,
    ) -> Result<T, SimulateError> {
        let (queue, files) = bounded(WAITING * threads.max(1));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1))
                .map(|_| {
                    let files = files.clone();
                    scope.spawn(move || work(folder, &files, written))
                })
                .collect();
            drop(files);
            let produced = produce(&Self { queue });
            let mut stored = Ok(());
            for worker in workers {
                let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                stored = stored.and(result);
            }
            stored.and(produced)
        })
    }

    /// Hands over a file. Waits while the workers are behind.
    pub(super) fn store(&self, file: LogFile) -> Result<(), SimulateError> {
        // Workers go away only when one of them failed; its error is the one that is reported.
        self.queue.send(file).map_err(|_| SimulateError::Stopped)
    }
}

fn work(folder: &Path, files: &Receiver<LogFile>, written: &Written) -> Result<(), SimulateError> {
    let mut compressor = Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default());
    let mut gzip = Vec::new();
    for file in files {
        gzip.resize(compressor.gzip_compress_bound(file.json.len()), 0);
        let path = folder.join(&file.key);
        let length = compressor.gzip_compress(&file.json, &mut gzip).map_err(|_| SimulateError::Write {
            path: path.clone(),
            source: io::ErrorKind::OutOfMemory.into(),
        })?;
        write(&path, &gzip[..length]).map_err(|source| SimulateError::Write { path, source })?;
        written.files.fetch_add(1, Ordering::Relaxed);
        written.json.fetch_add(file.json.len() as u64, Ordering::Relaxed);
        written.gzip.fetch_add(length as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Writes a file, and its folder when that is missing: most files find it there.
fn write(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, bytes)
        }
        done => done,
    }
}
