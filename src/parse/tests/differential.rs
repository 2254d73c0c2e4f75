//! Short way, thorough way and reference see the same fields, or all refuse: for records as they are, and for records
//! that were tampered with.

use trailhound_detectors::{Actor, ActorTable};

use super::reference;
use crate::parse::SkipReason;
use crate::parse::block::Held;
use crate::parse::callers::Callers;
use crate::parse::scan::{self, Aids};
use crate::parse::stops::Stops;
use crate::parse::tape::{Item, TapeReader};

const RECORDS: &str = include_str!("../../../tests/fixtures/records.ndjson");
const ALTERED: usize = 20_000;

/// How the ways read one text.
#[derive(Default)]
struct Ways {
    stops: Stops,
    /// Callers of all texts before: tampering with one may make it look like another.
    callers: Callers,
    actors: ActorTable,
    tape: TapeReader,
    /// Texts the short way took.
    short: usize,
    /// Texts nobody took.
    refused: usize,
}

impl Ways {
    fn agree(&mut self, text: &str) {
        let expected = reference::read(text);
        let expected = expected.as_ref();
        self.stops.fill(text.as_bytes());
        // A caller that is met again is not scanned again.
        for time in ["first", "second"] {
            let mut held = Held::default();
            let Self { stops, callers, actors, .. } = self;
            let Ok(end) = scan::record(text, 0, Aids { stops, callers, actors }, &mut held) else { break };
            // What follows a record is not the record's.
            let expected = reference::read(&text[..end]);
            let named = reference::name(&held.fields, expected.as_ref());
            assert_eq!(Some(named), expected, "short way, {time} time: {text}");
            if let Some(actor) = held.actor {
                let identity = held.fields.caller.identity();
                assert_eq!(*actor, Actor::of(&identity), "short way, {time} time: {text}");
                assert_eq!(
                    held.sitting,
                    Some(held.fields.caller.sitting()),
                    "short way, {time} time: {text}"
                );
            }
            self.short += usize::from(time == "first");
        }
        let read = self.tape.read(text, |item| match item {
            Item::Record(fields) => Some(reference::name(fields, expected)),
            Item::Envelope(_) | Item::Digest => None,
        });
        match read {
            Ok(Some(named)) => assert_eq!(Some(&named), expected, "thorough way: {text}"),
            Ok(None) => assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}"),
            Err((SkipReason::InvalidJson | SkipReason::NotAnObject, _)) => {
                assert_eq!(expected, None, "thorough way: {text}");
                self.refused += 1;
            }
            Err(_) => self.refused += 1,
        }
    }
}

#[test]
fn records_as_they_are() {
    let mut ways = Ways::default();
    RECORDS.lines().for_each(|record| ways.agree(record));
    assert_eq!((ways.short, ways.refused), (RECORDS.lines().count(), 0));
}

#[test]
fn records_at_hand() {
    let Some(folder) = std::env::var_os("TRAILHOUND_DATA") else { return };
    let (mut ways, mut count) = (Ways::default(), 0);
    for text in super::texts(folder) {
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        for record in document["Records"].as_array().into_iter().flatten() {
            ways.agree(&record.to_string());
            ways.agree(&serde_json::to_string_pretty(record).unwrap());
            count += 1;
        }
    }
    println!("{count} records, {} of them the short way", ways.short);
    assert_eq!(ways.refused, 0);
}

#[test]
fn strings_of_attackers_never_become_fields() {
    let mut ways = Ways::default();
    for hostile in HOSTILE {
        let quoted = serde_json::to_string(hostile).unwrap();
        for member in ["userAgent", "eventName", "requestParameters", "errorMessage", "unknown"] {
            for record in [
                format!(r#"{{"{member}":{quoted},"eventTime":"t","eventName":"Real","eventSource":"s"}}"#),
                format!(r#"{{"eventName":"Real","eventTime":"t","eventSource":"s","{member}":{quoted}}}"#),
                format!(r#"{{"requestParameters":{{"a":[{quoted}],{quoted}:1}},"eventName":"Real"}}"#),
                format!(
                    r#"{{"eventName":"Real",{quoted}:"eventName","userIdentity":{{{quoted}:{quoted}}}}}"#
                ),
            ] {
                ways.agree(&record);
                let name = reference::read(&record).unwrap()["name"].clone();
                assert!(name == "Real" || name == *hostile, "{record}");
            }
        }
    }
    assert!(ways.short > 0 && ways.refused == 0);
}

#[test]
fn the_last_of_duplicate_members_counts_on_every_level() {
    let mut ways = Ways::default();
    for (record, name, expected) in [
        (r#"{"eventName":"A","eventName":"B"}"#, "name", "B"),
        (r#"{"eventName":"A","eventName":null}"#, "name", ""),
        (r#"{"eventName":"A","eventName":{"x":1}}"#, "name", ""),
        (r#"{"eventName":"A","event\u004eame":"B"}"#, "name", "B"),
        (r#"{"userIdentity":{"arn":"A","type":"T"},"userIdentity":{"type":"U"}}"#, "arn", ""),
        (r#"{"userIdentity":{"arn":"A"},"userIdentity":7}"#, "arn", ""),
        (r#"{"userIdentity":{"arn":"A","arn":"B"}}"#, "arn", "B"),
        (r#"{"userIdentity":{"onBehalfOf":{"userId":"A"},"onBehalfOf":{}}}"#, "on behalf of", ""),
        (
            r#"{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"A"},"sessionIssuer":{}}}}"#,
            "issuer arn",
            "",
        ),
        (
            r#"{"userIdentity":{"sessionContext":{"attributes":{"creationDate":"A"},"attributes":[]}}}"#,
            "created",
            "",
        ),
        (
            r#"{"userIdentity":{"sessionContext":{"sourceIdentity":"A"},"sessionContext":{}}}"#,
            "source identity",
            "",
        ),
    ] {
        ways.agree(record);
        assert_eq!(reference::read(record).unwrap()[name], expected, "{record}");
    }
    assert_eq!(ways.short, 10, "all but the escaped key");
}

#[test]
fn altered_records() {
    let mut ways = Ways::default();
    let records: Vec<&str> = RECORDS.lines().collect();
    let mut dice = Dice(0x5eed);
    for i in 0..ALTERED {
        let mut bytes = records[i % records.len()].as_bytes().to_vec();
        for _ in 0..=dice.below(3) {
            alter(&mut bytes, &mut dice);
        }
        ways.agree(&String::from_utf8_lossy(&bytes));
    }
    // Both outcomes are common, so neither is tested in vain.
    assert!(ways.short > ALTERED / 10 && ways.refused > ALTERED / 10, "{} {}", ways.short, ways.refused);
}

fn alter(bytes: &mut Vec<u8>, dice: &mut Dice) {
    const BYTES: &[u8] = b"\"\\{}[]:,0123456789.-+eEu/tfnx \n\t\r\0\x1f\x7f\xc3\xa9\xff";
    let at = dice.below(bytes.len());
    match dice.below(5) {
        0 => bytes[at] = BYTES[dice.below(BYTES.len())],
        1 => bytes.insert(at, BYTES[dice.below(BYTES.len())]),
        2 => drop(bytes.remove(at)),
        3 => {
            let fragment = HOSTILE[dice.below(HOSTILE.len())];
            bytes.splice(at..at, fragment.bytes());
        }
        _ => {
            let end = (at + dice.below(40)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = dice.below(bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

const HOSTILE: &[&str] = &[
    r#"","eventName":"Forged","x":""#,
    r#"\","eventName":"Forged","x":"\"#,
    r#""},"eventName":"Forged""#,
    r#"\"}"#,
    "\\",
    "\\\\",
    "\"",
    r#"{"eventName":"Forged"}"#,
    r#"eventName":"Forged"#,
    "eventName",
    "}]}",
    r"\ud800",
    r"\udc00\ud800",
    r"\ud83d\ude00",
    r"\u0000",
    r"\u00e9",
    r"\x",
    "é\u{1f600}",
    "\u{0}\u{1f}",
    "1e400",
    "-0",
    "01",
    "1.",
    "123456789012345678901234567890",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "true",
    "null",
    ",",
];

/// A small generator of pseudo-random numbers (SplitMix64), so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }
}
