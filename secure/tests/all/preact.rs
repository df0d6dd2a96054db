//! Batch norm, `ReLU`, convolution, with factors of every kind, between two parties.

use import::{ImportOptions, WeightBits};
use proptest::prelude::*;
use secure::Mode;
use tests::networks::ints::Rng;
use tests::networks::parties;
use tests::networks::preact::{BETWEEN, image, source};
use tests::networks::trained::imported;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn secure_equals_integer(seed: u64, between in 0..BETWEEN) {
        let rng = &mut Rng::new(seed);
        let source = source(rng, 3, between);
        let mut image = || image(rng, &source);
        let samples = [image(), image(), image()];
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(14),
            fraction_bits: 12,
            ..ImportOptions::default()
        };
        let (model, report) = imported(&source, &samples, &options);
        prop_assert_eq!(report.wrapped, 0);
        let input = model.public.encode(&image()).expect("the right size");
        let expected = model.run_integer(&input).expect("it runs");
        let graph = &model.public.graph;
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 5);
        prop_assert_eq!(found.output, expected);
    }
}
