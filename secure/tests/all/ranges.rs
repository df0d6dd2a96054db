//! Ranges that are proved or claimed: the same integers, without comparisons.

use std::collections::BTreeMap;
use std::sync::Arc;

use import::{ImportOptions, Preset, WeightBits, quantise};
use nets::{
    Algorithm, FloatModel, GraphBuilder, Head, IntGraph, IntOp, LayerShape, LayerWeights, Model,
    Op, Operator as _, Preprocessing, PrivateWeights, Shape, Source, Tensor, Tensors, Window,
    run_integer,
};
use secure::{Algorithms, CpuModel, Mode, SecureNetwork, choose_algorithms};
use tests::networks::ints::Rng;
use tests::networks::parties;
use tests::networks::tiles::PRICE;

/// Numbers of so many bits, and operations on them.
fn chain(bits: u32, count: usize, ops: &[IntOp]) -> IntGraph {
    let mut graph = GraphBuilder::new();
    let (shape, scale) = (Shape::new(1, 1, count), 1);
    let mut last = graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    for op in ops.iter().chain([&IntOp::Output]) {
        last = graph.push(op.name(), op.clone(), &[last]);
    }
    graph.finish().expect("it fits")
}

fn affine(factor: i64, add: i64) -> IntOp {
    let scale = 0;
    IntOp::Affine { factor, add, scale }
}

/// The names of the protocols of a plan.
fn protocols(graph: &IntGraph) -> Vec<String> {
    let network = SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, PRICE);
    let network = network.expect("it plans");
    let plan = network.plan().iter();
    plan.map(|layer| layer.algorithm.to_string()).collect()
}

/// Intervals at both ends of a ring of 6 bits and between, as wide as half of it and wider by one.
#[test]
fn every_number_of_an_interval_is_extended_and_truncated() {
    let none = PrivateWeights::default();
    let every: Vec<i64> = (-32..32).collect();
    let cut = |shift| IntOp::Trunc {
        shift,
        rounded: false,
    };
    for (top, add, shift) in [
        (31, 0, 2),
        (31, -31, 1),
        (31, -32, 5),
        (31, -16, 4),
        (31, -1, 1),
        (24, -7, 3),
        (5, -32, 1),
        (1, -1, 4),
    ] {
        for op in [IntOp::Extend { to: 11 }, cut(shift)] {
            let is_extension = matches!(op, IntOp::Extend { .. });
            let graph = chain(6, 64, &[IntOp::Clip { top }, affine(1, add), op]);
            let found = parties::run(&graph, &none, &every, Mode::Faithful, 2);
            let expected = run_integer(&graph, &none, &every).expect("it runs");
            assert_eq!(found.output, expected, "{top} {add} {shift}");
            if is_extension {
                let known = if add == 0 {
                    "known sign"
                } else {
                    "known range"
                };
                assert_eq!(protocols(&graph)[1], known);
            }
        }
    }
    // One number more than half of the ring.
    let more = [
        IntOp::Clip { top: 31 },
        affine(1, -32),
        IntOp::Extend { to: 7 },
    ];
    let wider = [affine(2, 1), IntOp::Extend { to: 9 }];
    let graph = chain(6, 64, &[&more[..], &wider].concat());
    let found = parties::run(&graph, &none, &every, Mode::Faithful, 2);
    let expected = run_integer(&graph, &none, &every).expect("it runs");
    assert_eq!(found.output, expected);
}

/// A fast truncation may go below 0 where the rounding constant is missing: an extension of it is still right.
#[test]
fn what_follows_a_fast_truncation_knows_its_range() {
    let (shift, count) = (3, 512);
    let cut = IntOp::TruncReduce {
        shift,
        rounded: true,
    };
    let graph = chain(10, count, &[IntOp::Relu, cut, IntOp::Extend { to: 12 }]);
    let input: Vec<i64> = (0..12).cycle().take(count).collect();
    let fast = parties::run(&graph, &PrivateWeights::default(), &input, Mode::Fast, 5);
    for (x, y) in input.iter().zip(fast.output) {
        let floor = (x - 4) >> shift;
        assert!(y == floor || y == floor + 1, "{x}: {y}");
    }
}

/// −128…127 times 8 in a ring of 12 bits, of which the server claims that it is half of it.
#[test]
fn claims_save_comparisons() {
    let layer = IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 1,
            groups: 1,
            window: Window::square(1, 1, 0),
        },
        weight_bits: 8,
        weight_scale: 0,
        by: Algorithm::DIRECT,
    };
    let (shift, rounded) = (4, false);
    let graph = |claim: &[IntOp], last: IntOp| {
        let first = [IntOp::Extend { to: 12 }, layer.clone()];
        chain(8, 256, &[&first[..], claim, &[last]].concat())
    };
    let input: Vec<i64> = (-128..128).collect();
    let product = LayerWeights {
        weights: vec![8],
        bias: vec![7],
    };
    for last in [IntOp::Extend { to: 15 }, IntOp::Trunc { shift, rounded }] {
        let run = |claim: &[IntOp]| {
            let graph = graph(claim, last.clone());
            let layers = BTreeMap::from([(2, product.clone())]);
            let weights = PrivateWeights::new(&graph, layers).expect("they prove it");
            let found = parties::run(&graph, &weights, &input, Mode::Faithful, 6);
            let expected = run_integer(&graph, &weights, &input).expect("it runs");
            assert_eq!(found.output, expected);
            let bytes: Vec<u64> = found.client.layers.iter().map(|l| l.cost.bytes()).collect();
            (found.output, bytes[2])
        };
        let ((plain, compared), (claimed, known)) = (run(&[]), run(&[IntOp::Claim]));
        assert_eq!(plain, claimed);
        assert!(2 * known < compared, "{known} and {compared} bytes");
    }
}

/// Two convolutions between clips, in one ring: weights times clipped values need little of it.
fn clipped() -> (Model, Vec<Vec<f32>>) {
    let rng = &mut Rng::new(8);
    let shape = Shape::new(3, 8, 8);
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    let mut some = |n: usize| -> Vec<f32> {
        let value = |_| f32::from(i16::try_from(rng.below(2001) - 1000).expect("small")) / 1000.0;
        (0..n).map(value).collect()
    };
    let mut conv = |name: &str, from: usize, to: usize| {
        let weight = Tensor::new(vec![to, from, 3, 3], some(to * from * 9));
        tensors.insert(name, weight);
        Op::Conv2d {
            out_channels: to,
            groups: 1,
            window: Window::square(3, 1, 1),
            weight: name.into(),
            bias: None,
        }
    };
    let mut x = graph.push("input", Op::Input { shape }, &[]);
    for (name, from, to) in [("a", 3, 4), ("b", 4, 4), ("c", 4, 2)] {
        x = graph.push(name, conv(name, from, to), &[x]);
        x = graph.push(format!("{name}.clip"), Op::Clip { top: 6.0 }, &[x]);
    }
    graph.push("flat", Op::Flatten, &[x]);
    let images: Vec<Vec<f32>> = (0..4).map(|_| some(shape.len())).collect();
    let source = Source {
        arch: "clipped".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.5; 3]),
        labels: (0..128).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    };
    let options = ImportOptions {
        preset: Preset::Uniform { bits: 50 },
        weight_bits: WeightBits::Fixed(8),
        ..ImportOptions::default()
    };
    let (model, _) = quantise(&source, &images, &options).expect("it imports");
    (model, images)
}

#[test]
fn a_file_whose_weights_do_not_prove_its_claims_is_refused() {
    let (model, _) = clipped();
    assert_eq!(
        Model::from_bytes(&model.to_bytes()).expect("it reads"),
        model
    );
    // Weights of a graph that keeps all channels where this one claims something.
    let mut nodes = model.public.graph.nodes().to_vec();
    for (index, node) in nodes.iter_mut().enumerate() {
        if node.op == IntOp::Claim {
            let channels = model.public.graph.types()[index].shape.channels;
            node.op = IntOp::Slice { start: 0, channels };
        }
    }
    let graph = IntGraph::new(nodes).expect("it fits");
    let layers = model
        .weights
        .iter()
        .map(|(node, layer)| (node, layer.clone()));
    let mut layers: BTreeMap<usize, LayerWeights> = layers.collect();
    let (_, last) = layers.iter_mut().next_back().expect("three layers");
    last.bias[0] = 1 << 48;
    let weights = PrivateWeights::new(&graph, layers).expect("they claim nothing");
    let lying = Model { weights, ..model };
    let error = Model::from_bytes(&lying.to_bytes()).expect_err("a false claim");
    let said = error.to_string();
    assert!(said.contains("do not prove the claim"), "{said}");
}

/// Claims stay between a layer and its truncation, whatever the algorithm, and both know what they are worth.
#[test]
fn algorithms_are_chosen_around_claims() {
    let (model, images) = clipped();
    let claims = |model: &Model| {
        let nodes = model.public.graph.nodes().iter();
        nodes.filter(|node| node.op == IntOp::Claim).count()
    };
    // Not of the first layer, since the input can be anything.
    assert_eq!(claims(&model), 2);
    let input = model.public.encode(&images[0]).expect("the right size");
    let beyond: Vec<i64> = input
        .iter()
        .map(|v| v.wrapping_mul(0x9e37_79b9_7f4a))
        .collect();
    let cpu = CpuModel::default();
    let with = |model: &Model, algorithms: &Algorithms| {
        choose_algorithms(model, algorithms, PRICE, &cpu).expect("it chooses")
    };
    let (tiled, layers) = with(&model, &Algorithms::Winograd { outputs: 4 });
    assert_eq!(claims(&tiled), 2);
    for (model, layers) in [(tiled.clone(), layers), with(&tiled, &Algorithms::Direct)] {
        let graph = &model.public.graph;
        assert!(graph.nodes().iter().all(|n| !n.name.ends_with("unguard")));
        let network = SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, PRICE);
        let network = network.expect("it plans");
        let cost = |name: &str| {
            let layer = network.plan().iter().find(|l| l.name == name);
            layer.expect("planned").cost.clone()
        };
        for layer in &layers {
            let chosen = layer
                .candidates
                .iter()
                .find(|c| c.algorithm == layer.chosen);
            let planned = cost(&layer.name).then(cost(&format!("{}.truncate", layer.name)));
            assert_eq!(chosen.expect("chosen").cost, planned);
        }
        for input in [&input, &beyond] {
            let expected = model.run_integer(input).expect("it runs");
            let found = parties::run(graph, &model.weights, input, Mode::Faithful, 7);
            assert_eq!(found.output, expected);
        }
    }
    assert_eq!(with(&tiled, &Algorithms::Direct).0, model);
}
