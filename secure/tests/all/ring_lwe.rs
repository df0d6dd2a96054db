//! Layers by ring-LWE in secure runs: the integers of the network, at the cost that was planned, with and without a phase ahead of
//! the images, and nothing that shows the noise.

use std::collections::BTreeMap;
use std::sync::Arc;

use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, Model, PrivateWeights,
    Shape, Window,
};
use proptest::prelude::*;
use secure::{Algorithms, CpuModel, Error, Limits, Mode, SecureNetwork, choose_algorithms};
use sharing::CotPrice;
use tests::networks::ints::Rng;
use tests::networks::tiles::PRICE;
use tests::networks::{parties, tiles};

/// The price of correlations in ideal sessions.
const FREE: CotPrice = CotPrice::FREE;

const NAMES: [&str; 2] = ["ring-lwe", "ring-lwe-unpacked"];

/// The network with ring-LWE for each layer that it can compute, packed or not, and how many these are.
fn encrypted(rng: &mut Rng, model: &Model) -> (Model, usize) {
    let cpu = CpuModel::default();
    let chosen = choose_algorithms(model, &Algorithms::Direct, PRICE, &cpu).expect("it chooses");
    let mut layers = BTreeMap::new();
    for layer in chosen.1 {
        let wanted = NAMES[rng.pick(0, 1)];
        let mut candidates = layer.candidates.into_iter().map(|c| c.algorithm);
        layers.extend(
            candidates
                .find(|a| a.name() == wanted)
                .map(|a| (layer.name, a)),
        );
    }
    let count = layers.len();
    let model = choose_algorithms(model, &Algorithms::Layers(layers), PRICE, &cpu);
    (model.expect("all are possible").0, count)
}

fn plans(graph: &IntGraph, mode: Mode) -> [SecureNetwork; 2] {
    let graph = Arc::new(graph.clone());
    let plain = SecureNetwork::new(Arc::clone(&graph), mode, FREE);
    let ahead = SecureNetwork::ahead(&Limits::default(), graph, mode, FREE);
    [plain, ahead].map(|network| network.expect("it plans"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn faithful_runs_equal_the_integers(seed: u64) {
        let mut rng = Rng::new(seed);
        let (model, input) = tiles::network(&mut rng);
        let (model, count) = encrypted(&mut rng, &model);
        let graph = &model.public.graph;
        let more = input.iter().map(|x| x.wrapping_mul(0x1234_5677) ^ 77).collect();
        let images = [input, more];
        let clear = |image: &Vec<i64>| model.run_integer(image).expect("it runs");
        let expected: Vec<_> = images.iter().map(clear).collect();
        for network in plans(graph, Mode::Faithful) {
            prop_assert_eq!(network.can_run_ahead(), count > 0);
            let found = parties::run_many(&network, &model.weights, &images, seed);
            prop_assert_eq!(&found, &expected, "{:?}", graph);
        }
        // One call does it all.
        let found = parties::run(graph, &model.weights, &images[0], Mode::Faithful, 3);
        prop_assert_eq!(&found.output, &expected[0]);
    }

    #[test]
    fn a_fast_truncation_after_encryption_keeps_its_law(seed: u64, shift in 1_u32..10, ahead: bool) {
        let (model, images, exact) = one_layer(seed, shift);
        let network = &plans(&model.public.graph, Mode::Fast)[usize::from(ahead)];
        for (exact, fast) in exact.iter().zip(parties::run_many(network, &model.weights, &images, seed)) {
            for (x, y) in exact.iter().zip(fast) {
                // The rectifier cuts off what is negative.
                let floor = x >> shift;
                let whole = x & ((1 << shift) - 1) == 0;
                prop_assert!(y == floor.max(0) || (!whole && y == (floor + 1).max(0)), "{x} by {shift}: {y}");
            }
        }
    }
}

/// A convolution by ring-LWE, a truncation of its values and a rectifier; images, and the values without the rounding constant.
fn one_layer(seed: u64, shift: u32) -> (Model, Vec<Vec<i64>>, Vec<Vec<i64>>) {
    let mut rng = Rng::new(seed);
    let (shape, bits, scale) = (Shape::new(2, 6, 7), 26, 0);
    let graph = |by: Algorithm, cut: Option<u32>| {
        let mut g = GraphBuilder::new();
        g.push("input", IntOp::Input { shape, bits, scale }, &[]);
        let layer = g.push("layer", conv(by), &[0]);
        let last = match cut {
            Some(shift) => {
                let rounded = true;
                let cut = g.push("cut", IntOp::TruncReduce { shift, rounded }, &[layer]);
                g.push("relu", IntOp::Relu, &[cut])
            }
            None => layer,
        };
        g.push("output", IntOp::Output, &[last]);
        g.finish().expect("a graph")
    };
    let weights = (0..36).map(|_| i32::try_from(rng.below(256) - 128).expect("eight bits"));
    let weights: Vec<i32> = weights.collect();
    let half = 1_i64 << (shift - 1);
    let images: Vec<Vec<i64>> = (0..2)
        .map(|_| (0..84).map(|_| rng.below(1 << 12) - (1 << 11)).collect())
        .collect();
    let of = |graph: IntGraph, bias: i64| {
        let layer = LayerWeights {
            weights: weights.clone(),
            bias: vec![bias; 2],
        };
        let weights = PrivateWeights::new(&graph, [(1, layer)].into()).expect("they fit");
        tiles::model(graph, weights)
    };
    let plain = of(graph(Algorithm::DIRECT, None), 0);
    let exact = images
        .iter()
        .map(|image| plain.run_integer(image).expect("it runs"));
    let exact = exact.collect();
    let by = Algorithm::named(NAMES[rng.pick(0, 1)], 1);
    (of(graph(by, Some(shift + 1)), half), images, exact)
}

fn conv(by: Algorithm) -> IntOp {
    let (out_channels, groups, window) = (2, 1, Window::square(3, 1, 1));
    IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels,
            groups,
            window,
        },
        weight_bits: 8,
        weight_scale: 0,
        by,
    }
}

/// With real correlations, and more images than one phase ahead: keys are made once.
#[test]
fn keys_and_correlations_are_real() {
    let (model, images, _) = one_layer(4, 6);
    let expected = model.run_integer(&images[0]).expect("it runs");
    let found = parties::run_real(
        &model.public.graph,
        &model.weights,
        &images[0],
        Mode::Faithful,
    );
    assert_eq!(found.output, expected);
    assert!(found.client.set_up.bytes_to_server() > 10_000);
    assert_eq!(found.client.set_up, found.server.set_up);
}

/// Graphs of a peer that would show the noise.
#[test]
fn noise_is_not_shown() {
    for name in NAMES {
        let refused = |use_it: &dyn Fn(&mut GraphBuilder<IntOp>, usize) -> usize| {
            let mut g = GraphBuilder::new();
            let (shape, bits, scale) = (Shape::new(2, 6, 7), 26, 0);
            g.push("input", IntOp::Input { shape, bits, scale }, &[]);
            let layer = g.push("layer", conv(Algorithm::named(name, 1)), &[0]);
            let last = use_it(&mut g, layer);
            g.push("output", IntOp::Output, &[last]);
            // As it would travel.
            let json = serde_json::to_vec(&g.finish().expect("a graph")).expect("JSON");
            let graph: IntGraph = serde_json::from_slice(&json).expect("a graph");
            for mode in [Mode::Faithful, Mode::Fast] {
                let error = SecureNetwork::new(Arc::new(graph.clone()), mode, FREE);
                let error = error.expect_err("it is refused");
                let named = matches!(&error, Error::Algorithm { layer, .. } if layer == "layer");
                assert!(named, "{error}");
            }
        };
        refused(&|_, layer| layer);
        refused(&|g, layer| g.push("sum", IntOp::Add, &[layer, layer]));
        refused(&|g, layer| g.push("relu", IntOp::Relu, &[layer]));
        refused(&|g, layer| {
            let (factor, add, scale) = (2, 0, 0);
            g.push("twice", IntOp::Affine { factor, add, scale }, &[layer])
        });
        refused(&|g, layer| {
            let (shift, rounded) = (3, false);
            g.push("shown", IntOp::Flatten, &[layer]);
            g.push("cut", IntOp::TruncReduce { shift, rounded }, &[layer])
        });
    }
}

/// Other guard bits would leave noise in what is taken for the value.
#[test]
fn other_guard_bits_are_refused() {
    for guard in [0, 2] {
        let mut g = GraphBuilder::new();
        let (shape, bits, scale) = (Shape::new(2, 6, 7), 26, 0);
        g.push("input", IntOp::Input { shape, bits, scale }, &[]);
        let layer = g.push("layer", conv(Algorithm::named("ring-lwe", guard)), &[0]);
        let (shift, rounded) = (5, false);
        let cut = g.push("cut", IntOp::TruncReduce { shift, rounded }, &[layer]);
        g.push("output", IntOp::Output, &[cut]);
        let graph = Arc::new(g.finish().expect("a graph"));
        let error = SecureNetwork::new(graph, Mode::Faithful, FREE).expect_err("refused");
        assert!(error.to_string().contains("guard bits"), "{error}");
    }
}
