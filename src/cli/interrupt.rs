//! Ctrl-C, and the signals of those who can't type it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::exit;
use crate::replay::Progress;

/// What is at hand gets this long to end by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often is looked whether saving is over.
const POLL: Duration = Duration::from_millis(50);

/// While it lives, an interruption stops the replay: at once when asked twice, or when it hangs (on a silent standard
/// input, say). Until the replay is over nothing is being written, so ending so leaves nothing behind.
#[derive(Debug)]
pub(super) struct Watch(Arc<AtomicBool>);

/// Starts to watch. Once in a process.
pub(super) fn watch(progress: Arc<Progress>) -> Result<Watch, ctrlc::Error> {
    let is_replaying = Arc::new(AtomicBool::new(true));
    let watch = Watch(Arc::clone(&is_replaying));
    ctrlc::set_handler(move || {
        let is_asked_twice = progress.stop.swap(true, Ordering::Relaxed);
        let progress = Arc::clone(&progress);
        let (is_replaying, end) =
            (Arc::clone(&is_replaying), || std::process::exit(i32::from(exit::INTERRUPTED)));
        if is_asked_twice {
            end();
        }
        std::thread::spawn(move || {
            std::thread::sleep(GRACE);
            while progress.is_saving.load(Ordering::Relaxed) {
                std::thread::sleep(POLL);
            }
            if is_replaying.load(Ordering::Relaxed) {
                end();
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
