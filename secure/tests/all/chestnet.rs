//! The trained ChestNet of the demonstration, where its assets are.

use std::path::Path;

use backbones::backbone;
use import::ImportOptions;
use nets::{Source, StateDict};
use secure::Mode;
use tests::networks::trained::imported;
use tests::networks::{parties, trained};

/// Input values of the committed X-rays, and the logits the training recorded.
type Xrays = (Vec<Vec<f32>>, Vec<Vec<f64>>);

fn chestnet() -> Option<(Source, Xrays)> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/assets");
    let Ok(text) = std::fs::read(assets.join("chestnet.reference.json")) else {
        eprintln!("SKIPPED: no trained ChestNet at {}", assets.display());
        return None;
    };
    let dict = StateDict::load(&assets.join("chestnet.safetensors")).expect("the weights load");
    let source = backbone("chestnet-x", dict).expect("the weights are of a ChestNet");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let (mut samples, mut logits) = (Vec::new(), Vec::new());
    for image in json["images"].as_array().expect("a list") {
        if let Some(pixels) = image["pixels_base64"].as_str() {
            let pixels = base64(pixels);
            samples.push(
                source
                    .preprocessing
                    .values(&pixels)
                    .expect("the right size"),
            );
            logits.push(trained::numbers(&image["logits"]));
        }
    }
    assert!(!samples.is_empty(), "the reference has pixels");
    Some((source, (samples, logits)))
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |c: u8| {
        let digit = DIGITS.iter().position(|&d| d == c);
        u32::try_from(digit.expect("a digit of base64")).expect("below 64")
    };
    let text: Vec<u8> = text.bytes().filter(|&c| c != b'=').collect();
    let group = |group: &[u8]| {
        let word = group.iter().fold(0, |word, &c| word << 6 | digit(c));
        let word = word << (6 * (4 - group.len()));
        word.to_be_bytes()[1..group.len()].to_vec()
    };
    text.chunks(4).flat_map(group).collect()
}

#[test]
fn float_logits_equal_the_training() {
    let Some((source, (samples, logits))) = chestnet() else {
        return;
    };
    for (sample, expected) in samples.iter().zip(&logits) {
        let found = source.float.run(sample).expect("it runs");
        for (a, b) in found.iter().zip(expected) {
            assert!(
                (f64::from(*a) - b).abs() <= 1e-3 * b.abs().max(1.0),
                "{a} for {b}"
            );
        }
    }
}

#[test]
fn secure_equals_integer_agrees_with_float() {
    let Some((source, (samples, logits))) = chestnet() else {
        return;
    };
    let (model, report) = imported(&source, &samples, &ImportOptions::default());
    assert_eq!((report.wrapped, report.same_top), (0, samples.len()));
    let input = model.public.encode(&samples[0]).expect("the right size");
    let expected = model.run_integer(&input).expect("it runs");
    let graph = &model.public.graph;
    let exact = parties::run(graph, &model.weights, &input, Mode::Faithful, 5);
    assert_eq!(exact.output, expected);
    let fast = parties::run(graph, &model.weights, &input, Mode::Fast, 6);
    for (value, expected) in model.public.logits(&fast.output).iter().zip(&logits[0]) {
        assert!((value - expected).abs() < 0.15, "{value} for {expected}");
    }
    let bytes = |outcome: &parties::Outcome| outcome.client.cost.bytes();
    assert!(bytes(&fast) < bytes(&exact), "fewer bytes");
}
