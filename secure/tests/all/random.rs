//! Random small networks between two parties, on inputs that overflow.

use std::collections::BTreeMap;
use std::sync::Arc;

use nets::{
    Algorithm, IntGraph, IntOp, LayerShape, LayerWeights, Node, PrivateWeights, Shape, Window,
    run_integer,
};
use proptest::prelude::*;
use secure::{Mode, SecureNetwork, ServerWeights};
use sharing::default_extension;
use tests::networks::{ints, parties};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn faithful_equals_the_integer_reference(seed: u64) {
        let (graph, weights, input) = ints::network(seed);
        let expected = run_integer(&graph, &weights, &input).expect("it runs");
        let found = parties::run(&graph, &weights, &input, Mode::Faithful, 3);
        prop_assert_eq!(found.output, expected, "{:?}", graph);
    }

    #[test]
    fn fast_runs_at_its_predicted_cost(seed: u64) {
        let (graph, weights, input) = ints::network(seed);
        let found = parties::run(&graph, &weights, &input, Mode::Fast, 4);
        prop_assert_eq!(found.output.len(), graph.output().shape.len());
    }

    #[test]
    fn one_fast_truncation_keeps_its_law(seed: u64, shift in 1_u32..12, extra in 3_u32..20) {
        let mut rng = ints::Rng::new(seed);
        let (bits, n) = (shift + extra, 40);
        let half = 1_i64 << (shift - 1);
        // A 1x1 convolution by 1 whose bias is only the rounding constant.
        let graph = truncated_identity(bits, shift, n);
        let layer = LayerWeights { weights: vec![1], bias: vec![half] };
        let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
        let top = (1_i64 << (bits - 1)) - (1 << shift);
        let input: Vec<i64> = (0..n).map(|_| rng.below(2 * top) - top).collect();
        let fast = parties::run(&graph, &weights, &input, Mode::Fast, 7).output;
        for (x, y) in input.iter().zip(fast) {
            let floor = x >> shift;
            let exact = x & ((1 << shift) - 1) == 0;
            prop_assert!(y == floor || (!exact && y == floor + 1), "{x} by {shift}: {y}");
        }
    }
}

#[test]
fn fast_truncation_is_right_on_average() {
    let (bits, shift, n) = (16, 4, 4096);
    let graph = truncated_identity(bits, shift, n);
    let layer = LayerWeights {
        weights: vec![1],
        bias: vec![8],
    };
    let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
    let input = vec![16 * 100 + 5; n];
    let fast = parties::run(&graph, &weights, &input, Mode::Fast, 7).output;
    let carries = fast.iter().filter(|&&y| y == 101).count();
    assert_eq!(carries + fast.iter().filter(|&&y| y == 100).count(), n);
    // 4096 draws of probability 5/16: 1280 expected, standard deviation 30.
    assert!((1100..1460).contains(&carries), "{carries}");
}

/// What a client opens is the value rounded, exactly, however often it asks and in either mode: fast
/// truncations, of which it knows the thresholds, would tell it the bits that were cut off.
#[test]
fn what_is_opened_is_exact_in_fast_mode() {
    let (bits, shift) = (28, 12);
    let value = 6_789_123;
    let node = |name: &str, op, inputs: &[usize]| Node {
        name: name.into(),
        op,
        inputs: inputs.to_vec(),
    };
    let (shape, scale) = (Shape::new(2, 1, 1), 0);
    let by = Algorithm::named("client-chooses", 0);
    let weight_scale = 0;
    let truncate = IntOp::TruncReduce {
        shift,
        rounded: true,
    };
    // The same value twice: the second one comes to the output by local steps alone.
    let nodes = vec![
        node("input", IntOp::Input { shape, bits, scale }, &[]),
        node(
            "linear",
            IntOp::Linear {
                shape: LayerShape::FullyConnected { out_features: 2 },
                weight_bits: 2,
                weight_scale,
                by,
            },
            &[0],
        ),
        node("truncate", truncate, &[1]),
        node("shuffle", IntOp::ChannelShuffle { groups: 2 }, &[2]),
        node(
            "twice",
            IntOp::Affine {
                factor: 2,
                add: 1,
                scale: 1,
            },
            &[3],
        ),
        node("both", IntOp::Add, &[4, 4]),
        node("output", IntOp::Output, &[5]),
    ];
    let graph = IntGraph::new(nodes).expect("it fits");
    let layer = LayerWeights {
        weights: vec![1, 0, 0, 1],
        bias: vec![1 << (shift - 1); 2],
    };
    let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
    let input = [value, -value];
    let expected = run_integer(&graph, &weights, &input).expect("it runs");
    let rounded = |x: i64| (x + (1 << (shift - 1))) >> shift;
    assert_eq!(expected, input.map(|x| 2 * (2 * rounded(x) + 1)));
    for seed in 0..100 {
        let fast = parties::run(&graph, &weights, &input, Mode::Fast, seed);
        assert_eq!(fast.output, expected, "run {seed}");
    }
}

fn truncated_identity(bits: u32, shift: u32, n: usize) -> IntGraph {
    let node = |name: &str, op, inputs: &[usize]| Node {
        name: name.into(),
        op,
        inputs: inputs.to_vec(),
    };
    let window = Window::square(1, 1, 0);
    let conv = IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 1,
            groups: 1,
            window,
        },
        weight_bits: 2,
        weight_scale: 0,
        by: Algorithm::DIRECT,
    };
    let nodes = vec![
        node(
            "input",
            IntOp::Input {
                shape: Shape::new(1, 1, n),
                bits,
                scale: 0,
            },
            &[],
        ),
        node("conv", conv, &[0]),
        node(
            "truncate",
            IntOp::TruncReduce {
                shift,
                rounded: true,
            },
            &[1],
        ),
        // A protocol: before the output itself truncations are exact.
        node("extend", IntOp::Extend { to: bits }, &[2]),
        node("output", IntOp::Output, &[3]),
    ];
    IntGraph::new(nodes).expect("it fits")
}

#[test]
fn real_correlations_change_nothing() {
    let (graph, weights, input) = (17..)
        .map(ints::network)
        .find(|n| n.0.nodes().len() > 6)
        .expect("one");
    let expected = run_integer(&graph, &weights, &input).expect("it runs");
    let options = default_extension();
    let at_server = ServerWeights::new(Arc::new(weights));
    let (_, output) = testkit::run_tcp(
        |connection| {
            let mut s = sharing::Session::establish(&connection, [1; 32], options).expect("set up");
            let network =
                SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, s.cot_price())
                    .expect("it plans");
            network
                .serve(&mut s, &at_server, &mut |_| {})
                .expect("the server serves")
        },
        |connection| {
            let mut s = sharing::Session::establish(&connection, [2; 32], options).expect("set up");
            let network =
                SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, s.cot_price())
                    .expect("it plans");
            network
                .infer(&mut s, &input, &mut |_| {})
                .expect("the client infers")
                .0
        },
    );
    assert_eq!(output, expected);
}

#[test]
fn elements_beyond_one_chunk() {
    let n = secure::CHUNK + 3;
    let nodes = vec![
        Node {
            name: "input".into(),
            op: IntOp::Input {
                shape: Shape::new(1, 1, n),
                bits: 6,
                scale: 0,
            },
            inputs: vec![],
        },
        Node {
            name: "relu".into(),
            op: IntOp::Relu,
            inputs: vec![0],
        },
        Node {
            name: "extend".into(),
            op: IntOp::Extend { to: 9 },
            inputs: vec![1],
        },
        Node {
            name: "output".into(),
            op: IntOp::Output,
            inputs: vec![2],
        },
    ];
    let graph = IntGraph::new(nodes).expect("it fits");
    let mut rng = ints::Rng::new(1);
    let input: Vec<i64> = (0..n).map(|_| rng.below(64) - 32).collect();
    let weights = PrivateWeights::default();
    let found = parties::run(&graph, &weights, &input, Mode::Faithful, 1);
    assert_eq!(
        found.output,
        run_integer(&graph, &weights, &input).expect("it runs")
    );
}
