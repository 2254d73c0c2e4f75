//! Benchmarks, one module a component. Objects are made from the fixtures and trails are simulated; with
//! `TRAILHOUND_DATA=FOLDER`, the largest CloudTrail file of that folder and all of them take their places.

mod inflate;
mod objects;
mod observe;
mod parse;
mod policy;
mod trail;

use criterion::{criterion_group, criterion_main};

/// What the command line has, so that memory costs here what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, inflate::bench, parse::bench, observe::bench, policy::bench, trail::bench);
criterion_main!(benches);
