//! Observing: what each detector costs an event beside parsing it, with facts that begin empty.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use trailhound::ingest::Origin;
use trailhound::parse::{Parser, Tables};
use trailhound_detectors::catalogue::{self, ENTRIES, Ledgers};
use trailhound_detectors::{Action, ActionTable, ActorTable};

use crate::objects;

/// The claims of one detector, by its place in the catalogue.
fn only<const PLACE: u32>(action: &Action) -> u32 {
    catalogue::claims(action) & (1 << PLACE)
}

pub(crate) fn bench(c: &mut Criterion) {
    let plain = objects::large();
    let origin = Origin::new("123456789012_CloudTrail_us-east-1_20230710T1155Z_x.json.gz");
    let alone: [fn(&Action) -> u32; 4] = [only::<0>, only::<1>, only::<2>, only::<3>];
    let observers = ENTRIES.iter().map(|entry| entry.name).zip(alone);
    let observers = [("none", (|_| 0) as fn(&Action) -> u32)]
        .into_iter()
        .chain(observers)
        .chain([("all", catalogue::claims as _)]);
    let mut group = c.benchmark_group("parse and observe");
    let mut parser = Parser::new();
    let records = {
        let mut tables = Tables { actions: ActionTable::new(|_| 0), actors: ActorTable::default() };
        parser.records(&plain, &origin, objects::LATENESS_SECONDS, &mut tables, &mut |_| {}).judged
    };
    group.throughput(Throughput::Elements(records));
    for (name, claims) in observers {
        let mut tables = Tables { actions: ActionTable::new(claims), actors: ActorTable::default() };
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                Ledgers::default,
                |ledgers| {
                    let mut observe = |event: trailhound_detectors::Event<'_>| ledgers.observe(&event);
                    parser
                        .records(
                            black_box(&plain),
                            &origin,
                            objects::LATENESS_SECONDS,
                            &mut tables,
                            &mut observe,
                        )
                        .judged
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}
