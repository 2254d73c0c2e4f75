//! Inflating: the library behind it, and its rival.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use flate2::{Decompress, FlushDecompress};
use trailhound::inflate::{Inflater, Limits};

use crate::objects;

pub(crate) fn bench(c: &mut Criterion) {
    let plain = objects::large();
    let stored = objects::gzip(&plain);
    let mut group = c.benchmark_group("inflate");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    let mut inflater = Inflater::new(Limits::default());
    group.bench_function("one member", |b| b.iter(|| inflater.inflate(black_box(&stored)).0.len()));
    let members = [&stored[..], &objects::gzip(b" ")].concat();
    group.bench_function("two members", |b| b.iter(|| inflater.inflate(black_box(&members)).0.len()));
    let mut out = vec![0; plain.len()];
    let mut whole = libdeflater::Decompressor::new();
    group.bench_function("libdeflate alone", |b| {
        b.iter(|| whole.gzip_decompress(black_box(&stored), &mut out).expect("gzip"));
    });
    group.bench_function("zlib-rs alone", |b| {
        b.iter(|| {
            let mut stream = Decompress::new_gzip(15);
            stream.decompress(black_box(&stored), &mut out, FlushDecompress::Finish).expect("gzip");
            stream.total_out()
        });
    });
    group.finish();
}
