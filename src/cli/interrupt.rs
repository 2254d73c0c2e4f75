//! Ctrl-C, and the signals of those who can't type it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::exit;
use crate::replay::{Progress, Resumable};

/// A read gets this long to end by itself.
const GRACE: Duration = Duration::from_secs(3);
/// A read of a replay that can be gone on with gets this long: ending at once loses what was learnt since the last save.
const GRACE_BEFORE_SAVING: Duration = Duration::from_secs(30);
/// How often is looked whether nobody reads any more.
const POLL: Duration = Duration::from_millis(50);

/// While it lives, an interruption stops the replay: at once when asked twice, or when a read hangs (on a silent standard
/// input, say). Until the replay is over nothing is being written, so ending so leaves nothing behind.
#[derive(Debug)]
pub(super) struct Watch(Arc<AtomicBool>);

/// Starts to watch a replay, that can be gone on with from a file or not. Once in a process.
pub(super) fn watch(progress: Arc<Progress>, resumable: Option<&Resumable>) -> Result<Watch, ctrlc::Error> {
    let grace = if resumable.is_some() { GRACE_BEFORE_SAVING } else { GRACE };
    let is_replaying = Arc::new(AtomicBool::new(true));
    let watch = Watch(Arc::clone(&is_replaying));
    ctrlc::set_handler(move || {
        let end = || std::process::exit(i32::from(exit::INTERRUPTED));
        if progress.stop.swap(true, Ordering::Relaxed) {
            end();
        }
        let (progress, is_replaying) = (Arc::clone(&progress), Arc::clone(&is_replaying));
        std::thread::spawn(move || {
            std::thread::sleep(grace);
            // A machine may take long over what is at hand; only reads can take for ever.
            while is_replaying.load(Ordering::Relaxed) {
                if progress.is_reading() {
                    end();
                }
                std::thread::sleep(POLL);
            }
        });
    })?;
    Ok(watch)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
