//! Transforms and pointwise products, by each kernel of this processor.

use criterion::{Criterion, criterion_group, criterion_main};
use rlwe::bench::Bench;
use rlwe::{DEGREE, Set};

fn transforms(c: &mut Criterion) {
    let prime = Set::S1.primes()[0];
    for mut bench in Bench::each(DEGREE, prime) {
        let mut group = c.benchmark_group(bench.name);
        for nonzero in [1, 4, 16, 64, 256, 1024, DEGREE] {
            group.bench_function(format!("forward/{nonzero}"), |b| {
                b.iter(|| bench.forward(nonzero));
            });
        }
        group.bench_function("inverse", |b| b.iter(|| bench.inverse()));
        let mut count = 0;
        group.bench_function("add_products", |b| {
            b.iter(|| {
                count += 1;
                bench.add_products(count);
            });
        });
        group.bench_function("add_scaled", |b| {
            b.iter(|| {
                count += 1;
                bench.add_scaled(count);
            });
        });
        group.bench_function("multiply_add", |b| b.iter(|| bench.multiply_add()));
    }
}

criterion_group!(benches, transforms);
criterion_main!(benches);
