//! The trained ResNet-20 between two parties.

mod common;
#[path = "common/parties.rs"]
mod parties;

use nets::{ImportOptions, Mode};

#[test]
fn secure_equals_integer() {
    check(1);
}

#[test]
#[ignore = "half a minute: cargo test --release -p blindray-nets --test secure_resnet20 -- --ignored"]
fn secure_equals_integer_on_all_images() {
    check(10);
}

fn check(images: usize) {
    let Some((source, reference)) = common::resnet20() else {
        return;
    };
    let samples = common::samples(&source, &reference);
    let model = common::imported(&source, &samples, &ImportOptions::default());
    let mut same = 0;
    for (sample, logits) in samples.iter().zip(&reference.logits).take(images) {
        let input = model.public.encode(sample).expect("the right size");
        let expected = model.run_integer(&input).expect("it runs");
        let graph = &model.public.graph;
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 5);
        assert_eq!(found.output, expected);
        let macs: u64 = found.client.layers.iter().map(|l| l.macs).sum();
        assert_eq!(macs, 36_957_504, "products with padding are not counted");
        same +=
            usize::from(common::top(&model.public.logits(&found.output)) == common::top(logits));
        let (up, down, flights) = found.client.totals();
        eprintln!(
            "{up} bytes up, {down} down, {flights} flights, {:?}",
            found.client.cots()
        );
    }
    assert!(same + images / 10 >= images, "{same} of {images}");
}
