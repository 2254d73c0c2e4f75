//! Any bytes as a log object: nothing panics, limits hold, every record is judged or skipped, and detectors can open
//! whatever an event holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::Origin;
use trailhound::parse::{Parser, Tables};
use trailhound_detectors::{ActionTable, ActorTable, Event};

const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_ratio: 1_000 };

fuzz_target!(|bytes: &[u8]| {
    let mut inflater = Inflater::new(LIMITS);
    let (inflated, _) = inflater.inflate(bytes);
    assert!(inflated.len() <= LIMITS.max_bytes);
    let origin = Origin::new("123456789012_CloudTrail_us-east-1_20230710T1155Z_x.json.gz");
    let mut tables = Tables { actions: ActionTable::new(|_| 1), actors: ActorTable::default() };
    let mut events = 0;
    let parsed = Parser::new().records(inflated, &origin, 3_600, &mut tables, &mut |some: &[Event<'_>]| {
        events += some.len() as u64;
        some.iter().for_each(look_at);
    });
    assert_eq!(parsed.judged, events);
    assert_eq!(parsed.records, parsed.judged + parsed.skipped.values().sum::<u64>());
});

fn look_at(event: &Event<'_>) {
    assert!(!event.action.name.is_empty() && !event.actor.id.is_empty());
    let parts = event.parts;
    for (raw, opened) in [
        (parts.request, parts.request()),
        (parts.response, parts.response()),
        (parts.additional, parts.additional()),
        (parts.resources, parts.resources()),
        (parts.service_details, parts.service_details()),
    ] {
        let text = opened.get("name").and_then(|v| v.as_str());
        assert_eq!(raw.top_str("name").as_deref(), text);
    }
}
