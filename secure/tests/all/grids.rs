//! Networks with scales of their own between two parties.

use import::ImportOptions;
use secure::Mode;
use tests::networks::grids::{NAMES, case};
use tests::networks::parties;
use tests::networks::trained::imported;

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
