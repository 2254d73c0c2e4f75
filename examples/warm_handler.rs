//! How fast the live engine is beside replay on one thread, on the same objects, when neither waits for a network:
//! `cargo run --release --example warm_handler -- FOLDER [MESSAGES [MINUTES]]` (`trailhound simulate` makes one).
//!
//! Both are given the objects from memory. Live handles them in batches of so many messages (a hundred), one object each, over a table in memory: first
//! cold, and then again, as a warm function meets what it knows. It is told of them in the order of their delivery:
//! long afterwards, as of a backlog; or, with MINUTES, a minute after the newest of a batch, which then holds only what was
//! delivered within so many minutes, as a queue with such a batching window hands it over.

#![expect(clippy::print_stdout, reason = "an example that measures")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trailhound::alert::Alert;
use trailhound::config::Config;
use trailhound::engine::worker::{Intake, Selection};
use trailhound::inflate::Limits;
use trailhound::ingest::envelope::{Message, Notice};
use trailhound::ingest::source::{FetchError, Source};
use trailhound::ingest::{Allow, IngestError, LogFile, ObjectRef, Shelf, local};
use trailhound::live::{Bounds, Live, Moment, Ports, Settings};
use trailhound::replay::{self, Progress, Request};
use trailhound::sink::{Publish, PublishError};
use trailhound::store::MemoryTable;
use trailhound_detectors::EventTime;

/// What the programs have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of an invocation, where nothing is said.
const BATCH: usize = 100;
/// Replay and warm passes, in turn; the least of each counts.
const ROUNDS: usize = 7;
/// From the delivery of the newest object of a batch to its handling, seconds.
const ON_THE_WAY: i64 = 60;
/// The function's memory, MiB: one vCPU.
const MEMORY: u64 = 1_769;

/// Objects in memory, by their origin's name and by their key.
#[derive(Clone, Debug, Default)]
struct Objects(Arc<BTreeMap<String, Vec<u8>>>);

impl Objects {
    fn get(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Shelf for Objects {
    fn expect(&self, _: &[LogFile]) {}

    fn read(&self, file: &LogFile, _: u64, into: &mut Vec<u8>) -> Result<(), IngestError> {
        into.clear();
        into.extend_from_slice(self.get(&file.origin().name));
        Ok(())
    }
}

impl Source for Objects {
    async fn fetch(&self, object: &ObjectRef, _: u64) -> Result<Vec<u8>, FetchError> {
        Ok(self.get(&object.key).to_vec())
    }
}

/// Takes every alert.
struct Told;

impl Publish for Told {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Result<(), PublishError>> {
        alerts.iter().map(|_| Ok(())).collect()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let folder = args.next().map(PathBuf::from).ok_or("give a folder of CloudTrail files")?;
    let most: usize = args.next().map_or(Ok(BATCH), |text| text.to_string_lossy().parse())?;
    let minutes: Option<i64> = args.next().map(|text| text.to_string_lossy().parse()).transpose()?;
    let mut files = local::list(&[folder])?;
    files.sort_by(local::LocalFile::order);
    let mut objects = BTreeMap::new();
    let (mut named, mut times, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for file in &files {
        local::read(file, 64 << 20, &mut stored)?;
        let origin = file.origin();
        // Whatever it was called on disk, in the bucket it lies in a trail.
        let name = origin.name.rsplit('/').next().unwrap_or_default();
        let account = origin.account.as_deref().unwrap_or("123456789012");
        let key = format!("AWSLogs/{account}/CloudTrail/any/2026/01/01/{name}");
        named.push(ObjectRef { bucket: "trail".into(), key: key.as_str().into(), size: Some(file.bytes) });
        times.push(origin.delivered.unwrap_or_default());
        objects.insert(key, stored.clone());
        objects.insert(origin.name.to_string(), stored.clone());
    }
    let objects = Objects(Arc::new(objects));
    let config = Config::default();
    let limits = Limits {
        max_bytes: (config.limits.inflated_mib as usize) << 20,
        max_ratio: config.limits.inflation_ratio as usize,
    };
    let files: Vec<LogFile> = files.into_iter().map(LogFile::from).collect();
    let request = || Request {
        files: files.clone(),
        shelf: Arc::new(objects.clone()),
        intake: Intake {
            limits,
            lateness_seconds: config.learning.lateness_seconds(),
            selection: Selection::default(),
        },
        max_stored_bytes: u64::MAX,
        facts_in: None,
        facts_out: None,
        outside: 0,
        resume: None,
        threads: 1,
    };
    let detectors = config.detectors().map_err(|(name, e)| format!("{name}: {e}"))?;
    let replay_all = || {
        let started = Took::begin()?;
        let outcome = replay::run(request(), &detectors, &config.environment(), &Progress::default())?;
        Ok::<_, Box<dyn std::error::Error>>((Took::since(started)?, outcome.tally))
    };
    let (mut replay, tally) = replay_all()?;
    let records = tally.records;
    println!("{} objects, {records} records", named.len());

    let settings = Settings {
        config: config.clone(),
        allow: Allow::default(),
        bounds: Bounds::of_memory(MEMORY),
        cache_bytes: usize::try_from(MEMORY << 20)? / 4,
    };
    let ports = Ports { table: MemoryTable::default(), source: objects.clone(), sink: Told };
    let live = Live::new(settings, ports).map_err(|(name, e)| format!("{name}: {e}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let batches = batches(&times, most, minutes);
    println!("{} batches of {} objects in the middle", batches.len(), batches[batches.len() / 2].len());
    let afterwards = tally.span.map_or_else(Default::default, |(_, last)| last);
    let handle_all = || {
        let (started, mut calls) = (Took::begin()?, 0);
        for together in &batches {
            let messages: Vec<Message> = (0..)
                .zip(&named[together.clone()])
                .map(|(id, object): (u32, _)| Message {
                    id: id.to_string(),
                    notices: vec![Notice::Object(object.clone())],
                })
                .collect();
            let now = match minutes {
                Some(_) => times[together.end - 1].plus(ON_THE_WAY),
                None => afterwards,
            };
            let moment = Moment { now, deadline: tokio::time::Instant::now() + Duration::from_secs(900) };
            let report = runtime.block_on(live.handle(&messages, moment));
            if !report.failed.is_empty() {
                return Err(format!("{:?}", report.troubles).into());
            }
            calls += report.store.reads + report.store.writes;
        }
        Ok::<_, Box<dyn std::error::Error>>((Took::since(started)?, calls))
    };
    let (cold, cold_calls) = handle_all()?;
    let (mut warm, mut warm_calls) = handle_all()?;
    for _ in 1..ROUNDS {
        replay = replay.least(replay_all()?.0);
        let (again, calls) = handle_all()?;
        (warm, warm_calls) = (warm.least(again), calls);
    }
    replay.print("replay, one thread", records, &replay);
    cold.print("live, cold", records, &replay);
    println!("    {cold_calls} calls to the table");
    warm.print("live, warm", records, &replay);
    println!("    {warm_calls} calls to the table");
    Ok(())
}

/// Which objects are handled together, of those delivered at these times.
fn batches(times: &[EventTime], most: usize, minutes: Option<i64>) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for (place, time) in times.iter().enumerate() {
        let in_time = |since: EventTime| minutes.is_none_or(|minutes| *time < since.plus(minutes * 60));
        match batches.last_mut() {
            Some(last) if last.len() < most && in_time(times[last.start]) => last.end = place + 1,
            _ => batches.push(place..place + 1),
        }
    }
    batches
}

/// What a pass took.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

impl Took {
    fn begin() -> Result<(Instant, Duration), Box<dyn std::error::Error>> {
        Ok((Instant::now(), cpu()?))
    }

    fn since((wall, cpu): (Instant, Duration)) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self { wall: wall.elapsed(), cpu: self::cpu()? - cpu })
    }

    /// The least of two passes: what else the machine did only ever adds.
    fn least(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }

    fn print(&self, what: &str, records: u64, beside: &Self) {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = records as f64 / self.wall.as_secs_f64();
        println!(
            "{what}: {:.2} s, {:.2} s of CPU, {rate:.0} records a second, {:.0} % of replay by the clock, {:.0} % by CPU",
            self.wall.as_secs_f64(),
            self.cpu.as_secs_f64(),
            100.0 * beside.wall.as_secs_f64() / self.wall.as_secs_f64(),
            100.0 * beside.cpu.as_secs_f64() / self.cpu.as_secs_f64(),
        );
    }
}

/// CPU time of the process so far, all threads: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u64 =
        fields.get(11..13).ok_or("no times")?.iter().map(|f| f.parse::<u64>()).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
