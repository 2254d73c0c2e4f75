//! A whole trail: files read, joined and judged.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use trailhound::engine::worker::Intake;
use trailhound::ingest::{Disk, LocalFile, LogFile, local};
use trailhound::replay::{self, Observed, Progress, Request};
use trailhound_detectors::catalogue::{Configs, Detectors, Ledgers};
use trailhound_detectors::{Environment, TimeRange};

use crate::objects;

fn request(files: &[LocalFile], threads: usize) -> Request {
    Request {
        files: files.iter().cloned().map(LogFile::from).collect(),
        shelf: Arc::new(Disk),
        outside: 0,
        resume: None,
        intake: Intake { lateness_seconds: objects::LATENESS_SECONDS, ..Intake::default() },
        max_stored_bytes: u64::MAX >> 1,
        facts_in: None,
        facts_out: None,
        threads,
    }
}

fn observed(files: &[LocalFile], threads: usize) -> Observed {
    replay::observe(request(files, threads), &Progress::default()).expect("no facts to load")
}

pub(crate) fn bench(c: &mut Criterion) {
    let detectors = Detectors::new(&Configs::default()).expect("defaults are valid");
    let environment = Environment::default();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = objects::small_files(folder.path(), 500);
    let mut group = c.benchmark_group("small files");
    group.throughput(Throughput::Elements(small.len() as u64));
    group.sample_size(20);
    group.bench_function("read and observe five records each", |b| {
        b.iter(|| observed(&small, 1).tally.judged)
    });
    group.finish();

    let (_simulated, root) = objects::trail();
    let files = local::list(&[PathBuf::from(&root)]).expect("the trail can be listed");
    let whole = observed(&files, 1);
    let mut group = c.benchmark_group("trail");
    group.throughput(Throughput::Elements(whole.tally.judged));
    group.sample_size(10);
    for threads in [1, 2] {
        group.bench_function(format!("end to end, threads: {threads}"), |b| {
            b.iter(|| {
                replay::run(request(&files, threads), &detectors, &environment, &Progress::default())
                    .expect("no facts to load")
                    .findings
                    .len()
            });
        });
    }
    group.bench_function("judge", |b| {
        b.iter(|| detectors.judge(black_box(&whole.ledgers), &environment, TimeRange::ALL).len());
    });
    let (first, second) = files.split_at(files.len() / 2);
    let halves = [first, second].map(|half| observed(half, 1).ledgers);
    group.bench_function("join two halves", |b| {
        b.iter_batched(
            || halves.clone(),
            |[mut one, other]: [Ledgers; 2]| {
                one.absorb(other);
                one
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}
