//! Networks from ONNX files on their way to integers: an error, or a model that writes itself back, runs
//! and can be planned.
#![no_main]

use std::sync::Arc;

use import::{ImportOptions, WeightBits, quantise};
use libfuzzer_sys::fuzz_target;
use nets::{Head, Model, Preprocessing, Source};
use secure::{Mode, SecureNetwork};
use sharing::CotPrice;

/// Networks beyond this are not imported: it would only be slow.
const MAX_IMPORT: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let Ok(network) = onnx::from_bytes(bytes, None) else {
        return;
    };
    let types = network.model.graph.types();
    if types.iter().map(|s| s.len()).sum::<usize>() > MAX_IMPORT {
        return;
    }
    let (shape, outputs) = (types[0], network.model.graph.output().len());
    let channels = shape.channels;
    let source = Source {
        arch: "fuzz".into(),
        preprocessing: Preprocessing::new(shape, vec![0.5; channels], vec![0.25; channels]),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: network.head().unwrap_or(Head::Softmax),
        float: network.model,
        parts: Vec::new(),
    };
    if source.preprocessing.check().is_err() {
        return;
    }
    let samples: Vec<Vec<f32>> = [3_u8, 5]
        .map(|step| {
            let pixels = (0..shape.len()).map(|i| (i as u8).wrapping_mul(step));
            pixels.map(|p| f32::from(p) / 64.0 - 2.0).collect()
        })
        .into();
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(8),
        ..ImportOptions::default()
    };
    let Ok((model, _)) = quantise(&source, &samples, &options) else {
        return;
    };
    let again = Model::from_bytes(&model.to_bytes()).expect("what is written can be read");
    assert!(again == model, "it changes when written");
    let graph = Arc::new(model.public.graph.clone());
    for mode in [Mode::Faithful, Mode::Fast] {
        if let Ok(network) = SecureNetwork::new(graph.clone(), mode, CotPrice::bits(32)) {
            let _ = network.cost();
        }
    }
});
