//! Hash, key streams, tree doubling and transposition on every back-end of the processor.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ot::hash::{TccrHash, Tweak};
use ot::prg::{Prg, TreePrg, fill_words_pair_with, fill_words_with, transpose_128, xor_into};
use ot::{Backend, Block};
use std::hint::black_box;

const SESSION: [u8; 16] = [1; 16];

fn blocks(n: usize) -> Vec<Block> {
    let mut out = vec![0; n];
    Prg::new(1).fill_blocks(&mut out);
    out
}

/// Elements are hashed blocks; a pair counts once.
fn hash(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash");
    for n in [8, 128, 4096] {
        let x = blocks(n);
        let [mut out0, mut out1] = [vec![0; n], vec![0; n]];
        group.throughput(Throughput::Elements(n as u64));
        for backend in Backend::available() {
            let hash = TccrHash::with_backend(&SESSION, backend);
            let first = Tweak::new(0, 0, 0);
            group.bench_function(
                BenchmarkId::new(format!("single/{}", backend.name()), n),
                |b| {
                    b.iter(|| hash.hash_range(first, black_box(&x), &mut out0));
                },
            );
            group.bench_function(
                BenchmarkId::new(format!("pair/{}", backend.name()), n),
                |b| {
                    b.iter(|| hash.hash_pair_range(first, black_box(&x), 5, &mut out0, &mut out1));
                },
            );
        }
    }
}

/// One key schedule and one row per seed; elements are rows.
fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("prg");
    for words in [49, 64, 784, 12544] {
        let [mut out0, mut out1] = [vec![0_u32; words], vec![0_u32; words]];
        for backend in Backend::available() {
            let mut seed = 0;
            group.throughput(Throughput::Bytes(4 * words as u64));
            group.bench_function(
                BenchmarkId::new(format!("row/{}", backend.name()), words),
                |b| {
                    b.iter(|| {
                        seed += 1;
                        fill_words_with(backend, black_box(seed), 0, &mut out0);
                    });
                },
            );
            group.throughput(Throughput::Bytes(8 * words as u64));
            group.bench_function(
                BenchmarkId::new(format!("pair/{}", backend.name()), words),
                |b| {
                    b.iter(|| {
                        seed += 2;
                        let (seed0, seed1) = (black_box(seed), black_box(seed + 1));
                        fill_words_pair_with(backend, seed0, seed1, 0, [&mut out0, &mut out1]);
                    });
                },
            );
        }
    }
}

fn stream(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream");
    let mut out = vec![0; 1 << 14];
    group.throughput(Throughput::Bytes(1 << 14));
    for backend in Backend::available() {
        let mut prg = Prg::with_backend(9, backend);
        group.bench_function(backend.name(), |b| b.iter(|| prg.fill(&mut out)));
    }
}

/// Elements are seeds doubled.
fn tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree");
    let seeds = blocks(1024);
    let [mut left, mut right] = [vec![0; 1024], vec![0; 1024]];
    group.throughput(Throughput::Elements(1024));
    for backend in Backend::available() {
        let tree = TreePrg::with_backend(&SESSION, backend);
        group.bench_function(backend.name(), |b| {
            b.iter(|| tree.double(black_box(&seeds), &mut left, &mut right));
        });
    }
}

/// Elements are columns, one per OT.
fn transpose(c: &mut Criterion) {
    let mut group = c.benchmark_group("transpose");
    for n in [1 << 10, 1 << 14, 1 << 18] {
        let mut rows = vec![0; 16 * n];
        Prg::new(2).fill(&mut rows);
        let mut out = vec![0; n];
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| transpose_128(black_box(&rows), &mut out));
        });
    }
}

fn xor(c: &mut Criterion) {
    let mut group = c.benchmark_group("xor");
    let src = vec![5; 1 << 13];
    let mut dst = vec![3; 1 << 13];
    group.throughput(Throughput::Bytes(1 << 13));
    group.bench_function("8 KiB", |b| b.iter(|| xor_into(&mut dst, black_box(&src))));
}

criterion_group!(benches, hash, rows, stream, tree, transpose, xor);
criterion_main!(benches);
