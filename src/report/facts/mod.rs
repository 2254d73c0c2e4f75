//! What is remembered of somebody or something, for people and for programs.

mod value;

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};
use trailhound_detectors::catalogue::{self, Ledgers, Slot, Visit};
use trailhound_detectors::time::{DAY, HOUR, MINUTE};
use trailhound_detectors::{Detector, EventTime};

use super::text::plain;

/// Entries of a list shown to people; programs get all.
const SHOWN: usize = 24;
/// Names suggested when nothing matches.
const SUGGESTED: usize = 5;
/// Less alike than this is no suggestion.
const ALIKE: f64 = 0.75;
/// Whole numbers from here to there are times: 2014 to 2049, in seconds. No count comes near, and hashes lie beyond.
const TIMES: std::ops::Range<i64> = 1_400_000_000..2_500_000_000;

/// What one detector remembers under one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remembered {
    /// The detector.
    pub detector: &'static str,
    /// The sort of key, a number of the detector's own.
    pub class: u8,
    /// What facts of this sort are about.
    pub about: String,
    /// The account; empty where facts span accounts.
    pub account: String,
    /// Actor, function, bucket, API…; empty where the facts are about the account.
    pub entity: String,
    /// The facts, times as RFC 3339.
    pub facts: Value,
}

/// What is remembered of `who`: an entity as facts name it, the last part of its ARN, or an account. An exact name is preferred;
/// in order of detector and key.
pub fn about(ledgers: &Ledgers, who: &str) -> Vec<Remembered> {
    let exactly = gather(ledgers, |account, entity| entity == who || (entity.is_empty() && account == who));
    if !exactly.is_empty() {
        return exactly;
    }
    gather(ledgers, |_, entity| short(entity) == who)
}

/// Names there are that look like `who`, the likest first.
pub fn suggestions(ledgers: &Ledgers, who: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    gather_keys(ledgers, &mut |account, entity| {
        names.insert(if entity.is_empty() { account.to_owned() } else { entity.to_owned() });
    });
    let who = who.to_lowercase();
    let likeness = |name: &String| {
        let (whole, last) = (name.to_lowercase(), short(name).to_lowercase());
        let holds = if who.len() > 2 && whole.contains(&who) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(&whole, &who).max(strsim::jaro_winkler(&last, short(&who))).max(holds)
    };
    let mut alike: Vec<_> = names.into_iter().map(|name| (likeness(&name), name)).collect();
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    alike.into_iter().take(SUGGESTED).map(|(_, name)| name).collect()
}

/// `arn:aws:iam::123456789012:role/path/app` → `app`.
fn short(entity: &str) -> &str {
    entity.rsplit(['/', ':']).next().unwrap_or(entity)
}

fn gather(ledgers: &Ledgers, wanted: impl Fn(&str, &str) -> bool) -> Vec<Remembered> {
    struct Gather<'a, W> {
        ledgers: &'a Ledgers,
        wanted: W,
        found: Vec<Remembered>,
    }
    impl<W: Fn(&str, &str) -> bool> Visit for Gather<'_, W> {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            for (key, facts) in (slot.facts)(self.ledgers).sorted() {
                if (self.wanted)(&key.account, &key.entity) {
                    self.found.push(Remembered {
                        detector: D::NAME,
                        class: key.class.0,
                        about: D::class_name(key.class),
                        account: key.account.to_string(),
                        entity: key.entity.to_string(),
                        facts: timed(value::of(facts), ""),
                    });
                }
            }
        }
    }
    let mut gather = Gather { ledgers, wanted, found: Vec::new() };
    catalogue::each(&mut gather);
    gather.found
}

fn gather_keys(ledgers: &Ledgers, see: &mut dyn FnMut(&str, &str)) {
    struct Keys<'a> {
        ledgers: &'a Ledgers,
        see: &'a mut dyn FnMut(&str, &str),
    }
    impl Visit for Keys<'_> {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            for (key, _) in (slot.facts)(self.ledgers).sorted() {
                (self.see)(&key.account, &key.entity);
            }
        }
    }
    catalogue::each(&mut Keys { ledgers, see });
}

/// Times as people read them: seconds anywhere, and the minutes, hours and days that windows are kept by.
fn timed(value: Value, field: &str) -> Value {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(seconds) if TIMES.contains(&seconds) => EventTime(seconds).to_string().into(),
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(|item| timed(item, field)).collect(),
        Value::Object(fields) => {
            let unit = match field {
                "minutes" => Some(MINUTE),
                "hours" => Some(HOUR),
                "days" | "firsts" => Some(DAY),
                _ => None,
            };
            // Keys that are no strings stand there as JSON.
            let key = |name: String| match (unit, serde_json::from_str(&name)) {
                (Some(unit), Ok(Value::Number(number))) => {
                    EventTime(number.as_i64().unwrap_or(i64::MAX).saturating_mul(unit)).to_string()
                }
                (_, Ok(list @ Value::Array(_))) => timed(list, "").to_string(),
                _ => name,
            };
            let fields = fields.into_iter().map(|(name, value)| {
                let value = timed(value, &name);
                (key(name), value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Writes what is remembered for people: indented, empty parts left out, long lists cut short.
pub fn write(out: &mut impl Write, all: &[Remembered]) -> io::Result<()> {
    for (place, one) in all.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        let Remembered { detector, about, account, entity, facts, .. } = one;
        let whom = if entity.is_empty() { "the account" } else { entity };
        let account = if account.is_empty() { "all accounts" } else { account };
        writeln!(out, "{} in {}: {about} ({detector})", plain(whom), plain(account))?;
        write_value(out, facts, 1)?;
    }
    Ok(())
}

fn write_value(out: &mut impl Write, value: &Value, depth: usize) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            let full: Vec<_> = fields.iter().filter(|(_, value)| !is_empty(value)).collect();
            for (name, value) in full.iter().take(SHOWN) {
                match line(value) {
                    Some(text) => writeln!(out, "{indent}{}: {}", plain(name), plain(&text))?,
                    None => {
                        writeln!(out, "{indent}{}:", plain(name))?;
                        write_value(out, value, depth + 1)?;
                    }
                }
            }
            more(out, &indent, full.len())
        }
        Value::Array(items) => {
            for item in items.iter().take(SHOWN) {
                match line(item) {
                    Some(text) => writeln!(out, "{indent}- {}", plain(&text))?,
                    None => {
                        writeln!(out, "{indent}-")?;
                        write_value(out, item, depth + 1)?;
                    }
                }
            }
            more(out, &indent, items.len())
        }
        other => writeln!(out, "{indent}{}", plain(&scalar(other))),
    }
}

fn more(out: &mut impl Write, indent: &str, len: usize) -> io::Result<()> {
    match len.checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(out, "{indent}… {more} more; --format json has all"),
        _ => Ok(()),
    }
}

/// What fits into one line: a scalar, or a short list of them.
fn line(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => None,
        Value::Array(items) if items.len() <= 6 && items.iter().all(|i| !i.is_array() && !i.is_object()) => {
            Some(items.iter().map(scalar).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => None,
        other => Some(scalar(other)),
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
