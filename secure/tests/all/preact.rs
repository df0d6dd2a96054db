//! Batch norm, `ReLU`, convolution, with factors of every kind, between two parties.

use std::sync::Arc;

use import::{ImportOptions, WeightBits};
use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, PrivateWeights, Shape,
    Window, run_integer,
};
use proptest::prelude::*;
use secure::{Mode, SecureNetwork};
use sharing::CotPrice;
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

/// Input, rectifier with secret signs, extension, and a pointwise layer.
fn block(shape: Shape, bits: u32, between: Option<IntOp>) -> IntGraph {
    let mut graph = GraphBuilder::new();
    let scale = 0;
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    let mut x = graph.push("relu", IntOp::SignedRelu, &[0]);
    if let Some(between) = between {
        x = graph.push("between", between, &[x]);
    }
    let x = graph.push("extend", IntOp::Extend { to: bits + 9 }, &[x]);
    let conv = IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 2,
            groups: 1,
            window: Window::square(1, 1, 0),
        },
        weight_bits: 5,
        weight_scale: 0,
        by: Algorithm::DIRECT,
    };
    let x = graph.push("conv", conv, &[x]);
    let cut = IntOp::TruncReduce {
        shift: 4,
        rounded: false,
    };
    let x = graph.push("cut", cut, &[x]);
    graph.push("output", IntOp::Output, &[x]);
    graph.finish().expect("it fits")
}

/// Weights of every size, and these signs and shifts.
fn parameters(graph: &IntGraph, signs: Vec<i32>, shifts: Vec<i64>) -> PrivateWeights {
    let conv = graph.nodes().iter().position(|n| n.op.is_linear());
    let channels = i32::try_from(signs.len()).expect("few");
    let layers = [
        (
            1,
            LayerWeights {
                weights: signs,
                bias: shifts,
            },
        ),
        (
            conv.expect("a layer"),
            LayerWeights {
                weights: (0..2 * channels).map(|w| 7 * w % 31 - 15).collect(),
                bias: vec![8, -5],
            },
        ),
    ];
    PrivateWeights::new(graph, layers.into()).expect("they fit")
}

/// Every value of the ring in channels of either sign, and shifts that wrap.
#[test]
fn the_sign_of_a_channel_takes_no_comparison() {
    let bits = 6;
    let values = -(1 << (bits - 1))..1 << (bits - 1);
    let signs = [0, -1, 0, -1, -1];
    let shifts = [0, 0, 31, -32, 13];
    let shape = Shape::new(signs.len(), 8, 8);
    let input: Vec<i64> = signs.iter().flat_map(|_| values.clone()).collect();
    let graph = block(shape, bits, None);
    let weights = parameters(&graph, signs.to_vec(), shifts.to_vec());
    let expected = run_integer(&graph, &weights, &input).expect("it runs");
    for seed in 0..20 {
        let found = parties::run(&graph, &weights, &input, Mode::Faithful, seed);
        assert_eq!(found.output, expected);
    }
    // Another server's signs change nothing that the client counts.
    let others = parameters(&graph, vec![0; 5], vec![3; 5]);
    let [ours, theirs] = [&weights, &others].map(|weights| {
        let run = parties::run(&graph, weights, &input, Mode::Faithful, 1);
        run.client.layers.into_iter().map(|layer| layer.cost)
    });
    assert!(ours.eq(theirs));
}

/// Channels that end elsewhere than the pieces that elements are taken in.
#[test]
fn signs_stay_with_their_channels_beyond_one_chunk() {
    let shape = Shape::new(3, 1, secure::CHUNK / 2 + 5);
    let graph = block(shape, 7, None);
    let weights = parameters(&graph, vec![-1, 0, -1], vec![-20, 3, 64]);
    let rng = &mut Rng::new(1);
    let input: Vec<i64> = (0..shape.len()).map(|_| rng.below(128) - 64).collect();
    let found = parties::run(&graph, &weights, &input, Mode::Faithful, 1);
    let expected = run_integer(&graph, &weights, &input).expect("it runs");
    assert_eq!(found.output, expected);
}

#[test]
fn a_plan_says_where_the_server_knows_the_sign() {
    let shape = Shape::new(4, 5, 5);
    let extension = |between| {
        let graph = Arc::new(block(shape, 15, between));
        let network = SecureNetwork::new(graph, Mode::Faithful, CotPrice::bits(32));
        let network = network.expect("it plans");
        let layer = network.plan().iter().find(|layer| layer.op == "extend");
        let layer = layer.expect("an extension");
        (layer.algorithm.to_string(), layer.cost.clone())
    };
    let (name, cost) = extension(None);
    assert_eq!(name, "sign known to the server");
    // A choice, and nine bits.
    let bytes = [cost.bytes_to_server(), cost.bytes_to_client()];
    assert_eq!(bytes, [13, (9 * 100_u64).div_ceil(8)]);
    assert_eq!((cost.cots.total(), cost.flights()), (100, 1));
    // Sums may have any sign.
    let window = Window::square(2, 1, 0);
    assert_eq!(extension(Some(IntOp::SumPool { window })).0, "wrap");
    assert_eq!(extension(Some(IntOp::Relu)).0, "known sign");
}
