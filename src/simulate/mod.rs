//! Simulates an organisation's trail: months of CloudTrail log files with incidents planted in them, and their labels.
//!
//! ```text
//! population ─ who is there ──┐
//!                             ├─► world ─ an hour's events ─► template ─ JSON ─► delivery ─ files ─► archive
//! incident ─ what is planted ─┘                                  └──────── key events ─► labels
//! ```
//!
//! Everything follows from the seed: the same options give the same bytes, on any machine and any number of threads. Time
//! is event time. Memory holds an hour of events to come and the files that are still open, never the trail.
//!
//! Nothing here knows the detectors, and they know nothing of this: ids, names and sizes are the simulation's own.
//! Account ids, keys, people and addresses are of the kinds that documentation reserves for examples.

mod agents;
mod archive;
mod call;
mod caller;
mod clock;
mod delivery;
mod dice;
mod document;
mod incident;
mod labels;
mod population;
mod record;
mod routine;
mod template;
mod world;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trailhound_detectors::EventTime;
use trailhound_detectors::action::stable_hash;

use archive::{Archive, Written};
use call::Calls;
use clock::Hour;
use delivery::Delivery;
use dice::Dice;
pub use labels::{Expectation, KeyEvent, Label};
use population::Character;
use template::{Moment, rfc3339};
use world::World;

/// What kind of organisation to simulate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A well-kept organisation of average habits.
    #[default]
    Quiet,
    /// Many pipelines, many runs: bursts, throttling, errors.
    NoisyCi,
    /// Many functions and nightly jobs: data events dominate.
    DataHeavy,
    /// Everything and everybody is new in the first half of the time.
    NewOrganization,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Quiet, Self::NoisyCi, Self::DataHeavy, Self::NewOrganization];

    /// The name on the command line and in data sets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::NoisyCi => "noisy-ci",
            Self::DataHeavy => "data-heavy",
            Self::NewOrganization => "new-organization",
        }
    }
}

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The first day, from midnight UTC.
    pub start: EventTime,
    /// How many days; at least 1.
    pub days: u32,
    /// How many accounts, 1 to [`MAX_ACCOUNTS`].
    pub accounts: u32,
    /// About how many events a day, over all accounts.
    pub events_per_day: u64,
    /// How many incidents, at most one of each kind in a row; by default about one a day after
    /// the first fifteen days, or the first half of the time. None are planted before that.
    pub incidents: Option<u32>,
    /// What kind of organisation.
    pub shape: Shape,
    /// Other seeds give other trails.
    pub seed: u64,
}

impl Options {
    /// The seed of everything random. Shapes of one seed share neither times nor incidents: each is a trail of its own.
    fn stream(&self) -> u64 {
        match self.shape {
            Shape::Quiet => self.seed,
            shape => self.seed ^ stable_hash(shape.name().as_bytes()),
        }
    }
}

/// There are only so many account ids of the kind that documentation uses.
pub const MAX_ACCOUNTS: u32 = 500;

impl Default for Options {
    /// A quiet month of three accounts.
    fn default() -> Self {
        Self {
            // Sunday, 2026-03-01.
            start: EventTime(1_772_323_200),
            days: 30,
            accounts: 3,
            events_per_day: 10_000,
            incidents: None,
            shape: Shape::default(),
            seed: 1,
        }
    }
}

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// There are files in it.
    #[error("{path} is not empty: choose a new folder")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// An option is out of its range.
    #[error("{option} must be between {least} and {most}")]
    OutOfRange {
        /// The option's name.
        option: &'static str,
        /// The smallest value allowed.
        least: u64,
        /// The largest value allowed.
        most: u64,
    },
    /// The folder can't be made or read.
    #[error("cannot use {path} as a folder")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The embedded table of calls is broken.
    #[error("the embedded table of calls is broken")]
    Calls(#[from] toml::de::Error),
    /// Somebody, a signal for example, wanted it to end.
    #[error("stopped before the end")]
    Stopped,
}

/// What was simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events, each counted once.
    pub events: u64,
    /// Log objects.
    pub files: u64,
    /// Bytes of JSON in them.
    pub json_bytes: u64,
    /// Bytes on disk.
    pub gzip_bytes: u64,
    /// The organisation's id.
    pub organization: String,
    /// Its account ids.
    pub accounts: Vec<String>,
    /// What was planted, in order of time.
    pub labels: Vec<Label>,
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Days that are done.
    pub days: u32,
    /// Events so far.
    pub events: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    GoOn,
    /// Stop; what was written so far stays.
    Stop,
}

/// Writes a trail into a folder, which is made if need be and must be empty: log objects under `AWSLogs/`, and what was
/// planted in `labels.json`. `watch` is told after every day.
pub fn simulate(
    options: &Options,
    folder: &Path,
    threads: usize,
    mut watch: impl FnMut(Progress) -> Verdict,
) -> Result<Summary, SimulateError> {
    options.check()?;
    empty_folder(folder)?;
    let (mut world, volume) = build(options)?;
    let written = Written::default();
    let events = Archive::run(folder, threads, &written, |archive| {
        Performance::new(options, &mut world, volume).run(archive, &mut watch)
    })?;
    let accounts = world.accounts.into_iter().map(|account| account.id).collect();
    let mut labels = labels::labels(world.plots, incident::FIRST);
    labels.sort_by(|a, b| a.window.cmp(&b.window));
    write_labels(&folder.join("labels.json"), &labels)?;
    let (files, json_bytes, gzip_bytes) = written.totals();
    Ok(Summary { events, files, json_bytes, gzip_bytes, organization: world.organization, accounts, labels })
}

impl Options {
    fn check(&self) -> Result<(), SimulateError> {
        for (option, value, least, most) in [
            ("days", u64::from(self.days), 1, 3_650),
            ("accounts", u64::from(self.accounts), 1, u64::from(MAX_ACCOUNTS)),
            ("events per day", self.events_per_day, 100, 10_000_000_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(SimulateError::OutOfRange { option, least, most });
            }
        }
        Ok(())
    }
}

/// The world, and by what its scaling rates are multiplied to reach the wanted number of events a day.
fn build(options: &Options) -> Result<(World, f64), SimulateError> {
    let mut world = World::new(options, Calls::load()?);
    population::populate(&mut world, options, Character::of(options));
    incident::plant(&mut world, options);
    let (scaling, fixed) = world.expected();
    let volume = ((options.events_per_day as f64 - fixed) / scaling.max(1.0)).max(0.1);
    Ok((world, volume))
}

fn empty_folder(path: &Path) -> Result<(), SimulateError> {
    let failed = |source| SimulateError::Folder { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(failed)?;
    match fs::read_dir(path).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => Err(SimulateError::NotEmpty { path: path.to_owned() }),
    }
}

fn write_labels(path: &Path, labels: &[Label]) -> Result<(), SimulateError> {
    let write = || {
        let mut text = serde_json::to_vec_pretty(labels)?;
        text.push(b'\n');
        fs::write(path, text)
    };
    write().map_err(|source: io::Error| SimulateError::Write { path: path.to_owned(), source })
}

/// The world being acted out, hour by hour.
struct Performance<'w> {
    world: &'w mut World,
    options: &'w Options,
    volume: f64,
    dice: Dice,
    delivery: Delivery,
    /// Events whose hour has not come.
    ahead: Vec<routine::Planned>,
    events: u64,
}

/// Volume grows by this share a day: organisations do.
const GROWTH: f64 = 0.004;

impl<'w> Performance<'w> {
    fn new(options: &'w Options, world: &'w mut World, volume: f64) -> Self {
        let twice_trailed = world.accounts.first().filter(|_| world.accounts.len() > 1);
        let delivery =
            Delivery::new(options.stream(), &world.organization, twice_trailed.map(|account| &*account.id));
        let dice = Dice::new(options.stream(), "records");
        Self { world, options, volume, dice, delivery, ahead: Vec::new(), events: 0 }
    }

    fn run(
        mut self,
        archive: &Archive,
        watch: &mut dyn FnMut(Progress) -> Verdict,
    ) -> Result<u64, SimulateError> {
        for day in 0..self.options.days {
            for hour in 0..24 {
                let start = self.options.start.0 + i64::from(day) * 86_400 + hour * 3_600;
                let volume = self.volume * (1.0 + GROWTH * f64::from(day));
                self.hour(&Hour::new(start, self.options.stream(), volume), archive)?;
            }
            if watch(Progress { days: day + 1, events: self.events }) == Verdict::Stop {
                return Err(SimulateError::Stopped);
            }
        }
        // Episodes that run past the last midnight end there.
        for file in self.delivery.finish() {
            archive.store(file)?;
        }
        Ok(self.events)
    }

    fn hour(&mut self, hour: &Hour, archive: &Archive) -> Result<(), SimulateError> {
        let mut planned = std::mem::take(&mut self.ahead);
        self.world.plan(hour, &mut planned);
        // Records reach their file nearly in order: some overtake others by seconds.
        planned.sort_by_cached_key(|event| {
            event.time + if self.dice.chance(0.1) { self.dice.within((1, 30)) } else { 0 }
        });
        let (mut json, mut done) = (Vec::new(), Vec::new());
        for event in planned {
            if event.time >= hour.start + 3_600 {
                self.ahead.push(event);
                continue;
            }
            let record = &self.world.records[event.record as usize];
            let moment = Moment { time: event.time, session: &event.session };
            json.clear();
            let event_id = record.template.render(&moment, &mut self.dice, &mut json);
            let file = self.delivery.deliver(event.time, record, &json, &mut done);
            self.events += 1;
            if let Some(label) = event.label {
                let key_event = KeyEvent {
                    event_id: String::from_utf8_lossy(&event_id).into_owned(),
                    event_name: record.event.clone(),
                    event_time: String::from_utf8_lossy(&rfc3339(event.time)).into_owned(),
                    error_code: record.error.clone(),
                };
                self.world.plots[label as usize].note(key_event, file);
            }
            for file in done.drain(..) {
                archive.store(file)?;
            }
        }
        self.delivery.finish_before(hour.start + 3_600, &mut done);
        done.into_iter().try_for_each(|file| archive.store(file))
    }
}
