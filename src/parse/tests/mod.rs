mod damaged;
mod differential;
mod odd;
mod reference;

use std::ffi::OsString;

use super::*;
use crate::inflate::{Ending, Inflater, Limits};
use crate::ingest::local;

const RECORD: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/ann","accountId":"123456789012"},"eventTime":"2023-07-10T11:54:47Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","userAgent":"[aws-cli]","requestParameters":{"a":[1,"}"]},"responseElements":null,"eventID":"e-1","readOnly":true,"recipientAccountId":"123456789012"}"#;

fn parse_each(bytes: &[u8], mut each: impl FnMut(&Event<'_>)) -> Parsed {
    let mut tables = Tables { actions: ActionTable::new(|_| 0), actors: ActorTable::default() };
    let mut seen = 0;
    let parsed =
        Parser::new().records(bytes, &Origin::new("-"), 0, &mut tables, &mut |events: &[Event<'_>]| {
            seen += events.len() as u64;
            events.iter().for_each(&mut each);
        });
    assert_eq!(parsed.records, parsed.judged + parsed.skipped.values().sum::<u64>());
    assert_eq!(parsed.judged, seen);
    parsed
}

fn parse(bytes: &[u8]) -> (Parsed, Vec<String>) {
    let mut seen = Vec::new();
    let parsed = parse_each(bytes, |e| {
        seen.push(format!("{} {} {} {}", e.time, e.actor.name, e.action.label, e.event_id));
    });
    (parsed, seen)
}

#[test]
fn every_shape_gives_the_record() {
    let quoted = serde_json::to_string(RECORD).unwrap();
    for text in [
        format!(r#"{{"Records":[{RECORD}]}}"#),
        format!(r#"[{RECORD}]"#),
        RECORD.to_owned(),
        format!("{RECORD}\n"),
        format!("\u{feff} {RECORD}\0\0"),
        format!(r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{RECORD}}}"#),
        format!(r#"{{"Events":[{{"EventId":"e-1","CloudTrailEvent":{quoted}}}],"NextToken":"x"}}"#),
        format!("[{quoted}]"),
    ] {
        let (parsed, seen) = parse(text.as_bytes());
        assert_eq!(seen, ["2023-07-10T11:54:47Z ann iam:ListUsers e-1"], "{text}");
        assert_eq!((parsed.content, parsed.cut_after), (Content::Trail, None), "{text}");
    }
}

/// The texts of all files in a folder, and none of them damaged.
fn texts(folder: OsString) -> impl Iterator<Item = String> {
    let (mut inflater, mut stored) = (Inflater::new(Limits::default()), Vec::new());
    local::list(&[folder.into()]).unwrap().into_iter().map(move |file| {
        local::read(&file, 1 << 30, &mut stored).unwrap();
        let (bytes, ending) = inflater.inflate(&stored);
        assert_eq!(ending, Ending::Complete, "{}", file.origin().name);
        String::from_utf8_lossy(bytes).into_owned()
    })
}

/// Set `TRAILHOUND_DATA` to a folder of CloudTrail files to have them all read.
#[test]
fn data_at_hand_reconciles() {
    let Some(folder) = std::env::var_os("TRAILHOUND_DATA") else { return };
    let (mut records, mut skipped) = (0, BTreeMap::new());
    for text in texts(folder) {
        let (parsed, _) = parse(text.as_bytes());
        records += parsed.records;
        for (reason, count) in parsed.skipped {
            *skipped.entry(reason).or_insert(0) += count;
        }
    }
    println!("{records} records, skipped {skipped:?}");
    assert!(records > 0);
}
