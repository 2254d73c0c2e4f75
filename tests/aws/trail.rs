//! Trails to deliver, and what replay makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use trailhound::alert::Alert;
use trailhound::config::Config;
use trailhound::detectors::catalogue::{Detectors, Ledgers};
use trailhound::detectors::{EventTime, TimeRange};
use trailhound::engine::worker::{Intake, Worker};
use trailhound::ingest::{Origin, local};
use trailhound::simulate::{Options, Verdict, simulate};
use trailhound::store::snapshot;

/// A trail, and what the engine of replay makes of it.
pub(crate) struct Trail {
    /// Keys and bytes.
    pub(crate) objects: Vec<(String, Vec<u8>)>,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) facts: Ledgers,
}

impl Trail {
    /// A few days of one account: some hundred small objects.
    pub(crate) fn small(folder: &Path, seed: u64) -> Self {
        Self::small_from(folder, seed, Options::default().start)
    }

    pub(crate) fn small_from(folder: &Path, seed: u64, start: EventTime) -> Self {
        let options =
            Options { start, days: 3, accounts: 1, events_per_day: 200, seed, ..Options::default() };
        Self::simulated(folder, options)
    }

    pub(crate) fn simulated(folder: &Path, options: Options) -> Self {
        let logs = folder.join("trail");
        simulate(&options, &logs, 1, |_| Verdict::GoOn).expect("a simulated trail");
        Self::of(Self::files(&logs, &logs.join("AWSLogs")).collect())
    }

    /// The objects delivered last, and what replay makes of those.
    pub(crate) fn last(self, count: usize) -> Self {
        let mut objects = self.objects;
        Self::of(objects.split_off(objects.len().saturating_sub(count)))
    }

    /// The files of `TRAILHOUND_DATA`, if it is set, under keys as a trail would give them.
    pub(crate) fn at_hand() -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os("TRAILHOUND_DATA")?);
        let named = Self::files(&folder, &folder).enumerate().map(|(n, (_, bytes))| {
            (format!("AWSLogs/123456789012/CloudTrail/us-east-1/2023/01/01/{n:06}.json.gz"), bytes)
        });
        Some(Self::of(named.collect()))
    }

    fn files(root: &Path, folder: &Path) -> impl Iterator<Item = (String, Vec<u8>)> {
        let files = local::list(&[folder.to_owned()]).expect("files");
        files.into_iter().map(move |file| {
            let path = file.path();
            let key = path.strip_prefix(root).expect("a path below").to_string_lossy().into_owned();
            (key, std::fs::read(&path).expect("a file"))
        })
    }

    fn of(objects: Vec<(String, Vec<u8>)>) -> Self {
        let config = Config::default();
        let lateness_seconds = config.learning.lateness_seconds();
        let mut worker = Worker::new(Intake { lateness_seconds, ..Intake::default() }.into());
        for (key, bytes) in &objects {
            worker.take(&Origin::new(format!("s3://trail/{key}")), bytes);
        }
        let detectors = Detectors::new(&config.detectors).expect("defaults are valid");
        let found = detectors.judge(&worker.ledgers, &config.environment(), TimeRange::ALL);
        assert!(!found.is_empty(), "there must be something to find");
        Self { objects, ids: found.iter().map(|f| f.id()).collect(), facts: worker.ledgers }
    }

    /// Every alert of replay was told, repeats with the same id; the table holds replay's facts. Answers with what was told.
    pub(crate) fn check(self, alerts: Vec<Alert>, pulled: Ledgers) -> String {
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for alert in alerts.into_iter().filter(|alert| alert.detector != "coverage") {
            *told.entry(alert.id).or_default() += 1;
        }
        let lost: Vec<_> = self.ids.iter().filter(|id| !told.contains_key(*id)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        assert!(closed(pulled) == closed(self.facts), "other facts than replay's");
        let more: Vec<_> = told.keys().filter(|id| !self.ids.contains(*id)).collect();
        assert!(more.is_empty(), "told what replay does not find: {more:?}");
        let messages: usize = told.values().sum();
        format!(
            "{} objects; {} alerts, those of replay; {messages} messages",
            self.objects.len(),
            self.ids.len()
        )
    }
}

/// Closed to the end, so that facts closed on the way and facts never closed can be compared.
fn closed(mut facts: Ledgers) -> Ledgers {
    facts.close(i64::MAX / 120);
    facts
}

/// Facts of the table, through the command.
pub(crate) fn pulled(environment: Vec<(&'static str, String)>, folder: &Path) -> Ledgers {
    let file = folder.join("pulled");
    let pull = Command::new(env!("CARGO_BIN_EXE_trailhound"))
        .args(["facts", "pull", "--table", "facts"])
        .arg(&file)
        .envs(environment)
        .output()
        .expect("facts pull runs");
    assert!(pull.status.success(), "{}", String::from_utf8_lossy(&pull.stderr));
    snapshot::load(&file).expect("facts")
}
