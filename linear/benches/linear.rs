//! Convolutions: both parties on ideal correlated OTs in memory, and the clear oracle.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linear::{Conv2d, ConvSpec, clear};
use ndarray::Array4;
use ring_arith::Bits;
use testkit::{elements, ideal_session, rng, run_2pc};

fn layers() -> Vec<(&'static str, ConvSpec)> {
    let spec = |channels, kernel: usize, groups| {
        let padding = [kernel / 2; 4];
        ConvSpec::new(channels, [28, 28], [kernel; 2], [1, 1], padding, groups).expect("fits")
    };
    vec![
        ("dense 3x3 16-16", spec([16, 16], 3, 1)),
        ("pointwise 64-32", spec([64, 32], 1, 1)),
        ("depthwise 3x3 64", spec([64, 64], 3, 64)),
    ]
}

fn operands(conv: &Conv2d) -> (Array4<i32>, Array4<u64>) {
    let [c, h, w] = conv.spec.input_shape();
    let (min, max) = (conv.weight_bits.min_signed(), conv.weight_bits.max_signed());
    let range = (min..=max)
        .cycle()
        .step_by(997)
        .take(conv.spec.weight_len());
    let weights = range.map(|w| i32::try_from(w).expect("small")).collect();
    let x = elements(conv.spec.input_len(), conv.bits, &mut rng(1));
    (
        Array4::from_shape_vec(conv.spec.weight_shape(), weights).expect("fits"),
        Array4::from_shape_vec((1, c, h, w), x).expect("fits"),
    )
}

fn both_parties(conv: &Conv2d, times: u64) -> Duration {
    let (weights, x) = operands(conv);
    let (elapsed, ()) = run_2pc(
        |connection| {
            let mut s = ideal_session(&connection, 1);
            let start = Instant::now();
            for _ in 0..times {
                conv.run_server(&mut s, weights.view(), x.view())
                    .expect("the server succeeds");
            }
            start.elapsed()
        },
        |connection| {
            let mut s = ideal_session(&connection, 1);
            for _ in 0..times {
                conv.run_client(&mut s, x.view())
                    .expect("the client succeeds");
            }
        },
    );
    elapsed
}

fn convolution(c: &mut Criterion) {
    for (weight_bits, bits) in [(12, 32), (12, 37)] {
        let mut group = c.benchmark_group(format!("convolution w={weight_bits} l={bits}"));
        group.sample_size(10);
        for (name, spec) in layers() {
            let conv = Conv2d {
                spec,
                weight_bits: Bits::of(weight_bits),
                bits: Bits::of(bits),
            };
            let (weights, x) = operands(&conv);
            group.throughput(Throughput::Elements(spec.macs()));
            group.bench_function(BenchmarkId::new("secure", name), |b| {
                b.iter_custom(|times| both_parties(&conv, times));
            });
            group.bench_function(BenchmarkId::new("clear", name), |b| {
                b.iter(|| clear::conv2d(&spec, conv.bits, weights.view(), x.view()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, convolution);
criterion_main!(benches);
