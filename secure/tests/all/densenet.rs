//! The trained DenseNet-BC-100: pre-activation batch norms at no cost.

use backbones::backbone;
use import::ImportOptions;
use nets::{IntOp, Model, Source, StateDict};
use secure::Mode;
use tests::networks::{parties, trained};

fn densenet() -> Option<(Source, trained::Reference)> {
    let (folder, name) = (trained::models()?, "densenet_bc100_k12_cifar10");
    let weights = folder.join(format!("weights/{name}/{name}.safetensors"));
    let dict = StateDict::load(&weights).expect("the weights load");
    let source = backbone("densenet-bc100", dict).expect("the weights are of a DenseNet-BC");
    Some((source, trained::reference(&folder, name)))
}

#[test]
fn float_logits_equal_the_reference() {
    let Some((source, reference)) = densenet() else {
        return;
    };
    let folded = nets::fold(&source.float).expect("it folds");
    for (sample, expected) in trained::samples(&source, &reference)
        .iter()
        .zip(&reference.logits)
    {
        let scale = expected.iter().fold(0.0_f64, |top, v| top.max(v.abs()));
        for model in [&source.float, &folded] {
            let found = model.run(sample).expect("it runs");
            for (a, b) in found.iter().zip(expected) {
                assert!((f64::from(*a) - b).abs() <= 1e-3 * scale, "{a} for {b}");
            }
        }
    }
}

#[test]
fn integers_agree() {
    imported();
}

#[test]
#[ignore = "two minutes: cargo test --release -p blindray-secure --test all densenet -- --ignored"]
fn secure_equals_integer() {
    let Some((model, sample)) = imported() else {
        return;
    };
    let input = model.public.encode(&sample).expect("the right size");
    let expected = model.run_integer(&input).expect("it runs");
    let graph = &model.public.graph;
    let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 5);
    assert_eq!(found.output, expected);
    let (up, down, flights) = found.client.totals();
    eprintln!("{up} bytes up, {down} down, {flights} flights");
}

/// The integer network, and the first image.
fn imported() -> Option<(Model, Vec<f32>)> {
    let (source, reference) = densenet()?;
    let samples = trained::samples(&source, &reference);
    let (model, report) = trained::imported(&source, &samples, &ImportOptions::default());
    eprintln!(
        "top {}/{}, logits max {:.4} mean {:.4}, probability {:.4}",
        report.same_top,
        report.images,
        report.max_logit_difference,
        report.mean_logit_difference,
        report.max_probability_difference
    );
    assert_eq!((report.wrapped, report.same_top), (0, samples.len()));
    assert!(report.max_probability_difference < 0.02);
    let graph = &model.public.graph;
    let signed = |n: &&nets::Node<IntOp>| n.op == IntOp::SignedRelu;
    // One for each dense layer, transition, and the end; no batch norm became a product.
    assert_eq!(graph.nodes().iter().filter(signed).count(), 48 + 2 + 1);
    let linear = |n: &&nets::Node<IntOp>| n.op.is_linear();
    assert_eq!(graph.nodes().iter().filter(linear).count(), 100);
    Some((model, samples[0].clone()))
}
