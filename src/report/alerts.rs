//! Stories on a terminal: grave alerts with everything needed to act, mild ones in a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::figures;
use super::stories::{Story, gather};
use super::text::{plain, wrap};
use crate::alert::{Alert, Evidence};
use crate::detectors::{EventTime, Severity};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Kinds of events shown of a grave alert, one example each; more are in the JSON.
const EVIDENCE_SHOWN: usize = 3;

/// Reasons shown; all are in the JSON.
const REASONS_SHOWN: usize = 6;

/// The column titles start in, behind time and severity.
const TITLE: usize = 22;

/// Mild alerts of one sort shown in a story before the rest is counted.
const MILD_SHOWN: usize = 5;

/// How a severity looks.
pub(super) fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::White.on(AnsiColor::Red).bold(),
        Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => AnsiColor::Cyan.on_default(),
        Severity::Informational => DIM,
    }
}

/// A severity in at most eight letters.
fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "info",
        _ => severity.name(),
    }
}

/// Writes alerts as stories, or that there are none.
pub(super) fn write(out: &mut impl Write, alerts: &[Alert], width: usize) -> io::Result<()> {
    let stories = gather(alerts);
    if stories.is_empty() {
        return writeln!(out, "{BOLD}No alerts.{BOLD:#}\n");
    }
    write_overview(out, alerts, &stories, width)?;
    for story in &stories {
        Page { out, width }.story(story)?;
    }
    Ok(())
}

/// `3 critical, 2 low`, gravest first.
fn tally<'a>(alerts: impl Iterator<Item = &'a Alert>) -> String {
    let mut by_severity = [0; Severity::ALL.len()];
    for alert in alerts {
        by_severity[alert.severity as usize] += 1;
    }
    let present = Severity::ALL.iter().rev().filter(|s| by_severity[**s as usize] > 0);
    let pieces: Vec<_> = present
        .map(|s| {
            let style = style(*s);
            format!("{style}{} {s}{style:#}", figures::count(by_severity[*s as usize]))
        })
        .collect();
    pieces.join(", ")
}

/// How many, how grave, and when.
fn write_overview(
    out: &mut impl Write,
    alerts: &[Alert],
    stories: &[Story<'_>],
    width: usize,
) -> io::Result<()> {
    let total = figures::counted(alerts.len() as u64, "alert");
    let told = if stories.len() == 1 { "1 story".to_owned() } else { format!("{} stories", stories.len()) };
    writeln!(out, "{BOLD}{total} in {told}{BOLD:#}: {}", tally(alerts.iter()))?;
    let times: Vec<i64> = alerts.iter().filter_map(|a| a.window.start()).map(|t| t.0).collect();
    if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max())
        && first < last
    {
        let slots = width.saturating_sub(44).clamp(10, 60);
        let mut bars = vec![0; slots];
        for time in &times {
            bars[slot(time - first, last - first, slots)] += 1;
        }
        let (start, end) = (EventTime(*first), EventTime(*last));
        writeln!(
            out,
            "{DIM}{}{DIM:#} {} {DIM}{} UTC{DIM:#}",
            figures::moment(start),
            figures::bars(&bars),
            figures::moment(end)
        )?;
    }
    writeln!(out)
}

/// Which of `slots` slots an offset into a span falls into.
fn slot(offset: i64, span: i64, slots: usize) -> usize {
    let at = i128::from(offset) * slots as i128 / (i128::from(span) + 1);
    usize::try_from(at).unwrap_or(0).min(slots - 1)
}

/// Where stories are written.
struct Page<'o, W> {
    out: &'o mut W,
    width: usize,
}

impl<W: Write> Page<'_, W> {
    fn story(&mut self, story: &Story<'_>) -> io::Result<()> {
        let accounts = story.accounts();
        let account = match accounts.as_slice() {
            [one] => format!("account {}", plain(one)),
            many => format!("{} accounts", many.len()),
        };
        let rule = style(story.severity());
        for line in wrap(&plain(story.who), self.width - 2) {
            writeln!(self.out, "{rule}▌{rule:#} {BOLD}{line}{BOLD:#}")?;
        }
        let when = figures::period(story.start(), story.end());
        let others = match story.others() {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        writeln!(self.out, "{rule}▌{rule:#} {DIM}{}{others}, {account}, {when}{DIM:#}", plain(story.kind))?;
        writeln!(self.out, "{rule}▌{rule:#} {}", tally(story.alerts.iter().copied()))?;
        let mut mild: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut day = String::new();
        for alert in &story.alerts {
            if alert.severity < Severity::Medium {
                let shown = mild.entry((&alert.detector, &alert.kind)).or_default();
                *shown += 1;
                if *shown > MILD_SHOWN {
                    continue;
                }
            }
            self.alert(alert, &mut day)?;
        }
        for ((detector, kind), count) in mild {
            if let Some(more) = count.checked_sub(MILD_SHOWN).filter(|more| *more > 0) {
                writeln!(
                    self.out,
                    "            {DIM}and {more} more of {detector}/{kind}: see --format json{DIM:#}"
                )?;
            }
        }
        writeln!(self.out)
    }

    /// One alert: the graver, the more of it. `day` is the date last written.
    fn alert(&mut self, alert: &Alert, day: &mut String) -> io::Result<()> {
        let start = alert.window.start().unwrap_or_default();
        let moment = figures::moment(start);
        if let Some((date, _)) = moment.split_once(' ')
            && date != day
        {
            date.clone_into(day);
            writeln!(self.out, "  {DIM}{date}{DIM:#}")?;
        }
        let style = style(alert.severity);
        let severity = label(alert.severity);
        let title = plain(&alert.title);
        let mut lines = wrap(&title, self.width.saturating_sub(TITLE)).into_iter();
        let first = lines.next().unwrap_or_default();
        writeln!(
            self.out,
            "  {}  {style}{severity}{style:#}{:pad$}  {BOLD}{first}{BOLD:#}",
            figures::time_of_day(start),
            "",
            pad = 8usize.saturating_sub(severity.len()),
        )?;
        for line in lines {
            writeln!(self.out, "{:TITLE$}{BOLD}{line}{BOLD:#}", "")?;
        }
        if alert.severity < Severity::Medium {
            return Ok(());
        }
        let region = alert.region.as_ref().map(|r| format!(" in {}", plain(r))).unwrap_or_default();
        self.indented("", &format!("{}/{}{region}  {}", alert.detector, alert.kind, alert.id), DIM)?;
        let mut told = String::new();
        if alert.severity >= Severity::High {
            // Some summaries begin with their title, which was just written.
            let behind_title =
                alert.summary.strip_prefix(&alert.title).and_then(|rest| rest.strip_prefix(". "));
            behind_title.unwrap_or(&alert.summary).clone_into(&mut told);
            self.indented("", &plain(&told), Style::new())?;
        }
        let told = told.to_lowercase();
        let news: Vec<_> = alert.reasons.iter().filter(|r| !told.contains(&r.text.to_lowercase())).collect();
        for reason in news.iter().take(REASONS_SHOWN) {
            self.indented("• ", &plain(&reason.text), Style::new())?;
        }
        if let more @ 1.. = news.len().saturating_sub(REASONS_SHOWN) {
            self.indented("• ", &figures::counted(more as u64, "more reason"), Style::new())?;
        }
        if alert.severity >= Severity::High {
            self.evidence(alert)?;
            for step in &alert.next_steps {
                self.indented("→ ", &plain(step), AnsiColor::Green.on_default())?;
            }
        }
        Ok(())
    }

    /// One event of each kind, the log object named once for those that share it.
    fn evidence(&mut self, alert: &Alert) -> io::Result<()> {
        let mut shown: Vec<&Evidence> = Vec::new();
        let is_alike = |a: &Evidence, b: &Evidence| {
            (&a.event_source, &a.event_name, &a.error_code, &a.source_ip)
                == (&b.event_source, &b.event_name, &b.error_code, &b.source_ip)
        };
        for event in &alert.evidence {
            if shown.len() < EVIDENCE_SHOWN && !shown.iter().any(|s| is_alike(s, event)) {
                shown.push(event);
            }
        }
        for (i, event) in shown.iter().enumerate() {
            self.indented("  ", &describe(event), DIM)?;
            if shown.get(i + 1).is_none_or(|next| next.object != event.object) {
                let object = shorten(&plain(&event.object), self.width.saturating_sub(20));
                self.indented("  ", &format!("in {object}"), DIM)?;
            }
        }
        if let more @ 1.. = alert.evidence_total.saturating_sub(shown.len() as u64)
            && !shown.is_empty()
        {
            self.indented("  ", &format!("and {}", figures::counted(more, "more event")), DIM)?;
        }
        Ok(())
    }

    /// A paragraph below an alert's title, a mark before its first line.
    fn indented(&mut self, mark: &str, text: &str, style: Style) -> io::Result<()> {
        const INDENT: usize = 12;
        let room = self.width.saturating_sub(INDENT + mark.chars().count()).max(20);
        for (i, line) in wrap(text, room).iter().enumerate() {
            let mark = if i == 0 { mark.to_owned() } else { " ".repeat(mark.chars().count()) };
            writeln!(self.out, "{:INDENT$}{style}{mark}{line}{style:#}", "")?;
        }
        Ok(())
    }
}

/// An object's name in at most `room` characters where its last part allows: CloudTrail repeats in it what the folders say.
fn shorten(object: &str, room: usize) -> String {
    match object.rsplit_once('/') {
        Some((_, name)) if object.chars().count() > room => format!("…/{name}"),
        _ => object.to_owned(),
    }
}

/// One event in a line.
fn describe(event: &Evidence) -> String {
    let service = event.event_source.strip_suffix(".amazonaws.com").unwrap_or(&event.event_source);
    let error = event.error_code.as_ref().map(|e| format!(" {}", plain(e))).unwrap_or_default();
    format!(
        "{} {}:{}{error} from {}, event {}",
        plain(&event.event_time),
        plain(service),
        plain(&event.event_name),
        plain(&event.source_ip),
        plain(&event.event_id),
    )
}
