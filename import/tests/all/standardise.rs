//! Random networks stay in range, and can be imported without looking at how weights are rounded.

use backbones::backbone_seeded;
use import::{ImportOptions, Rounding, WeightBits, quantise};
use nets::{Error, Op, Shape, Source, standardise};

const SIZE: usize = 64;

fn seeded(arch: &str) -> Source {
    backbone_seeded(arch, Shape::new(3, SIZE, SIZE), 5, [3; 32]).expect("a backbone")
}

/// Bytes that look like nothing, as input values.
fn sample(source: &Source, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let bytes: Vec<u8> = (0..3 * SIZE * SIZE).map(|_| next()).collect();
    source
        .preprocessing
        .values(&bytes)
        .expect("as long as it should be")
}

/// The root mean squares of what the batch norms give.
fn magnitudes(source: &Source, x: &[f32]) -> Vec<f64> {
    let mut found = Vec::new();
    let graph = &source.float.graph;
    let mut observe = |node: usize, values: &[f32]| {
        if let Op::BatchNorm { .. } = graph.nodes()[node].op {
            let square: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
            let count = u32::try_from(values.len()).expect("a small image");
            found.push((square / f64::from(count)).sqrt());
        }
    };
    source.float.run_observed(x, &mut observe).expect("it runs");
    found
}

#[test]
fn activations_neither_vanish_nor_explode() {
    for arch in [
        "densenet121",
        "mobilenet-v2",
        "mobilenet-v3-large",
        "shufflenet-v2",
    ] {
        let mut source = seeded(arch);
        let x = sample(&source, 1);
        standardise(&mut source.float, &x).expect("it runs");
        for x in [x, sample(&source, 2)] {
            let found = magnitudes(&source, &x);
            assert!(found.len() > 30, "{arch}");
            assert!(
                found.iter().all(|m| (0.25..4.0).contains(m)),
                "{arch}: {found:?}"
            );
        }
        // So it has to be done.
        let before = seeded(arch);
        let found = magnitudes(&before, &sample(&before, 1));
        let sane = found.iter().all(|m| (0.25..4.0).contains(m));
        assert!(!sane || arch == "densenet121", "{arch}: {found:?}");
    }
}

#[test]
fn a_sample_must_fit() {
    let mut source = seeded("mobilenet-v2");
    let error = standardise(&mut source.float, &[0.0; 3]);
    assert!(matches!(error, Err(Error::InputLength { found: 3, .. })));
}

/// Rounding changes integers of the server only: graph, widths and so the cost are the same.
#[test]
fn rounding_does_not_change_the_graph() {
    let mut source = seeded("shufflenet-v2");
    let x = sample(&source, 1);
    standardise(&mut source.float, &x).expect("it runs");
    let imported = |rounding| {
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(10),
            rounding,
            ..ImportOptions::default()
        };
        quantise(&source, std::slice::from_ref(&x), &options).expect("it can be lowered")
    };
    let (careful, _) = imported(Rounding::LeastSquares);
    let (nearest, report) = imported(Rounding::Nearest);
    assert_eq!(careful.public.graph, nearest.public.graph);
    assert_ne!(careful.weights, nearest.weights);
    assert_eq!((report.same_top, report.wrapped), (1, 0));
}
