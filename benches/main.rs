//! Benchmarks, one module a component. Input is made from the fixtures; with `TRAILHOUND_DATA=FOLDER`, the largest
//! CloudTrail file of that folder takes its place.

mod inflate;
mod objects;
mod observe;
mod parse;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, inflate::bench, parse::bench, observe::bench);
criterion_main!(benches);
