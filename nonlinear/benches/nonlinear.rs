//! `ReLU` and truncations, both parties in this process on real oblivious transfers, refill included.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nonlinear::{Error, Relu, TruncFaithful, TruncReduce};
use ot::{Silent, SilentSet};
use ring_arith::Bits;
use sharing::{Extension, Session, default_extension};
use testkit::{elements, rng, run_sessions_real, share};

const N: usize = 1 << 14;

type Protocol = dyn Fn(&mut Session, &[u64]) -> Result<Vec<u64>, Error> + Sync;

/// Time of `iterations` runs after the set-up, both parties side by side.
fn time(extension: &dyn Extension, bits: Bits, iterations: u64, protocol: &Protocol) -> Duration {
    let mut rng = rng(1);
    let x = elements(N, bits, &mut rng);
    let (server, client) = share(&x, bits, &mut rng);
    let party = |s: &mut Session, x: &[u64]| {
        protocol(s, &x[..64]).expect("a first run fills the pools");
        let start = Instant::now();
        for _ in 0..iterations {
            protocol(s, x).expect("the protocol succeeds");
        }
        start.elapsed()
    };
    let (time, _, _) =
        run_sessions_real(2, extension, |s| party(s, &server), |s| party(s, &client));
    time
}

fn nonlinear(c: &mut Criterion) {
    let silent = Silent::new(SilentSet::SmallTwice);
    for extension in [default_extension(), &silent] {
        with(c, extension);
    }
}

fn with(c: &mut Criterion, extension: &dyn Extension) {
    let mut group = c.benchmark_group(format!("nonlinear, {}", extension.name()));
    group.sample_size(10);
    group.throughput(Throughput::Elements(N as u64));
    let price = extension.price();
    for bits in [16, 32, 64].map(Bits::of) {
        let shift = bits.get() * 3 / 8;
        let relu = Relu::new(bits, price);
        let faithful = TruncFaithful::new(bits, shift, price);
        let reduce = TruncReduce::new(bits, shift, true, price);
        let protocols: [(&str, Box<Protocol>); 3] = [
            (
                "relu",
                Box::new(move |s, x| s.run(async |p| relu.run(p, x).await)),
            ),
            (
                "trunc_faithful",
                Box::new(move |s, x| s.run(async |p| faithful.run(p, x).await)),
            ),
            (
                "trunc_reduce",
                Box::new(move |s, x| s.run(async |p| reduce.run(p, x).await)),
            ),
        ];
        for (name, protocol) in protocols {
            group.bench_function(BenchmarkId::new(name, bits), |b| {
                b.iter_custom(|iterations| time(extension, bits, iterations, protocol.as_ref()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, nonlinear);
criterion_main!(benches);
