//! Layers that take all earlier ones, as in a DenseNet, large enough that rectifiers wait for their time.

use std::sync::Arc;

use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, PrivateWeights, Shape,
    Window, run_integer,
};
use secure::{Mode, SecureNetwork};
use sharing::CotPrice;
use tests::networks::ints::Rng;
use tests::networks::parties;

/// Bits of an activation.
const BITS: u32 = 14;
const CHANNELS: usize = 6;

fn network(side: usize, layers: usize) -> IntGraph {
    let shape = Shape::new(CHANNELS, side, side);
    let mut graph = GraphBuilder::new();
    let (bits, scale) = (BITS, 0);
    graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    let mut features = vec![0];
    for _ in 0..layers {
        let joined = match features[..] {
            [only] => only,
            _ => graph.push("concat", IntOp::Concat, &features),
        };
        let relu = graph.push("relu", IntOp::SignedRelu, &[joined]);
        let wide = graph.push("extend", IntOp::Extend { to: BITS + 10 }, &[relu]);
        let conv = IntOp::Linear {
            shape: LayerShape::Conv {
                out_channels: CHANNELS,
                groups: 1,
                window: Window::square(1, 1, 0),
            },
            weight_bits: 6,
            weight_scale: 10,
            by: Algorithm::DIRECT,
        };
        let conv = graph.push("conv", conv, &[wide]);
        let cut = IntOp::TruncReduce {
            shift: 10,
            rounded: false,
        };
        features.push(graph.push("cut", cut, &[conv]));
    }
    let last = features[features.len() - 1];
    graph.push("output", IntOp::Output, &[last]);
    graph.finish().expect("it fits")
}

fn weights(graph: &IntGraph, rng: &mut Rng) -> PrivateWeights {
    let mut layers = std::collections::BTreeMap::new();
    for (node, op) in graph.nodes().iter().map(|node| &node.op).enumerate() {
        let inputs = match graph.nodes()[node].inputs.first() {
            Some(_) => graph.input_type(node, 0).shape.channels,
            None => continue,
        };
        let mut some = |n: usize, size: i64| -> Vec<i64> {
            (0..n).map(|_| rng.below(2 * size) - size).collect()
        };
        let layer = match op {
            IntOp::SignedRelu => LayerWeights {
                weights: some(inputs, 1)
                    .iter()
                    .map(|&sign| i32::try_from(sign).expect("a sign"))
                    .collect(),
                bias: some(inputs, 1 << (BITS - 2)),
            },
            IntOp::Linear { .. } => LayerWeights {
                weights: some(inputs * CHANNELS, 31)
                    .iter()
                    .map(|&w| i32::try_from(w).expect("small"))
                    .collect(),
                bias: some(CHANNELS, 1 << 12),
            },
            _ => continue,
        };
        layers.insert(node, layer);
    }
    PrivateWeights::new(graph, layers).expect("they fit")
}

#[test]
fn secure_equals_integer_while_rectifiers_wait() {
    let rng = &mut Rng::new(11);
    let graph = network(48, 5);
    let weights = weights(&graph, rng);
    let values = 1 << BITS;
    let image = (0..graph.input().shape.len()).map(|_| rng.below(values) - values / 2);
    let image: Vec<i64> = image.collect();
    let expected = run_integer(&graph, &weights, &image).expect("it runs");
    assert!(expected.iter().any(|&y| y != expected[0]), "outputs differ");
    let found = parties::run(&graph, &weights, &image, Mode::Faithful, 2);
    assert_eq!(found.output, expected);
    // Its accounts were held to the plan. Some rectifiers take longer than the prompt ones.
    let longest = |graph: IntGraph| {
        let network = SecureNetwork::new(Arc::new(graph), Mode::Faithful, CotPrice::FREE);
        let network = network.expect("it plans");
        let layers = network.plan().iter().filter(|layer| layer.name == "relu");
        layers.map(|layer| layer.cost.flights()).max()
    };
    assert!(longest(graph) > longest(network(2, 5)).map(|flights| flights + 4));
}
