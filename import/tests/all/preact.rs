//! Batch norm, `ReLU`, convolution, with factors of every kind: no multiplication is left of the batch norm.

use import::{ImportOptions, WeightBits, quantise};
use nets::Operator as _;
use proptest::prelude::*;
use tests::networks::ints::Rng;
use tests::networks::preact::{BETWEEN, image, source};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn integers_follow_floats(seed: u64, pointwise: bool, between in 0..BETWEEN) {
        check(&mut Rng::new(seed), if pointwise { 1 } else { 3 }, between);
    }
}

/// Compares the integer network with floats, also on an image not used for calibration.
fn check(rng: &mut Rng, kernel: usize, between: usize) {
    let source = source(rng, kernel, between);
    let mut image = || image(rng, &source);
    let samples = [image(), image(), image()];
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(14),
        fraction_bits: 12,
        ..ImportOptions::default()
    };
    let (model, report) = quantise(&source, &samples, &options).expect("it imports");
    assert_eq!(report.wrapped, 0);
    let nodes = model.public.graph.nodes().iter();
    let signed = nodes.filter(|n| n.op.name() == "signed-relu");
    assert_eq!(signed.count(), 1, "no batch norm is left to multiply");
    for sample in samples.iter().chain([&image()]) {
        let expected = source.float.run(sample).expect("it runs");
        let input = model.public.encode(sample).expect("the right size");
        let raw = model.run_integer(&input).expect("it runs");
        for (a, b) in expected.iter().zip(&model.public.logits(&raw)) {
            assert!((f64::from(*a) - b).abs() < 0.02, "{a} became {b}");
        }
    }
}
