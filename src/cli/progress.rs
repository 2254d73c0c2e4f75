//! The progress of a replay on standard error: bytes, events a second, time left. Only for people: nothing is drawn
//! unless standard error is a terminal.

use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::replay::Progress;
use crate::report::figures;

const INTERVAL: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{spinner:.cyan} {wide_bar:.cyan/dim} {bytes} of {total_bytes}, {msg}, {eta} left";

/// Runs `work` while showing its progress towards `total_bytes`.
pub(super) fn show<T: Send>(progress: &Progress, total_bytes: u64, work: impl FnOnce() -> T + Send) -> T {
    if !stderr().is_terminal() {
        return work();
    }
    let bar = ProgressBar::new(total_bytes);
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let started = Instant::now();
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let events = progress.events.load(Ordering::Relaxed);
                let rate = figures::rate(events, started.elapsed().as_secs_f64());
                bar.set_message(format!("{} events, {rate} a second", figures::count(events)));
                bar.set_position(progress.bytes.load(Ordering::Relaxed));
            }
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}
