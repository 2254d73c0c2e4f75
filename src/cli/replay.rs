//! `trailhound replay`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueHint;

use super::dresser::Dresser;
use super::{Done, Refused, columns, config, exit, interrupt, moment, progress};
use crate::alert::{Alert, Provenance};
use crate::config::Config;
use crate::detectors::finding::Finding;
use crate::detectors::{EventTime, Severity, TimeRange};
use crate::engine::worker::{Intake, Selection};
use crate::inflate;
use crate::ingest::{Disk, LogFile, Shelf, local};
use crate::replay::{self, Outcome, Progress, ReplayError, Request, Resumable};
use crate::report::{Report, Summary};
use crate::suppress::{Sifted, sift};
use crate::whole_file::WholeFile;

const EXAMPLES: &str = "\
Examples:
  trailhound replay ./AWSLogs
      everything below a folder, in the order it was delivered; alerts as stories
  trailhound replay ./AWSLogs --from 2026-03-01 --to 2026-03-07 --severity high
      one week, and of that only what is grave
  trailhound replay ./AWSLogs --learning-days 0
      an incident without history: judge from the first record on
  trailhound replay ./2026-02 --facts-out february.facts
  trailhound replay ./2026-03 --facts-in february.facts --from 2026-03-01
      month by month: March is judged by what February taught, and only March is told of
  trailhound replay s3://trail/AWSLogs --from 2026-03-01 --to 2026-03-07 --resume week.resume
      the same week from the bucket: only objects delivered in it, and three hours later for what was late, are fetched;
      after an interruption the same command goes on where it stopped
  curl -s https://example.com/events.json.gz | trailhound replay - --format json | jq .title
      one object, without a disk
  trailhound replay ./AWSLogs --output alerts.jsonl --fail-on high
      for a pipeline: a file of JSON lines, and exit code 4 when something is grave

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 some input unreadable,
4 alerts reached --fail-on, 130 interrupted.";

/// Judge CloudTrail files: folders, files (.json, .json.gz, any form AWS writes), buckets, or - for standard input
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Folders and files; s3://bucket/folder, as the AWS tools are configured; - is standard input
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// Read events from this time on: 2026-03-01, or 2026-03-01T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::start)]
    from: Option<EventTime>,

    /// Read events up to this time; a day counts to its end
    #[arg(long, value_name = "TIME", value_parser = moment::end)]
    to: Option<EventTime>,

    /// Read events of these accounts only
    #[arg(long, value_name = "ID,…", value_delimiter = ',', value_parser = account)]
    accounts: Vec<String>,

    /// The configuration; without one the defaults hold (see: trailhound config default)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Days an actor is learnt before it is judged, in place of the configuration's; 0 judges at once
    #[arg(long, value_name = "DAYS")]
    learning_days: Option<u32>,

    /// Begin with facts that an earlier run left
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    facts_in: Option<PathBuf>,

    /// Go on from here where an interrupted run stopped; leave what it takes to do so; delete it when all is done
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    resume: Option<PathBuf>,

    /// Leave facts for a later run
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    facts_out: Option<PathBuf>,

    /// text: stories for people; json: one alert a line [default: text in a terminal, else json]
    #[arg(long, value_enum, hide_possible_values = true)]
    format: Option<Format>,

    /// Write alerts to a file, whole or not at all, in place of standard output
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// The mildest alerts to tell of: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", default_value = "informational", value_parser = severity)]
    severity: Severity,

    /// End with exit code 4 if an alert is at least this grave
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    fail_on: Option<Severity>,

    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has 12 digits, such as 123456789012".to_owned())
    }
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| {
        let names: Vec<_> = Severity::ALL.iter().map(|s| s.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

/// What the arguments mean: everything that can be refused has been accepted, nothing has been read.
struct Plan {
    config: Config,
    request: Request,
    format: Format,
    output: Option<PathBuf>,
    severity: Severity,
    fail_on: Option<Severity>,
}

impl Arguments {
    fn plan(self) -> anyhow::Result<Plan> {
        let mut config = match &self.config {
            Some(file) => Config::load(file).map_err(config::refused)?,
            None => Config::default(),
        };
        if let Some(days) = self.learning_days {
            config.learning.days = days;
            if days > config.learning.forget_after_days {
                return Err(Refused(format!(
                    "--learning-days {days} is longer than anything is remembered ({} days): \
                     raise learning.forget_after_days in the configuration",
                    config.learning.forget_after_days
                ))
                .into());
            }
        }
        let span = TimeRange {
            start: self.from.unwrap_or(TimeRange::ALL.start),
            end: self.to.unwrap_or(TimeRange::ALL.end),
        };
        if span.start >= span.end {
            return Err(Refused("--from lies behind --to: there is no time between them".to_owned()).into());
        }
        let selection = Selection { span, accounts: BTreeSet::from_iter(self.accounts) };
        let resume = match self.resume {
            Some(_) if self.paths.iter().any(|path| path.as_os_str() == "-") => {
                return Err(Refused("--resume: standard input can't be read twice".to_owned()).into());
            }
            Some(file) => Some(Resumable { file, inputs: format!("{:?} {:?}", self.paths, self.facts_in) }),
            None => None,
        };
        let inputs = Inputs::open(self.paths, &selection, &config)?;
        if inputs.files.is_empty() {
            anyhow::bail!(
                "no log files there: files end in .json, .jsonl, .ndjson or .log, with or without .gz"
            );
        }
        // Learnt after hours that the folder is missing, this would cost them.
        let resumed = resume.as_ref().map(|r| r.file.clone());
        for path in [&self.output, &self.facts_out, &resumed].into_iter().flatten() {
            drop(WholeFile::create(path).with_context(|| cannot_write(path))?);
        }
        let is_for_people = self.output.is_none() && io::stdout().is_terminal();
        Ok(Plan {
            request: Request {
                facts_in: self.facts_in,
                facts_out: self.facts_out,
                threads: self.threads.map_or_else(super::cores, usize::from),
                resume,
                ..request(&config, inputs, selection)
            },
            format: self.format.unwrap_or(if is_for_people { Format::Text } else { Format::Json }),
            config,
            output: self.output,
            severity: self.severity,
            fail_on: self.fail_on,
        })
    }
}

/// Files to read, and who hands them out.
pub(super) struct Inputs {
    pub(super) files: Vec<LogFile>,
    /// Files left out, for they were delivered outside the asked span.
    pub(super) outside: u64,
    pub(super) shelf: Arc<dyn Shelf>,
}

impl Inputs {
    /// Folders and files of this machine.
    pub(super) fn on_disk(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let files = local::list(paths)?.into_iter().map(LogFile::from).collect();
        Ok(Self { files, outside: 0, shelf: Arc::new(Disk) })
    }

    #[cfg(feature = "aws")]
    fn open(paths: Vec<PathBuf>, selection: &Selection, config: &Config) -> anyhow::Result<Self> {
        use super::bucket;

        let (buckets, paths) = bucket::told_apart(paths);
        if buckets.is_empty() {
            return Self::on_disk(&paths);
        }
        let wanted = replay::wanted(selection, config.learning.lateness_seconds());
        let mut inputs = bucket::open(&buckets, &wanted, max_stored_bytes(config))?;
        inputs.files.extend(local::list(&paths)?.into_iter().map(LogFile::from));
        Ok(inputs)
    }

    #[cfg(not(feature = "aws"))]
    fn open(paths: Vec<PathBuf>, _: &Selection, _: &Config) -> anyhow::Result<Self> {
        if paths.iter().any(|path| path.to_string_lossy().starts_with("s3://")) {
            let why = "this program was built without the feature `aws`, and can't read from S3";
            return Err(Refused(why.to_owned()).into());
        }
        Self::on_disk(&paths)
    }
}

fn max_stored_bytes(config: &Config) -> u64 {
    u64::from(config.limits.stored_mib) << 20
}

/// Reads files as configured, on all cores.
pub(super) fn request(config: &Config, inputs: Inputs, selection: Selection) -> Request {
    let Inputs { files, outside, shelf } = inputs;
    Request {
        files,
        outside,
        shelf,
        intake: Intake {
            limits: inflate::Limits {
                max_bytes: (config.limits.inflated_mib as usize) << 20,
                max_ratio: config.limits.inflation_ratio as usize,
            },
            lateness_seconds: config.learning.lateness_seconds(),
            selection,
        },
        max_stored_bytes: max_stored_bytes(config),
        resume: None,
        facts_in: None,
        facts_out: None,
        threads: super::cores(),
    }
}

/// What an interrupted run left is of no more use.
fn remove(resume: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(resume) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("failed to delete {}", resume.display()))
        }
        _ => Ok(()),
    }
}

fn cannot_write(path: &Path) -> String {
    format!("failed to write {}", path.display())
}

/// Replays, and tells what was found.
pub(super) fn run(arguments: Arguments) -> Done {
    let Plan { config, request, format, output, severity, fail_on } = arguments.plan()?;
    let started = Instant::now();
    let (resumable, threads) = (request.resume.clone(), request.threads);
    let Some(mut outcome) = replay(request, &config)? else { return Ok(exit::INTERRUPTED) };
    let elapsed = started.elapsed();

    let Sifted { mut kept, silenced } = sift(std::mem::take(&mut outcome.findings), &config.suppressions);
    let all = kept.len();
    let is_alarming = fail_on.is_some_and(|least| kept.iter().any(|finding| finding.severity >= least));
    kept.retain(|finding| finding.severity >= severity);

    let distinct = outcome.tally.distinct.count();
    let summary = Summary {
        tally: &outcome.tally,
        distinct,
        blind: &outcome.blind,
        silenced: &silenced,
        shown: &kept.iter().map(|finding| (finding.detector, finding.severity)).collect(),
        hidden: (severity, (all - kept.len()) as u64),
        learning: &config.learning,
        elapsed,
    };
    let dresser = Dresser { provenance: Provenance { config: config.digest() }, threads };
    tell((kept, dresser), summary, format, output.as_deref())?;
    if let Some(Resumable { file, .. }) = resumable {
        remove(&file)?;
    }

    let files = outcome.tally.files;
    // The process ends here: to give facts back piece by piece takes a fiftieth of a long replay.
    std::mem::forget(outcome);
    Ok(if is_alarming {
        exit::ALERTED
    } else if files.failed + files.cut > 0 {
        exit::UNREADABLE
    } else {
        exit::OK
    })
}

/// Runs the engine; nothing when it was interrupted.
fn replay(request: Request, config: &Config) -> anyhow::Result<Option<Outcome>> {
    let detectors = config.detectors().map_err(|(name, e)| Refused(format!("detectors.{name}.{e}")))?;
    let progress = Arc::new(Progress::default());
    let resumable = request.resume.clone();
    let watch = interrupt::watch(Arc::clone(&progress), resumable.as_ref())?;
    let total_bytes = request.files.iter().map(LogFile::bytes).sum();
    let environment = config.environment();
    let outcome =
        progress::show(&progress, total_bytes, || replay::run(request, &detectors, &environment, &progress));
    drop(watch);
    let outcome = match (outcome, &resumable) {
        (Err(e @ ReplayError::Unavailable { .. }), Some(_)) => {
            return Err(anyhow::Error::from(e).context("the same command goes on where this one stopped"));
        }
        (Err(e @ ReplayError::Unavailable { .. }), None) => {
            return Err(anyhow::Error::from(e).context("with --resume FILE it could go on where it stopped"));
        }
        (outcome, _) => outcome?,
    };
    if outcome.stopped {
        let read = progress.files.load(Ordering::Relaxed);
        match resumable {
            Some(Resumable { file, .. }) => writeln!(
                io::stderr(),
                "interrupted after {read} files; the same command goes on from {}",
                file.display()
            )?,
            None => writeln!(io::stderr(), "interrupted after {read} files; nothing was written")?,
        }
        return Ok(None);
    }
    Ok(Some(outcome))
}

/// Alerts go where they were asked for. The account of the run goes below them for people, and to standard error beside
/// JSON: what could not be read is never left unsaid.
fn tell(
    (findings, dresser): (Vec<Finding>, Dresser),
    summary: Summary<'_>,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<()> {
    // A figure that differs from run to run has no place in a file.
    let undated = Summary { elapsed: Duration::ZERO, ..summary };
    match format {
        Format::Text => {
            let alerts: Vec<Alert> = findings.into_iter().map(|finding| dresser.alert(finding)).collect();
            let report = |summary| Report { alerts: &alerts, summary, width: columns() };
            match output {
                None if io::stdout().is_terminal() => {
                    report(summary).write(&mut anstream::stdout().lock())?;
                }
                None => report(undated).write(&mut anstream::stdout().lock())?,
                Some(path) => write_file(path, |out| {
                    report(undated).write(&mut anstream::StripStream::new(out as &mut dyn Write))
                })?,
            }
        }
        Format::Json => {
            match output {
                None => {
                    let mut stdout = io::BufWriter::new(io::stdout().lock());
                    dresser.write_lines(&mut stdout, findings)?;
                    stdout.flush()?;
                }
                Some(path) => write_file(path, |out| dresser.write_lines(out, findings))?,
            }
            let summary = if io::stderr().is_terminal() { summary } else { undated };
            summary.write(&mut anstream::stderr().lock(), columns())?;
        }
    }
    Ok(())
}

fn write_file(path: &Path, write: impl FnOnce(&mut WholeFile) -> io::Result<()>) -> anyhow::Result<()> {
    let written = WholeFile::create(path).and_then(|mut output| {
        write(&mut output)?;
        output.commit()
    });
    written.with_context(|| cannot_write(path))
}
