//! The wire of whole networks, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use std::sync::Arc;

use channel::{Connection, Role};
use nets::{
    Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, Pieces, Places, Shape, Symmetry, Window,
    run_integer,
};
use secure::{Limits, Mode, SecureNetwork, ServerWeights};
use sharing::{Session, default_extension};
use testkit::{Transcript, run_over};
use tests::networks::ints::{self, Rng};

/// A small network of every operation, and of products by every algorithm.
fn everything() -> IntGraph {
    let mut graph = GraphBuilder::new();
    let shape = Shape::new(2, 6, 6);
    let input = IntOp::Input {
        shape,
        bits: 10,
        scale: 6,
    };
    let x = graph.push("input", input, &[]);
    let wide = graph.push("extend", IntOp::Extend { to: 24 }, &[x]);
    let wide = graph.push("claim", IntOp::Claim, &[wide]);
    let (pad3, pad5) = (Window::square(3, 1, 1), Window::square(5, 1, 2));
    let mut sums = Vec::new();
    for (by, groups, window) in [
        (
            Algorithm::DIRECT,
            2,
            Window {
                dilation: [2, 1],
                padding: [2, 1, 2, 1],
                ..pad3
            },
        ),
        (Algorithm::named("winograd-f2x2-3x3", 2), 1, pad3),
        (Algorithm::named("winograd-f4x4-3x3", 6), 2, pad3),
        (Algorithm::named("winograd-f2x2-5x5", 6), 1, pad5),
        (Algorithm::named("ring-lwe", 1), 1, pad3),
        (Algorithm::named("ring-lwe-unpacked", 1), 2, pad5),
    ] {
        let (name, guard) = (by.to_string(), by.guard_bits());
        let conv = conv(groups, window, by);
        let y = graph.push(name.clone(), conv, &[wide]);
        let cut = IntOp::TruncReduce {
            shift: 12 + guard,
            rounded: true,
        };
        sums.push(graph.push(format!("{name}.cut"), cut, &[y]));
    }
    let mut x = sums[0];
    for (k, &y) in sums[1..].iter().enumerate() {
        x = graph.push(format!("sum{k}"), IntOp::Add, &[x, y]);
    }
    let x = gated(&mut graph, x);
    let relu = graph.push("relu", IntOp::Relu, &[x]);
    let x = graph.push("concat", IntOp::Concat, &[x, relu]);
    let x = graph.push("shuffle", IntOp::ChannelShuffle { groups: 2 }, &[x]);
    let slice = IntOp::Slice {
        start: 1,
        channels: 2,
    };
    let x = graph.push("slice", slice, &[x]);
    let x = graph.push("pad", IntOp::PadChannels { front: 1, back: 0 }, &[x]);
    let sum = IntOp::SumPool {
        window: Window::square(2, 1, 0),
    };
    let x = graph.push("pool2", sum, &[x]);
    let x = graph.push("subsample", IntOp::Subsample { stride: 2 }, &[x]);
    let x = there_and_back(&mut graph, x);
    let x = graph.push("flatten", IntOp::Flatten, &[x]);
    let matrix = |by| IntOp::Linear {
        shape: LayerShape::FullyConnected { out_features: 3 },
        weight_bits: 6,
        weight_scale: 4,
        by,
    };
    let direct = graph.push("fc", matrix(Algorithm::DIRECT), &[x]);
    let choosing = graph.push("fc2", matrix(Algorithm::named("client-chooses", 0)), &[x]);
    let x = graph.push("fcs", IntOp::Add, &[direct, choosing]);
    let x = graph.push("curve", curve(), &[x]);
    let x = graph.push("top", IntOp::ArgMax, &[x]);
    graph.push("output", IntOp::Output, &[x]);
    graph.finish().expect("it fits")
}

/// Falling and then rising by steps, from a table with a ramp.
fn curve() -> IntOp {
    let pieces = Pieces {
        low: 0,
        width: 2,
        symmetry: Symmetry::Even,
        values: vec![9, -4, 3, 12],
        slopes: vec![-3, 2, 1, 0],
        fraction: 1,
        ramp: Some(2),
        shift: 3,
    };
    IntOp::Curve {
        pieces,
        to: 12,
        scale: 0,
    }
}

/// Flipped and turned, twice: the values, and what is said of them, stay.
fn there_and_back(graph: &mut GraphBuilder<IntOp>, mut x: usize) -> usize {
    let shape = graph.type_of(x).expect("it fits").shape;
    let Shape {
        channels,
        height,
        width,
    } = shape;
    let flip = IntOp::Pick {
        channels: Places::All,
        rows: Places::flipped(height),
        columns: Places::zeros(0, width, 0),
    };
    let turn = |shape| IntOp::Reorder {
        order: [0, 2, 1],
        shape,
    };
    let turned = turn(Shape::new(channels, width, height));
    let steps = [flip.clone(), turned, turn(shape), flip];
    for (k, step) in steps.into_iter().enumerate() {
        x = graph.push(format!("there and back {k}"), step, &[x]);
    }
    x
}

/// Rectified with secret signs, pooled, through hard-swish, and gated by its own means.
fn gated(graph: &mut GraphBuilder<IntOp>, x: usize) -> usize {
    let x = graph.push("signed", IntOp::SignedRelu, &[x]);
    let pool = IntOp::MaxPool {
        window: Window::square(3, 2, 1),
    };
    let x = graph.push("pool", pool, &[x]);
    let swish = graph.push(
        "swish",
        IntOp::HardSwish {
            fraction: 4,
            to: 20,
        },
        &[x],
    );
    let cut = IntOp::Trunc {
        shift: 8,
        rounded: false,
    };
    let swish = graph.push("swish.cut", cut, &[swish]);
    let swish = graph.push("swish.narrow", IntOp::Narrow { to: 12 }, &[swish]);
    let gate = graph.push("gate.clip", IntOp::Clip { top: 96 }, &[swish]);
    let mean = IntOp::MeanPool {
        window: Window::square(3, 1, 0),
        counts_padding: true,
        divisor: 1,
        fraction: 5,
    };
    let gate = graph.push("gate.mean", mean, &[gate]);
    let affine = IntOp::Affine {
        factor: 3,
        add: 5,
        scale: 1,
    };
    let gate = graph.push("gate.affine", affine, &[gate]);
    graph.push("gate", IntOp::Gate, &[swish, gate])
}

fn conv(groups: usize, window: Window, by: Algorithm) -> IntOp {
    IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 2,
            groups,
            window,
        },
        weight_bits: 8,
        weight_scale: 8,
        by,
    }
}

/// Digests of what the server and the client say in a seeded run: set-up, refill and online.
fn digests(mode: Mode, ahead: bool) -> [String; 2] {
    let graph = Arc::new(everything());
    let rng = &mut Rng::new(1);
    let weights = ints::weights(rng, &graph);
    let input: Vec<i64> = (0..graph.input().shape.len())
        .map(|_| rng.below(1 << 10) - (1 << 9))
        .collect();
    let expected = run_integer(&graph, &weights, &input).expect("it runs");
    let at_server = ServerWeights::new(Arc::new(weights));
    let extension = default_extension();
    let plan = match ahead {
        true => SecureNetwork::ahead,
        false => SecureNetwork::within,
    };
    let network = plan(&Limits::NONE, Arc::clone(&graph), mode, extension.price());
    let network = &network.expect("it plans");

    let transcript = Transcript::new();
    let open = |connection: &Connection, seed| {
        Session::establish(connection, [seed; 32], extension).expect("a session")
    };
    let (server, client) = run_over(
        transcript.line().pair(),
        |connection| {
            let session = &mut open(&connection, 1);
            network.serve(session, &at_server, &mut |_| {})
        },
        |connection| {
            let session = &mut open(&connection, 2);
            network.infer(session, &input, &mut |_| {})
        },
    );
    server.expect("the server serves");
    let (output, _) = client.expect("the client infers");
    if mode == Mode::Faithful {
        assert_eq!(output, expected);
    }
    [Role::Server, Role::Client].map(|role| transcript.digest(role))
}

#[test]
fn the_network_has_every_operation_and_algorithm() {
    let graph = everything();
    let mut met = [false; ints::OPERATIONS];
    let mut by: Vec<&str> = Vec::new();
    for node in graph.nodes() {
        met[ints::number(&node.op)] = true;
        if let IntOp::Linear { by: algorithm, .. } = &node.op {
            by.push(algorithm.name());
        }
    }
    assert!(!met.contains(&false), "operations: {met:?}");
    for algorithm in secure::algorithms() {
        assert!(by.contains(&algorithm.name()), "{}", algorithm.name());
    }
}

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    assert_eq!(digests(Mode::Faithful, false), FAITHFUL);
    assert_eq!(digests(Mode::Fast, false), FAST);
    assert_eq!(digests(Mode::Faithful, true), AHEAD);
}

/// From the server, from the client.
const FAITHFUL: [&str; 2] = [
    "c5d4366b0245c8cce975988a9b04cf666c34bcf6025d1ccd6a83bbdfbce9f9c9",
    "1a8aeafee69f5c1a06aee796760eb9c35b51b387ee1cba2361a65b1d987d50bd",
];
const FAST: [&str; 2] = [
    "20d2602907c241c3bca0bcb78448be15f75706d8ee759ebd40522ca006ee1bf2",
    "a968b9067a28f4279f51179c94319538d7cd950c3bd385dcb288ec0d4ec16d70",
];
/// With a phase ahead of the image, faithful.
const AHEAD: [&str; 2] = [
    "e476f9a01c3a07fd55c7b026a84b4c9bd24a0209e81e4407bdf29d7a19555495",
    "e79d48b88e27022b11822f2ec1455cab13676307378eedf5996cfd8334da0812",
];
