//! Parsing: a large object, and small ones with what each costs beside its bytes.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::Origin;
use trailhound::parse::{Parser, Tables};
use trailhound_detectors::{ActionTable, ActorTable};

use crate::objects;

pub(crate) fn bench(c: &mut Criterion) {
    let mut parser = Parser::new();
    let mut tables = Tables { actions: ActionTable::new(|_| 1), actors: ActorTable::default() };
    let mut events = |bytes: &[u8], origin: &Origin| {
        let mut seen = 0;
        let parsed = parser.records(bytes, origin, objects::LATENESS_SECONDS, &mut tables, &mut |events| {
            seen = events.iter().fold(seen, |seen, event| seen ^ black_box(event.call.0));
        });
        (parsed.judged, seen)
    };

    let plain = objects::large();
    let origin = Origin::new("123456789012_CloudTrail_us-east-1_20230710T1155Z_x.json.gz");
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("large object", |b| b.iter(|| events(black_box(&plain), &origin)));
    // White space sends every record the thorough way.
    let spaced = String::from_utf8_lossy(&plain).replace(r#""eventVersion":"#, r#""eventVersion" :"#);
    group.bench_function("large object, thorough way", |b| {
        b.iter(|| events(black_box(spaced.as_bytes()), &origin))
    });
    group.finish();

    let small = objects::gzip(&objects::object(5));
    let mut inflater = Inflater::new(Limits::default());
    let mut group = c.benchmark_group("small files");
    group.throughput(Throughput::Elements(1));
    group.bench_function("inflate and parse five records", |b| {
        b.iter(|| {
            let origin = Origin::new("123456789012_CloudTrail_us-east-1_20230710T1155Z_x.json.gz");
            events(inflater.inflate(black_box(&small)).0, &origin)
        });
    });
    group.finish();
}
