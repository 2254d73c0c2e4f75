//! The end of a report: what was read, what became of it, and what could not be seen.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::alerts::style;
use super::figures::{bytes, count, counted, elapsed, period, rate, span};
use super::text::{plain, wrap};
use crate::alert::Alert;
use crate::detectors::environment::Learning;
use crate::detectors::{Severity, catalogue};
use crate::engine::blind::BlindSpot;
use crate::engine::tally::{Files, Tally};
use crate::suppress::Silenced;

const BOLD: Style = Style::new().bold();
const WARN: Style = AnsiColor::Yellow.on_default();

/// Problems told with their place; the rest is counted.
const PROBLEMS_SHOWN: usize = 20;

/// The labels' column.
const LABEL: usize = 12;

/// How many alerts there are, by detector and severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(BTreeMap<(String, Severity), u64>);

impl<'a> FromIterator<(&'a str, Severity)> for Shown {
    fn from_iter<I: IntoIterator<Item = (&'a str, Severity)>>(alerts: I) -> Self {
        let mut shown = BTreeMap::new();
        for (detector, severity) in alerts {
            *shown.entry((detector.to_owned(), severity)).or_default() += 1;
        }
        Self(shown)
    }
}

impl<'a> FromIterator<&'a Alert> for Shown {
    fn from_iter<I: IntoIterator<Item = &'a Alert>>(alerts: I) -> Self {
        alerts.into_iter().map(|alert| (&*alert.detector, alert.severity)).collect()
    }
}

/// The account a run gives of itself.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// What became of files and records.
    pub tally: &'a Tally,
    /// How many of the judged records are distinct, and whether that is exact.
    pub distinct: (u64, bool),
    /// What the trail does not contain.
    pub blind: &'a [BlindSpot],
    /// What suppressions silenced.
    pub silenced: &'a [Silenced],
    /// The alerts shown.
    pub shown: &'a Shown,
    /// The mildest severity shown, and how many milder alerts were left out.
    pub hidden: (Severity, u64),
    /// How long learning takes.
    pub learning: &'a Learning,
    /// How long the run took; zero is not shown.
    pub elapsed: Duration,
}

/// Writes the whole block.
pub(super) fn write(out: &mut impl Write, summary: &Summary<'_>, width: usize) -> io::Result<()> {
    let tally = summary.tally;
    let mut block = Block { out, width };
    block.line("Files", &files(&tally.files))?;
    block.line("Bytes", &read(summary))?;
    block.line("Records", &records(tally))?;
    if !tally.reconciles() {
        block.warning("", "the sum is wrong: this is a bug, please report it")?;
    }
    block.line("Duplicates", &duplicates(summary))?;
    block.line("Late", &counted(tally.late, "record"))?;
    block.line("Span", &covered(tally))?;
    block.alerts(summary.shown)?;
    if let (severity, milder @ 1..) = summary.hidden {
        block.line("Left out", &format!("{} milder than {severity}", counted(milder, "alert")))?;
    }
    for silenced in summary.silenced {
        let mut text =
            format!("{} until {}: {}", count(silenced.count), silenced.expires, plain(&silenced.reason));
        if silenced.expired > 0 {
            text.push_str(&format!("; {} told after it expired", count(silenced.expired)));
        }
        block.line("Silenced", &text)?;
    }
    for spot in summary.blind {
        block.warning("Unseen", spot.text)?;
    }
    if let Some((first, last)) = tally.span
        && last.0.saturating_sub(first.0) < summary.learning.seconds()
    {
        block.warning(
            "Unseen",
            &format!(
                "shorter than the {} days that learning takes: what is merely new counts for less until then; \
                 --facts-in brings earlier history, --learning-days 0 judges from the first record",
                summary.learning.days
            ),
        )?;
    }
    let (problems, unlisted) = tally.problems();
    let mut unlisted = unlisted;
    for (i, problem) in problems.enumerate() {
        if i >= PROBLEMS_SHOWN {
            unlisted += 1;
            continue;
        }
        let record = problem.record.map(|r| format!(" record {r}")).unwrap_or_default();
        block.warning("Unread", &format!("{}{record}: {}", plain(&problem.object), plain(&problem.what)))?;
    }
    if unlisted > 0 {
        block.warning("", &format!("and {} more", count(unlisted)))?;
    }
    Ok(())
}

fn files(files: &Files) -> String {
    let Files { read, digest, insight, empty, cut, failed, outside } = *files;
    let kinds = [
        (read, "read"),
        (cut, "cut off before the end"),
        (empty, "without records"),
        (digest, "digest"),
        (insight, "Insights"),
        (outside, "outside the span"),
        (failed, "unreadable"),
    ];
    let total: u64 = kinds.iter().map(|(n, _)| n).sum();
    let kinds: Vec<_> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
    if kinds.is_empty() { "none".to_owned() } else { format!("{} = {}", count(total), kinds.join(" + ")) }
}

fn read(summary: &Summary<'_>) -> String {
    let tally = summary.tally;
    let mut text = bytes(tally.bytes_read);
    if tally.bytes_inflated != tally.bytes_read {
        text.push_str(&format!(", {} inflated", bytes(tally.bytes_inflated)));
    }
    let seconds = summary.elapsed.as_secs_f64();
    if seconds > 0.0 {
        text.push_str(&format!(
            ", in {}, {} records/s",
            elapsed(summary.elapsed),
            rate(tally.records, seconds)
        ));
    }
    text
}

fn records(tally: &Tally) -> String {
    let skipped: Vec<_> = tally
        .skipped
        .iter()
        .map(|(reason, n)| format!(" + {} skipped ({})", count(*n), reason.replace('_', " ")))
        .collect();
    format!("{} = {} judged{}", count(tally.records), count(tally.judged), skipped.concat())
}

fn duplicates(summary: &Summary<'_>) -> String {
    let (distinct, is_exact) = summary.distinct;
    let copies = count(summary.tally.judged.saturating_sub(distinct));
    if is_exact { format!("{copies}, counted once") } else { format!("about {copies}, counted once") }
}

fn covered(tally: &Tally) -> String {
    let Some((first, last)) = tally.span else { return "no events".to_owned() };
    let length = span(last.0.saturating_sub(first.0));
    let accounts = counted(tally.accounts.iter().len() as u64, "account");
    let regions = counted(tally.regions.iter().len() as u64, "region");
    format!("{} ({length}); {accounts}, {regions}", period(first, last))
}

/// Labelled lines.
struct Block<'o, W> {
    out: &'o mut W,
    width: usize,
}

impl<W: Write> Block<'_, W> {
    fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.styled(label, text, Style::new())
    }

    fn warning(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.styled(label, text, WARN)
    }

    fn styled(&mut self, label: &str, text: &str, style: Style) -> io::Result<()> {
        for (i, line) in wrap(text, self.width.saturating_sub(LABEL).max(20)).iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            writeln!(self.out, "{BOLD}{label:LABEL$}{BOLD:#}{style}{line}{style:#}")?;
        }
        Ok(())
    }

    /// Detectors down, severities across.
    fn alerts(&mut self, shown: &Shown) -> io::Result<()> {
        let detectors = catalogue::ENTRIES.iter().map(|e| e.name);
        let name_width = detectors.clone().map(str::len).max().unwrap_or(0);
        write!(self.out, "{BOLD}{:LABEL$}{BOLD:#}{:name_width$}", "Alerts", "")?;
        for severity in Severity::ALL.iter().rev() {
            write!(self.out, "  {severity}")?;
        }
        writeln!(self.out)?;
        for detector in detectors {
            write!(self.out, "{:LABEL$}{detector:name_width$}", "")?;
            for severity in Severity::ALL.iter().rev() {
                let n = shown.0.get(&(detector.to_owned(), *severity)).copied().unwrap_or(0);
                let style = if n > 0 { style(*severity) } else { Style::new().dimmed() };
                let n = n.to_string();
                let pad = severity.name().len().saturating_sub(n.len());
                write!(self.out, "  {:pad$}{style}{n}{style:#}", "")?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }
}
