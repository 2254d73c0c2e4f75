//! What `.ci/instructions` counts the instructions of: the same trail, every time a stage further.
//!
//! `instructions make FOLDER` simulates the trail; `instructions STAGE FOLDER` goes through it as far as a stage and prints how
//! many records it met.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use trailhound::engine::worker::Intake;
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::{Disk, LocalFile, LogFile, local};
use trailhound::parse::{Parser, Tables};
use trailhound::replay::{self, Progress, Request};
use trailhound::simulate::{self, Options, Shape, Verdict};
use trailhound_detectors::catalogue::{self, Configs, Detectors};
use trailhound_detectors::{ActionTable, ActorTable, Environment, Event, EventTime};

/// What the command line has, so that memory costs here what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LATENESS_SECONDS: i64 = 3 * 3_600;
const MAX_STORED_BYTES: u64 = 256 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [stage, folder] = &arguments[..] else { panic!("usage: instructions STAGE FOLDER") };
    let folder = PathBuf::from(folder);
    if stage == "make" {
        make(&folder);
        return;
    }
    let files = local::list(&[folder.join("AWSLogs")]).expect("the trail can be listed");
    writeln!(stdout(), "{}", records(stage, files)).expect("somebody counts");
}

/// Two days of a small organisation, with incidents.
fn make(folder: &std::path::Path) {
    let options = Options {
        start: EventTime::of_day(20_513),
        days: 2,
        accounts: 3,
        events_per_day: 15_000,
        incidents: Some(6),
        shape: Shape::Quiet,
        seed: 1,
    };
    simulate::simulate(&options, folder, 1, |_| Verdict::GoOn).expect("the folder is writable");
}

fn records(stage: &str, files: Vec<LocalFile>) -> u64 {
    let request = |files: Vec<LocalFile>| Request {
        files: files.into_iter().map(LogFile::from).collect(),
        shelf: Arc::new(Disk),
        outside: 0,
        resume: None,
        intake: Intake { lateness_seconds: LATENESS_SECONDS, ..Intake::default() },
        max_stored_bytes: MAX_STORED_BYTES,
        facts_in: None,
        facts_out: None,
        threads: 1,
    };
    let progress = Progress::default();
    match stage {
        "inflate" => parsed(&files, |_, _| 0),
        "parse" => {
            let mut parser = Parser::new();
            let mut tables =
                Tables { actions: ActionTable::new(catalogue::claims), actors: ActorTable::default() };
            parsed(&files, |file, bytes| {
                let mut each = |events: &[Event<'_>]| {
                    std::hint::black_box(events);
                };
                parser.records(bytes, &file.origin(), LATENESS_SECONDS, &mut tables, &mut each).records
            })
        }
        "observe" => replay::observe(request(files), &progress).expect("no facts to load").tally.records,
        "judge" => {
            let detectors = Detectors::new(&Configs::default()).expect("defaults are valid");
            replay::run(request(files), &detectors, &Environment::default(), &progress)
                .expect("no facts to load")
                .tally
                .records
        }
        unknown => panic!("no stage {unknown}"),
    }
}

/// Reads and inflates every file.
fn parsed(files: &[LocalFile], mut parse: impl FnMut(&LocalFile, &[u8]) -> u64) -> u64 {
    let (mut inflater, mut stored, mut records) = (Inflater::new(Limits::default()), Vec::new(), 0);
    for file in files {
        local::read(file, MAX_STORED_BYTES, &mut stored).expect("the trail can be read");
        records += parse(file, inflater.inflate(&stored).0);
    }
    records
}
