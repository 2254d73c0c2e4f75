//! What facts weigh in memory: `cargo run --release --no-default-features --example facts_memory -- FACTS`, a file that
//! `trailhound replay --facts-out` left.
//!
//! Peak memory of a replay, less this, is what reading took. Linux only.

#![expect(clippy::print_stdout, reason = "an example that measures")]

use std::path::PathBuf;

use trailhound::store::snapshot;

/// What the programs have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// MiB of this process that are not backed by a file.
fn resident() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no RssAnon in /proc/self/status")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("say which file of facts")?.into();
    let before = resident()?;
    let facts = snapshot::load(&path)?;
    // What the file's bytes took is handed back.
    println!(
        "{:.0} MiB in memory, {:.1} at rest",
        resident()? - before,
        std::fs::metadata(&path)?.len() as f64 / 1_048_576.0
    );
    for (detector, keys) in facts.keys() {
        println!("{detector}: {keys} keys");
    }
    Ok(())
}
