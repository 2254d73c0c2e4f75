//! `trailhound demo`: a small organisation, simulated and replayed before your eyes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;

use super::replay::{Inputs, request};
use super::{Done, Refused, columns, exit};
use crate::alert::{Alert, Provenance};
use crate::config::Config;
use crate::detectors::{Severity, TimeRange};
use crate::engine::worker::Selection;
use crate::replay::{self, Outcome, Progress};
use crate::report::{Report, Summary, figures};
use crate::simulate::{self, Label, Options, Verdict};

const EXAMPLES: &str = "\
Examples:
  trailhound demo
      eight days of a small organisation; ends within seconds, leaves nothing behind
  trailhound demo --seed 2
      another organisation, other days

A larger one, to keep: trailhound simulate --out ./trail";

/// Watch it work: simulate a small organisation with an intruder in it, and replay its trail
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Another seed gives another organisation and other days for the incidents
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Small enough to be over in seconds, old enough to have habits.
fn organisation(seed: u64) -> Options {
    Options { days: 8, accounts: 2, events_per_day: 600, incidents: Some(8), seed, ..Options::default() }
}

/// Simulates, replays with the real engine, and compares what was planted with what was found.
pub(super) fn run(arguments: &Arguments) -> Done {
    let started = Instant::now();
    let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
    let options = organisation(arguments.seed);
    let simulated = simulate::simulate(&options, folder.path(), super::cores(), |_| Verdict::GoOn)?;
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "An organisation of {}, {} of its life, {} in {}: simulated.\n\
         Trailhound has never seen it. The first days are for learning its habits; the rest has incidents in it.\n",
        figures::counted(u64::from(options.accounts), "account"),
        figures::counted(u64::from(options.days), "day"),
        figures::counted(simulated.events, "event"),
        figures::counted(simulated.files, "log file"),
    )?;
    drop(out);

    let mut config = Config::default();
    config.organization.id.clone_from(&simulated.organization);
    config.organization.accounts = simulated.accounts.iter().cloned().collect();
    // Two weeks would be longer than this organisation exists.
    config.learning.days = options.days / 2;
    let mut outcome = replay(&config, folder.path())?;
    let provenance = Provenance { config: config.digest() };
    let findings = std::mem::take(&mut outcome.findings);
    let alerts: Vec<Alert> = findings.into_iter().map(|finding| Alert::new(finding, &provenance)).collect();

    let distinct = outcome.tally.distinct.count();
    let shown = alerts.iter().collect();
    let summary = Summary {
        shown: &shown,
        tally: &outcome.tally,
        distinct,
        blind: &outcome.blind,
        silenced: &[],
        hidden: (Severity::Informational, 0),
        learning: &config.learning,
        elapsed: started.elapsed(),
    };
    let mut out = anstream::stdout().lock();
    Report { alerts: &alerts, summary, width: columns() }.write(&mut out)?;
    explain(&mut out, &simulated.labels, &alerts)?;
    Ok(exit::OK)
}

fn replay(config: &Config, folder: &Path) -> anyhow::Result<Outcome> {
    let everything = Selection { span: TimeRange::ALL, accounts: BTreeSet::new() };
    let request = request(config, Inputs::on_disk(&[folder.join("AWSLogs")])?, everything);
    let detectors = config.detectors().map_err(|(name, e)| Refused(format!("detectors.{name}.{e}")))?;
    Ok(replay::run(request, &detectors, &config.environment(), &Progress::default())?)
}

/// What was planted, and which alerts tell of it.
fn explain(out: &mut impl Write, labels: &[Label], alerts: &[Alert]) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "\n{bold}What was planted, and who found it{bold:#}")?;
    let mut incidents = BTreeMap::<_, Vec<&Label>>::new();
    for label in labels.iter().filter(|label| label.attack) {
        incidents.entry((&label.window[0], &label.description)).or_default().push(label);
    }
    let mut told = vec![false; alerts.len()];
    let mut found = 0;
    for ((time, description), labels) in &incidents {
        let mut detectors = Vec::new();
        for (alert, told) in alerts.iter().zip(&mut told) {
            if labels.iter().any(|label| tells_of(alert, label)) {
                *told = true;
                detectors.push(&*alert.detector);
            }
        }
        detectors.sort_unstable();
        detectors.dedup();
        found += u32::from(!detectors.is_empty());
        let (mark, style) =
            if detectors.is_empty() { ("✗", AnsiColor::Red) } else { ("✓", AnsiColor::Green) };
        let style = style.on_default();
        let by = if detectors.is_empty() { "not found".to_owned() } else { detectors.join(", ") };
        writeln!(out, "  {style}{mark}{style:#} {time}  {description}\n      {by}")?;
    }
    let others = told.iter().filter(|told| !**told).count();
    writeln!(
        out,
        "\n{found} of {} incidents found; {} about nothing that was planted.\n\
         The trail is gone again. To keep one, and look into it: trailhound simulate --out ./trail",
        incidents.len(),
        figures::counted(others as u64, "alert")
    )?;
    Ok(())
}

/// An alert tells of an incident when it points at one of its events, or is about one who was in it, at the time.
fn tells_of(alert: &Alert, label: &Label) -> bool {
    let points_at_it = || {
        alert.evidence.iter().any(|event| label.key_events.iter().any(|key| *key.event_id == *event.event_id))
    };
    let is_about_it = || {
        let [from, to] = &label.window;
        alert.window.start <= *to && alert.window.end >= *from && label.actors.contains(&alert.entity.id)
    };
    points_at_it() || is_about_it()
}
