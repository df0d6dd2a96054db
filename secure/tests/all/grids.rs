//! Networks with scales of their own between two parties.

use import::ImportOptions;
use secure::Mode;
use tests::networks::grids::{NAMES, case};
use tests::networks::ints::Rng;
use tests::networks::trained::imported;
use tests::networks::{parties, partly};

#[test]
fn secure_equals_integer() {
    for name in NAMES {
        let case = case(name);
        let (model, _) = imported(&case.source, &case.images, &ImportOptions::default());
        for (image, seed) in case.images.iter().zip(0..3) {
            let input = model.public.encode(image).expect("the right size");
            let expected = model.run_integer(&input).expect("it runs");
            let graph = &model.public.graph;
            let found = parties::run(graph, &model.weights, &input, Mode::Faithful, seed);
            assert_eq!(found.output, expected, "{name}");
        }
    }
}

/// Where only some tensors are on grids, it is the same: 12 networks.
#[test]
fn secure_equals_integer_beside_grids() {
    for seed in 0..12_u8 {
        let partly = partly::network(&mut Rng::new(seed.into()));
        let (source, images) = (&partly.source, &partly.images);
        let (model, _) = imported(source, images, &ImportOptions::default());
        let input = model.public.encode(&images[0]).expect("the right size");
        let expected = model.run_integer(&input).expect("it runs");
        let graph = &model.public.graph;
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, seed);
        assert_eq!(found.output, expected, "{seed}");
    }
}
