//! The trained ResNet-20 between two parties.

use import::ImportOptions;
use secure::Mode;
use tests::networks::{parties, trained};

#[test]
fn secure_equals_integer() {
    check(1);
}

#[test]
#[ignore = "half a minute: cargo test --release -p blindray-secure --test all resnet20 -- --ignored"]
fn secure_equals_integer_on_all_images() {
    check(10);
}

fn check(images: usize) {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let (model, _) = trained::imported(&source, &samples, &ImportOptions::default());
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
            usize::from(trained::top(&model.public.logits(&found.output)) == trained::top(logits));
        let (up, down, flights) = found.client.totals();
        eprintln!(
            "{up} bytes up, {down} down, {flights} flights, {:?}",
            found.client.cots()
        );
    }
    assert!(same + images / 10 >= images, "{same} of {images}");
}
