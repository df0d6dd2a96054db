//! Networks that open less than all: the secure run equals the clear one bit for bit, and what is opened is what the
//! opening says.

use std::collections::BTreeMap;

use nets::{
    Algorithm, GraphBuilder, Head, IntOp, LayerShape, LayerWeights, Opening, Preprocessing,
    PrivateWeights, PublicModel, Shape, run_integer,
};
use proptest::prelude::*;
use secure::Mode;
use tests::networks::{ints, parties};

/// A public part around a graph, with one label for each output.
fn public(graph: nets::IntGraph, head: Head) -> PublicModel {
    let shape = graph.input().shape;
    let labels = (0..graph.output().shape.len()).map(|i| i.to_string());
    let [mean, std] = [0.0, 1.0].map(|v| vec![v; shape.channels]);
    PublicModel {
        name: "test".into(),
        arch: "test".into(),
        labels: labels.collect(),
        head,
        preprocessing: Preprocessing::new(shape, mean, std),
        graph,
        opening: Opening::All,
        calibration: None,
        parts: Vec::new(),
    }
}

/// A matrix of ones and zeros that passes its input on, of `n` values of `bits` bits at a scale.
fn logits(n: usize, bits: u32, scale: i32) -> (nets::IntGraph, PrivateWeights) {
    let mut graph = GraphBuilder::new();
    let shape = Shape::new(n, 1, 1);
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    let fc = IntOp::Linear {
        shape: LayerShape::FullyConnected { out_features: n },
        weight_bits: 2,
        weight_scale: 0,
        by: Algorithm::named("client-chooses", 0),
    };
    graph.push("fc", fc, &[0]);
    graph.push("output", IntOp::Output, &[1]);
    let graph = graph.finish().expect("it fits");
    let one = |i: usize| i32::from(i.is_multiple_of(n + 1));
    let layer = LayerWeights {
        weights: (0..n * n).map(one).collect(),
        bias: vec![0; n],
    };
    let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
    (graph, weights)
}

/// What both parties open, in either mode the same, and equal to the clear integers.
fn opened(public: &PublicModel, weights: &PrivateWeights, input: &[i64]) -> Vec<i64> {
    let expected = run_integer(&public.graph, weights, input).expect("it runs");
    for mode in [Mode::Faithful, Mode::Fast] {
        let found = parties::run(&public.graph, weights, input, mode, 5);
        assert_eq!(found.output, expected, "{mode}");
    }
    expected
}

#[test]
fn secure_equals_clear_for_every_opening() {
    let mut opened = 0;
    for seed in 0..60 {
        let (graph, weights, input) = ints::network(seed);
        for head in [Head::Softmax, Head::Sigmoid] {
            for opening in [Opening::Rounded, Opening::Top] {
                // Rings may be full, and scales below zero.
                let Ok(model) = public(graph.clone(), head).opened(opening) else {
                    continue;
                };
                opened += 1;
                let expected = run_integer(&model.graph, &weights, &input).expect("it runs");
                let found = parties::run(&model.graph, &weights, &input, Mode::Faithful, 3);
                assert_eq!(found.output, expected, "{:?}", model.graph);
                if model.check().is_ok() {
                    let read = PublicModel::from_json(&model.to_json());
                    assert_eq!(read.expect("it is read"), model);
                }
            }
        }
    }
    assert!(opened > 180, "{opened} of 240");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rounded_logits_are_the_nearest_sixteenths(
        values in prop::collection::vec(-(1_i64 << 19)..1 << 19, 1..6),
        scale in 0..15_i32,
        sigmoid: bool,
    ) {
        let (graph, weights) = logits(values.len(), 20, scale);
        let head = if sigmoid { Head::Sigmoid } else { Head::Softmax };
        let model = public(graph, head).opened(Opening::Rounded).expect("there is room");
        let found = opened(&model, &weights, &values);
        let output = model.graph.output();
        prop_assert!(!sigmoid || output.bits().get() <= 8);
        let step = 1.0 / f64::from(1 << scale.min(4));
        for (&x, y) in values.iter().zip(model.logits(&found)) {
            let x = f64::from(i32::try_from(x).expect("small")) / f64::from(1 << scale);
            let nearest = (x / step + 0.5).floor() * step;
            let expected = if sigmoid { nearest.clamp(-8.0, 8.0 - step) } else { nearest };
            prop_assert_eq!(y, expected, "{} at scale {}", x, scale);
        }
    }

    #[test]
    fn the_largest_output_is_found(
        values in prop::collection::vec(-(1_i64 << 19)..1 << 19, 1..40),
    ) {
        let (graph, weights) = logits(values.len(), 20, 4);
        let top = public(graph.clone(), Head::Softmax).opened(Opening::Top).expect("there is room");
        let largest = values.iter().max().expect("some");
        let class = values.iter().position(|v| v == largest).expect("it is there");
        prop_assert_eq!(opened(&top, &weights, &values), [i64::try_from(class).expect("small")]);
        let top = public(graph, Head::Sigmoid).opened(Opening::Top).expect("there is room");
        let positive: Vec<i64> = values.iter().map(|&v| i64::from(v > 0)).collect();
        prop_assert_eq!(opened(&top, &weights, &values), positive);
    }
}

#[test]
fn openings_that_cannot_be_are_refused() {
    let refused = |model: &PublicModel, opening| {
        let error = model.opened(opening).expect_err("refused");
        error.to_string()
    };
    let (graph, _) = logits(3, 64, 4);
    let model = public(graph, Head::Softmax);
    assert!(refused(&model, Opening::Top).contains("64 bits"));
    let (graph, _) = logits(3, 20, 8);
    let model = public(graph, Head::Softmax);
    assert_eq!(model.opened(Opening::All).expect("it is so already"), model);
    let top = model.opened(Opening::Top).expect("there is room");
    assert!(refused(&top, Opening::Rounded).contains("already"));
    assert_ne!(top.digest(), model.digest());
    // A public part that says another thing than its graph.
    for opening in [Opening::All, Opening::Rounded] {
        let lying = PublicModel {
            opening,
            ..top.clone()
        };
        assert!(lying.check().is_err(), "{opening}");
    }
    let head = Head::Sigmoid;
    assert!(PublicModel { head, ..top }.check().is_err());
    for opening in [Opening::Top, Opening::Rounded] {
        let lying = PublicModel {
            opening,
            head,
            ..model.clone()
        };
        assert!(lying.check().is_err(), "{opening}");
    }
}
