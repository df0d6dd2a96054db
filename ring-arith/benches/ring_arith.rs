//! Packing, slice kernels and matrix products of one core.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ring_arith::{Bits, gemm, pack, packed_len, slices, unpack};

fn values(n: usize) -> Vec<u64> {
    (0..n as u64)
        .map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .collect()
}

fn narrow(n: usize) -> Vec<u32> {
    values(n).iter().map(|&v| (v >> 32) as u32).collect()
}

fn packing(c: &mut Criterion) {
    let mut group = c.benchmark_group("pack");
    for n in [64, 784, 4096] {
        let (x, wide) = (narrow(n), values(n));
        group.throughput(Throughput::Elements(n as u64));
        for l in [11, 21, 32] {
            let bits = Bits::of(l);
            let mut bytes = vec![0; packed_len(n, bits)];
            let mut back = vec![0u32; n];
            group.bench_function(BenchmarkId::new(format!("pack u32 l={l}"), n), |b| {
                b.iter(|| pack(black_box(&x), bits, &mut bytes));
            });
            group.bench_function(BenchmarkId::new(format!("unpack u32 l={l}"), n), |b| {
                b.iter(|| unpack(black_box(&bytes), bits, &mut back));
            });
        }
        let bits = Bits::of(37);
        let mut bytes = vec![0; packed_len(n, bits)];
        let mut back = vec![0u64; n];
        group.bench_function(BenchmarkId::new("pack u64 l=37", n), |b| {
            b.iter(|| pack(black_box(&wide), bits, &mut bytes));
        });
        group.bench_function(BenchmarkId::new("unpack u64 l=37", n), |b| {
            b.iter(|| unpack(black_box(&bytes), bits, &mut back));
        });
    }
    group.finish();
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("slices");
    let n = 784;
    let (x, r0, r1) = (narrow(n), narrow(n), narrow(n));
    let mut out = narrow(n);
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("correction u32", |b| {
        b.iter(|| slices::correction(&mut out, black_box(&r0), &x, &r1));
    });
    group.bench_function("add_masked u32", |b| {
        b.iter(|| slices::add_masked(&mut out, black_box(&x), true));
    });
    group.bench_function("accumulate_shifted u32", |b| {
        b.iter(|| slices::accumulate_shifted(&mut out, black_box(&x), 5, false));
    });
    group.finish();
}

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("gemm");
    group.sample_size(20);
    for (m, k, n) in [(512, 512, 512), (32, 1152, 784)] {
        let a: Vec<i16> = values(m * k).iter().map(|&v| (v >> 53) as i16).collect();
        let (x, wide) = (narrow(k * n), values(k * n));
        let (mut c32, mut c64) = (vec![0u32; m * n], vec![0u64; m * n]);
        group.throughput(Throughput::Elements((m * k * n) as u64));
        let shape = format!("{m}x{k}x{n}");
        group.bench_function(BenchmarkId::new("i16 u32", &shape), |b| {
            b.iter(|| gemm(m, k, n, &a, black_box(&x), &mut c32));
        });
        group.bench_function(BenchmarkId::new("i16 u64", &shape), |b| {
            b.iter(|| gemm(m, k, n, &a, black_box(&wide), &mut c64));
        });
    }
    group.finish();
}

criterion_group!(benches, packing, kernels, products);
criterion_main!(benches);
