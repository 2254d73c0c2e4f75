//! `trailhound simulate`.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueHint;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Done, Refused, exit, moment};
use crate::detectors::EventTime;
use crate::report::figures;
use crate::simulate::{self, Expectation, MAX_ACCOUNTS, Options, Shape, SimulateError, Summary, Verdict};

const EXAMPLES: &str = "\
Examples:
  trailhound simulate --out ./trail
      a quiet month of three accounts, with a dozen incidents and what looks like them in it
  trailhound replay ./trail/AWSLogs
      find them; ./trail/labels.json says what was planted
  trailhound simulate --out ./noisy --shape noisy-ci --days 90 --seed 7
      three months of an organisation with many pipelines
  trailhound simulate --out ./large --events-per-day 240000
      some ten gigabytes of JSON

The same options give the same bytes, on any machine.";

/// Write a believable organisation trail with planted incidents, and their labels
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A new or empty folder: log objects go below AWSLogs/, what was planted into labels.json
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,

    /// How many days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,

    /// How many accounts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ACCOUNTS)))]
    accounts: u32,

    /// About how many events a day, over all accounts
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000_000))]
    events_per_day: u64,

    /// Another seed gives another trail
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How many incidents [default: about one a day, after the first two weeks or half of the time]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=10_000))]
    incidents: Option<u32>,

    /// What kind of organisation: quiet, noisy-ci, data-heavy, new-organization
    #[arg(long, value_name = "SHAPE", default_value = "quiet", value_parser = shape)]
    shape: Shape,

    /// The first day
    #[arg(long, value_name = "DATE", default_value = "2026-03-01", value_parser = moment::start)]
    start: EventTime,

    /// Threads that compress [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

fn shape(text: &str) -> Result<Shape, String> {
    Shape::ALL.into_iter().find(|shape| shape.name() == text).ok_or_else(|| {
        let names: Vec<_> = Shape::ALL.iter().map(|shape| shape.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

impl Arguments {
    fn options(&self) -> Result<Options, Refused> {
        let start = EventTime::of_day(self.start.day());
        if start != self.start {
            return Err(Refused(
                "--start is a day, such as 2026-03-01: simulations begin at midnight UTC".to_owned(),
            ));
        }
        Ok(Options {
            start,
            days: self.days,
            accounts: self.accounts,
            events_per_day: self.events_per_day,
            incidents: self.incidents,
            shape: self.shape,
            seed: self.seed,
        })
    }
}

/// Simulates, and says what was planted.
pub(super) fn run(arguments: &Arguments) -> Done {
    let options = arguments.options()?;
    let threads = arguments.threads.map_or_else(super::cores, usize::from);
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::clone(&stop);
    ctrlc::set_handler(move || interrupted.store(true, Ordering::Relaxed))?;
    let bar = bar(options.days);
    let result = simulate::simulate(&options, &arguments.out, threads, |progress| {
        bar.set_position(u64::from(progress.days));
        bar.set_message(format!("{} events", figures::count(progress.events)));
        if stop.load(Ordering::Relaxed) { Verdict::Stop } else { Verdict::GoOn }
    });
    bar.finish_and_clear();
    match result {
        Err(SimulateError::Stopped) => {
            writeln!(stderr(), "interrupted; the days written so far stay in {}", arguments.out.display())?;
            Ok(exit::INTERRUPTED)
        }
        Err(error @ SimulateError::NotEmpty { .. }) => Err(Refused(error.to_string()).into()),
        other => {
            tell(&other?, arguments)?;
            Ok(exit::OK)
        }
    }
}

/// A bar on standard error, for people only.
fn bar(days: u32) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(days));
    match ProgressStyle::with_template(
        "{spinner:.cyan} {wide_bar:.cyan/dim} {pos} of {len} days, {msg}, {eta} left",
    ) {
        Ok(style) => bar.with_style(style.progress_chars("━╸─")),
        Err(_) => bar,
    }
}

fn tell(summary: &Summary, arguments: &Arguments) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    let Summary { events, files, json_bytes, gzip_bytes, labels, .. } = summary;
    writeln!(
        out,
        "{} events in {} files: {} of JSON, {} on disk",
        figures::count(*events),
        figures::count(*files),
        figures::bytes(*json_bytes),
        figures::bytes(*gzip_bytes)
    )?;
    // One incident may have labels for several detectors.
    let mut planted = BTreeMap::new();
    for label in labels.iter().filter(|label| label.expectation == Expectation::Must) {
        planted
            .entry((&label.window[0], &label.description))
            .or_insert_with(Vec::new)
            .push(label.which_detector_should_fire);
    }
    writeln!(out, "\n{} incidents are in it:", planted.len())?;
    for ((time, description), detectors) in planted {
        writeln!(out, "  {time}  {description} ({})", detectors.join(", "))?;
    }
    let folder = arguments.out.display();
    writeln!(out, "\nnext: trailhound replay {folder}/AWSLogs\nlabels: {folder}/labels.json")
}
