//! The shapes an object comes in, and where its records begin and end.
//!
//! `{"Records":[…]}` as CloudTrail delivers it, `{"Events":[…]}` as `LookupEvents` answers, a bare list, one record,
//! records or any of these line by line, and each record plain, in an EventBridge envelope or as a string.

use memchr::memmem;
use trailhound_detectors::Event;
use trailhound_detectors::json::MAX_DEPTH;
use trailhound_detectors::json::walk::{end_of_string, end_of_value, skip_space};

use super::block::Block;
use super::callers::Callers;
use super::fields::Sink;
use super::scan::{self, Aids};
use super::stops::Stops;
use super::tape::{Item, TapeReader};
use super::{Content, MAX_RECORD_BYTES, Parsed, Parser, SkipReason};

/// Envelopes inside envelopes are followed so far.
const MAX_ENVELOPES: usize = 3;
/// How a record begins, where its object does not show it.
const USUAL_START: &str = r#"{"eventVersion":"#;

/// Bytes that may be looked at twice in an object of any size, because of broken records in it.
const SPARE: usize = 64 << 20;

/// Reads all of an object.
pub(super) fn read<'r, F: FnMut(&[Event<'_>])>(
    text: &'r str,
    parser: &'r mut Parser,
    mut sink: Sink<'r, F>,
) -> Parsed {
    let text = text.trim_start_matches('\u{feff}').trim_end_matches('\0');
    let Parser { stops, callers, tape, block } = parser;
    sink.block = Block::in_memory_of(std::mem::take(block));
    stops.fill(text.as_bytes());
    let mut document =
        Document { text, stops, callers, tape, sink, start: None, spare: text.len() * 4 + SPARE };
    document.read();
    let Document { mut sink, .. } = document;
    sink.flush();
    *block = Block::in_memory_of(sink.block);
    sink.parsed
}

struct Document<'r, F> {
    text: &'r str,
    stops: &'r Stops,
    callers: &'r mut Callers,
    tape: &'r mut TapeReader,
    sink: Sink<'r, F>,
    /// How records of this object begin: up to the colon behind their first key.
    start: Option<&'r str>,
    /// Bytes that may still be looked at twice for the sake of broken records: reading stays linear.
    spare: usize,
}

impl<F: FnMut(&[Event<'_>])> Document<'_, F> {
    /// Values one after another, as lines of them are.
    fn read(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, 0);
        while let Some(byte) = bytes.get(at) {
            at = match byte {
                b'{' => self.object(at),
                b'[' => self.list(at + 1),
                _ if self.sink.parsed.records == 0 => {
                    self.sink.parsed.content = Content::NotJson;
                    return;
                }
                _ => self.bad_line(at, at, "not an object"),
            };
            at = skip_space(bytes, at);
        }
    }

    /// An object at the top: one that holds a list of records, or an element by itself. Gives the byte after it.
    fn object(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        if bytes[start..].starts_with(USUAL_START.as_bytes())
            && let Some(end) = self.scan(start)
        {
            return end;
        }
        let (mut at, mut listed) = (skip_space(bytes, start + 1), false);
        let end = loop {
            match bytes.get(at) {
                Some(b'}') => break Some(at + 1),
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b'"') => {
                    let Some(key_end) = end_of_string(bytes, at) else { break None };
                    let colon = skip_space(bytes, key_end);
                    if bytes.get(colon) != Some(&b':') {
                        break None;
                    }
                    let value = skip_space(bytes, colon + 1);
                    let is_list = matches!(&self.text[at + 1..key_end - 1], "Records" | "Events");
                    at = if is_list && bytes.get(value) == Some(&b'[') {
                        listed = true;
                        self.list(value + 1)
                    } else {
                        let Some(end) = end_of_value(bytes, value) else { break None };
                        end
                    };
                    at = skip_space(bytes, at);
                }
                _ => break None,
            }
        };
        match end {
            Some(end) if listed => end,
            Some(end) => {
                if self.element(start, end) {
                    return end;
                }
                self.next_line(start, end).filter(|next| self.spend(end - next)).unwrap_or(end)
            }
            // What follows the list is of no interest; that it is cut off is known already.
            None if listed => self.text.len(),
            None => self.bad_line(start, self.text.len(), "no end"),
        }
    }

    /// The elements of a list, from the byte behind its bracket. Gives the byte after the list.
    fn list(&mut self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        self.start = None;
        loop {
            if let Some(end) = self.scan(at) {
                at = end + usize::from(bytes.get(end) == Some(&b','));
                continue;
            }
            at = skip_space(bytes, at);
            at = match bytes.get(at) {
                Some(b']') => return at + 1,
                Some(b',') => at + 1,
                Some(_) => match end_of_value(bytes, at).filter(|end| *end > at) {
                    Some(end) if self.element(at, end) => end,
                    end => self.behind_broken(at, end),
                },
                None => {
                    self.cut();
                    return at;
                }
            };
        }
    }

    /// Where reading goes on behind a broken element, which seems to end at `end` or has no end at all.
    fn behind_broken(&mut self, broken: usize, end: Option<usize>) -> usize {
        let all = self.text.len();
        let inside = self.next_start(broken, end.unwrap_or(all));
        let next = match (inside, end) {
            // What was looked at behind the next beginning will be looked at again.
            (Some(next), _) if self.spend(end.unwrap_or(all) - next) => Some(next),
            (_, Some(end)) if self.can_end(end) => Some(end),
            (_, Some(_)) => self.next_start(broken, all),
            (_, None) => None,
        };
        if next.is_none() {
            self.cut();
        }
        if end.is_none() {
            let reason = if next.is_none() { SkipReason::Cut } else { SkipReason::InvalidJson };
            self.sink.parsed.skip(reason, "no end");
        }
        next.unwrap_or(all)
    }

    /// Whether an element of a list can end here, by what follows.
    fn can_end(&self, end: usize) -> bool {
        let bytes = self.text.as_bytes();
        let mut next = skip_space(bytes, end);
        if bytes.get(next) == Some(&b',') {
            next = skip_space(bytes, next + 1);
        }
        matches!(bytes.get(next), Some(b'{' | b']'))
    }

    /// Takes from what may still be looked at twice. False when it is used up.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.spare.checked_sub(bytes);
        self.spare = left.unwrap_or(self.spare);
        left.is_some()
    }

    /// Takes the record that begins here the short way. Gives the byte after it, if it is an ordinary one.
    fn scan(&mut self, start: usize) -> Option<usize> {
        let aids = Aids { stops: self.stops, callers: self.callers, actors: &mut self.sink.tables.actors };
        let held = self.sink.block.next();
        let end = scan::record(self.text, start, aids, held).ok();
        let text =
            end.and_then(|end| self.text.get(start..end)).filter(|text| text.len() <= MAX_RECORD_BYTES);
        let Some(text) = text else {
            self.sink.block.give_back();
            return None;
        };
        held.text = text;
        self.sink.take_newest();
        if self.start.is_none() {
            self.start = start_of(text);
        }
        end
    }

    fn cut(&mut self) {
        let records = self.sink.parsed.records;
        self.sink.parsed.cut_after.get_or_insert(records);
    }

    /// One element of a list, or a whole line. False when it is not JSON, so that its end can't be trusted.
    fn element(&mut self, start: usize, end: usize) -> bool {
        let text = &self.text[start..end];
        if self.start.is_none() && text.starts_with('{') {
            self.start = start_of(text);
        }
        self.item(text, MAX_ENVELOPES)
    }

    fn item(&mut self, text: &str, envelopes: usize) -> bool {
        let sink = &mut self.sink;
        let read = self.tape.read(text, |item| match item {
            Item::Record(fields) => {
                sink.take_now(fields, text);
                None
            }
            Item::Digest => {
                sink.parsed.content = Content::Digest;
                None
            }
            Item::Envelope(inner) => Some(inner),
        });
        match read {
            Ok(None) => true,
            Ok(Some(inner)) if envelopes > 0 => {
                self.item(&inner, envelopes - 1);
                true
            }
            Ok(Some(_)) => {
                self.sink.parsed.skip(SkipReason::NotAnObject, "envelopes in envelopes");
                true
            }
            Err((reason, detail)) => {
                self.sink.parsed.skip(reason, detail);
                reason != SkipReason::InvalidJson
            }
        }
    }

    /// Where the next record begins behind a broken one that seems to end at `end`: at the next text that looks like the
    /// beginning of a record, but not where the broken record itself could have an object as an element of a list. Such
    /// an object would be something the caller sent.
    fn next_start(&mut self, broken: usize, end: usize) -> Option<usize> {
        let start = self.start.unwrap_or(USUAL_START);
        let bytes = self.text.as_bytes();
        let (mut at, mut open) = (broken, Vec::new());
        for found in memmem::find_iter(&bytes[broken + 1..end], start.as_bytes()).map(|i| broken + 1 + i) {
            while at < found {
                match bytes[at] {
                    b'"' => {
                        at = end_of_string(bytes, at).unwrap_or(bytes.len());
                        continue;
                    }
                    bracket @ (b'{' | b'[') => open.push(bracket),
                    b'}' | b']' => drop(open.pop()),
                    _ => {}
                }
                at += 1;
                if open.len() > MAX_DEPTH {
                    return None;
                }
            }
            let in_string = at > found;
            let after_comma = bytes[..found].trim_ascii_end().ends_with(b",");
            if after_comma && (in_string || open.last() != Some(&b'[')) {
                return Some(found);
            }
        }
        None
    }

    /// Where the next line with an object begins behind a broken one that seems to end at `end`.
    fn next_line(&self, broken: usize, end: usize) -> Option<usize> {
        memmem::find(&self.text.as_bytes()[broken + 1..end], b"\n{").map(|i| broken + 1 + i + 1)
    }

    /// Counts a line that is no JSON, having looked as far as `seen` for its end, and goes to the next; without a next,
    /// the object is cut off.
    fn bad_line(&mut self, start: usize, seen: usize, detail: &str) -> usize {
        let next =
            self.next_line(start, self.text.len()).filter(|next| self.spend(seen.saturating_sub(*next)));
        if next.is_some() {
            self.sink.parsed.skip(SkipReason::InvalidJson, detail);
        } else {
            self.cut();
            self.sink.parsed.skip(SkipReason::Cut, detail);
        }
        next.unwrap_or(self.text.len())
    }
}

/// An object's text up to the colon behind its first key.
fn start_of(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let key = skip_space(bytes, 1);
    let colon = skip_space(bytes, end_of_string(bytes, key)?);
    (bytes.get(key) == Some(&b'"') && bytes.get(colon) == Some(&b':') && colon < 128).then(|| &text[..=colon])
}
