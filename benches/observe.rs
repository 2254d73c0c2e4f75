//! Observing: what each detector costs beside parsing, over the objects of a trail, with facts that begin empty.
//!
//! Parsing is told for the same claims each time: of a record that nobody claims the parser leaves most unread, so a pass
//! without any detector would make parsing look cheaper than it is, and observing dearer.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::{LocalFile, Origin, local};
use trailhound::parse::{Parser, Tables};
use trailhound_detectors::catalogue::{self, ENTRIES, Ledgers};
use trailhound_detectors::detector::Claim;
use trailhound_detectors::{Action, ActionTable, ActorTable, Event};

use crate::objects;

/// Rounds of parsing and of parsing and observing, in turn, of which the fastest count.
const ROUNDS: usize = 5;
/// Passes of a round: Linux tells a thread's time in steps of some milliseconds.
const PASSES: usize = 8;

/// No more JSON than this of a trail is gone over.
const TRAIL_BYTES: usize = 64 << 20;

/// The objects of the trail, inflated, in order of delivery.
fn inflated_trail() -> Vec<(Origin, Vec<u8>)> {
    let (_simulated, root) = objects::trail();
    let mut files = local::list(&[PathBuf::from(&root)]).expect("the trail can be listed");
    files.sort_by(LocalFile::order);
    let (mut inflater, mut stored, mut left) = (Inflater::new(Limits::default()), Vec::new(), TRAIL_BYTES);
    let mut inflated = Vec::new();
    for file in files {
        local::read(&file, u64::MAX >> 1, &mut stored).expect("readable");
        let json = inflater.inflate(&stored).0.to_vec();
        let Some(rest) = left.checked_sub(json.len()) else { break };
        left = rest;
        inflated.push((file.origin(), json));
    }
    inflated
}

/// Which detectors are shown an action.
type Claims = fn(&Action) -> u64;

/// The claims of one detector, by its place in the catalogue.
fn only<const PLACE: u32>(action: &Action) -> u64 {
    catalogue::claims(action) & (u64::from(Claim::MAX) << (Claim::BITS * PLACE))
}

/// Parses all objects, and shows the events to those detectors that claim them. The interned tables stay, as they do in a
/// worker.
struct Pass<'o> {
    objects: &'o [(Origin, Vec<u8>)],
    parser: Parser,
    tables: Tables,
}

impl<'o> Pass<'o> {
    fn new(objects: &'o [(Origin, Vec<u8>)], claims: Claims) -> Self {
        let tables = Tables { actions: ActionTable::new(claims), actors: ActorTable::default() };
        Self { objects, parser: Parser::new(), tables }
    }

    fn observe(&mut self, ledgers: &mut Ledgers) -> u64 {
        self.run(|events| ledgers.observe(events))
    }

    /// The fields of every event are found, and nobody looks at them.
    fn parse(&mut self) -> u64 {
        self.run(|events| {
            black_box(events);
        })
    }

    fn run(&mut self, mut observe: impl FnMut(&[Event<'_>])) -> u64 {
        let of_object = |(origin, json): &(Origin, Vec<u8>)| {
            let json = black_box(json.as_slice());
            self.parser
                .records(json, origin, objects::LATENESS_SECONDS, &mut self.tables, &mut observe)
                .judged
        };
        self.objects.iter().map(of_object).sum()
    }
}

fn timed(work: impl FnOnce() -> u64) -> Duration {
    let start = time_at_work();
    black_box(work());
    time_at_work().saturating_sub(start)
}

/// How long this thread has been at work, not counting what it waited for others; by the clock where Linux does not tell.
fn time_at_work() -> Duration {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let begun = *BEGUN;
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

pub(crate) fn bench(c: &mut Criterion) {
    let objects = inflated_trail();
    let alone: [Claims; 4] = [only::<0>, only::<1>, only::<2>, only::<3>];
    let observers: Vec<(&str, Claims)> = ENTRIES
        .iter()
        .map(|entry| entry.name)
        .zip(alone)
        .chain([("all", catalogue::claims as Claims)])
        .collect();
    let mut group = c.benchmark_group("parse and observe");
    group.throughput(Throughput::Elements(Pass::new(&objects, catalogue::claims).parse()));
    group.sample_size(20);
    let mut pass = Pass::new(&objects, catalogue::claims);
    group.bench_function("none", |b| b.iter(|| pass.parse()));
    for (name, claims) in &observers {
        let mut pass = Pass::new(&objects, *claims);
        group.bench_function(*name, |b| {
            b.iter_batched_ref(Ledgers::default, |ledgers| pass.observe(ledgers), BatchSize::PerIteration);
        });
    }
    group.finish();
    // Told as a share of the thread's own time, which a busy machine disturbs less than it does the clock.
    if std::env::args().any(|argument| argument == "--bench") {
        tell_shares(&objects, &observers);
    }
}

/// What observing costs as a share of parsing, each detector and all together.
#[expect(clippy::print_stdout, reason = "a benchmark tells what it measured")]
fn tell_shares(objects: &[(Origin, Vec<u8>)], observers: &[(&str, Claims)]) {
    for (name, claims) in observers {
        let mut pass = Pass::new(objects, *claims);
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..ROUNDS {
            let mut ledgers = std::array::from_fn::<_, PASSES, _>(|_| Ledgers::default());
            let parsing = timed(|| (0..PASSES).map(|_| pass.parse()).sum());
            let observing = timed(|| ledgers.iter_mut().map(|ledgers| pass.observe(ledgers)).sum());
            fastest = [fastest[0].min(parsing), fastest[1].min(observing)];
        }
        let [parsing, observing] = fastest.map(|time| time.as_secs_f64());
        println!("observe / parse: {name} {:.3}", observing / parsing - 1.0);
    }
}
