//! What a graph of a stranger can make a planner spend: little, whatever its tensors are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nets::{Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, PrivateWeights, Shape, Window};
use secure::{Error, Limits, Mode, SecureNetwork};
use tests::networks::parties;
use tests::networks::tiles::PRICE;

/// More than a plan of one layer takes on a busy machine.
const SOON: Duration = Duration::from_secs(5);

fn input(shape: Shape, bits: u32) -> GraphBuilder<IntOp> {
    let mut graph = GraphBuilder::new();
    let (bits, scale) = (bits, 0);
    graph.push("in", IntOp::Input { shape, bits, scale }, &[]);
    graph
}

/// A square of 2^log values.
fn square(log: u32) -> Shape {
    let side = 1 << (log / 2);
    Shape::new(1, side, (1 << log) / side)
}

fn linear(shape: LayerShape, weight_bits: u32, by: &'static str) -> IntOp {
    let (weight_scale, by) = (0, Algorithm::named(by, 0));
    IntOp::Linear {
        shape,
        weight_bits,
        weight_scale,
        by,
    }
}

/// `n` fully connected layers of 2^log inputs to one output each, put together.
fn fully_connected(log: u32, n: usize, by: &'static str) -> IntGraph {
    let mut graph = input(square(log), 64);
    let flat = graph.push("flat", IntOp::Flatten, &[0]);
    let layer = linear(LayerShape::FullyConnected { out_features: 1 }, 2, by);
    let all: Vec<_> = (0..n)
        .map(|_| graph.push("f", layer.clone(), &[flat]))
        .collect();
    let all = graph.push("c", IntOp::Concat, &all);
    graph.push("out", IntOp::Output, &[all]);
    graph.finish().expect("accepted")
}

/// `n` rectifiers one after the other, on 2^log values.
fn rectifiers(log: u32, n: usize) -> IntGraph {
    let mut graph = input(square(log), 64);
    let last = (0..n).fold(0, |x, _| graph.push("r", IntOp::Relu, &[x]));
    graph.push("out", IntOp::Output, &[last]);
    graph.finish().expect("accepted")
}

fn plan(graph: IntGraph, limits: &Limits) -> (Result<SecureNetwork, Error>, Duration) {
    let begin = Instant::now();
    let network = SecureNetwork::within(limits, Arc::new(graph), Mode::Faithful, PRICE);
    (network, begin.elapsed())
}

fn planned(graph: IntGraph) -> SecureNetwork {
    let (network, time) = plan(graph, &Limits::default());
    assert!(time < SOON, "{time:?}");
    network.expect("planned")
}

fn refused(graph: IntGraph, expected: &str) {
    let (network, time) = plan(graph, &Limits::default());
    assert!(time < 2 * SOON, "{expected}: {time:?}");
    match network {
        Err(Error::TooLarge {
            what,
            found,
            allowed,
        }) => {
            assert!(found > allowed);
            assert_eq!(what, expected);
        }
        other => panic!("{expected}: {other:?}"),
    }
}

#[test]
fn fully_connected_layers_are_planned_in_closed_form() {
    for by in ["client-chooses", "direct"] {
        for (log, n) in [(22, 1), (22, 4), (25, 1)] {
            let network = planned(fully_connected(log, n, by));
            let cots = network.cost().cots.total();
            let bits = if by == "direct" { 2 } else { 64 };
            assert_eq!(cots, (n as u64 * bits) << log, "{by}");
        }
    }
    // 65,000 of them in no time either.
    for by in ["client-chooses", "direct"] {
        let limit = if by == "direct" { "bytes" } else { "flights" };
        refused(fully_connected(25, 65_000, by), limit);
    }
    let (network, time) = plan(fully_connected(10, 65_000, "client-chooses"), &Limits::NONE);
    assert!(network.is_ok() && time < 5 * SOON, "{time:?}");
}

#[test]
fn many_chunks_follow_each_other_in_a_few_rounds() {
    let flights = planned(rectifiers(24, 100)).cost().flights();
    assert!((1500..2500).contains(&flights), "{flights}");
    refused(rectifiers(24, 4000), "values");
    refused(rectifiers(26, 65_000), "values");
    let (network, time) = plan(rectifiers(26, 20_000), &Limits::NONE);
    let flights = network.expect("planned").cost().flights();
    assert!(
        flights > 500_000 && time < 5 * SOON,
        "{flights} flights: {time:?}"
    );
}

#[test]
fn very_many_channels_take_no_table() {
    let (shape, window) = (Shape::new(1, 1, 1), Window::square(1, 1, 0));
    let mut graph = input(shape, 16);
    let conv = |out_channels, groups| {
        let shape = LayerShape::Conv {
            out_channels,
            groups,
            window,
        };
        linear(shape, 2, "direct")
    };
    let wide = graph.push("wide", conv(1 << 26, 1), &[0]);
    let channels = 1 << 22;
    let slice = IntOp::Slice { start: 0, channels };
    let some = graph.push("slice", slice, &[wide]);
    let apart = graph.push("apart", conv(channels, channels), &[some]);
    graph.push("out", IntOp::Output, &[apart]);
    let network = planned(graph.finish().expect("accepted"));
    assert_eq!(network.cost().cots.client_sends, (2 << 26) + (2 << 22));
}

/// Every kind of layer that is priced by its geometry, as large as it may be, very often.
#[test]
fn large_geometries_are_priced_or_refused_at_once() {
    let pool = |kernel, stride, padding| {
        let mut graph = input(Shape::new(1, 1 << 13, 1 << 13), 16);
        let [top, left] = padding;
        let window = Window {
            kernel,
            stride,
            padding: [top, left, top, left],
            ..Window::square(1, 1, 0)
        };
        for _ in 0..60_000 {
            graph.push("p", IntOp::MaxPool { window }, &[0]);
        }
        let last = graph.push("p", IntOp::MaxPool { window }, &[0]);
        graph.push("out", IntOp::Output, &[last]);
        graph.finish().expect("accepted")
    };
    refused(pool([1, 1], [1, 1], [0, 0]), "values");
    refused(pool([4096, 1], [4096, 4096], [4000, 0]), "flights");

    let mut graph = input(Shape::new(1 << 20, 1, 1), 64);
    let flat = graph.push("flat", IntOp::Flatten, &[0]);
    let mut last = 0;
    for _ in 0..1000 {
        last = graph.push("gate", IntOp::Gate, &[last, flat]);
    }
    graph.push("out", IntOp::Output, &[last]);
    planned(graph.finish().expect("accepted"));

    let mut graph = input(Shape::new(1, 2048, 2048), 16);
    let window = Window::square(2048, 1, 0);
    let shape = LayerShape::Conv {
        out_channels: 1,
        groups: 1,
        window,
    };
    let convs: Vec<_> = (0..60_000)
        .map(|_| graph.push("c", linear(shape, 2, "direct"), &[0]))
        .collect();
    let all = graph.push("all", IntOp::Concat, &convs);
    graph.push("out", IntOp::Output, &[all]);
    refused(graph.finish().expect("accepted"), "positions of kernels");
}

/// A graph can ask for every comparison that there is.
#[test]
fn every_width_of_every_protocol_is_planned_soon() {
    let mut graph = input(Shape::new(1, 1, 1), 64);
    let mut all = Vec::new();
    for bits in 3..64 {
        let narrow = graph.push("narrow", IntOp::Narrow { to: bits }, &[0]);
        all.push(graph.push("relu", IntOp::Relu, &[narrow]));
        for shift in 1..bits - 1 {
            let rounded = false;
            let cut = graph.push("trunc", IntOp::Trunc { shift, rounded }, &[narrow]);
            all.push(graph.push("reduce", IntOp::TruncReduce { shift, rounded }, &[cut]));
        }
    }
    for _ in 0..50_000 {
        graph.push(
            "trunc",
            IntOp::Trunc {
                shift: 20,
                rounded: false,
            },
            &[0],
        );
    }
    let last = *all.last().expect("many");
    graph.push("out", IntOp::Output, &[last]);
    let graph = graph.finish().expect("accepted");
    assert!(graph.len() > 53_000);
    planned(graph);
}

/// A chain of joins of a tensor with itself has as many pieces as channels; they are not listed.
#[test]
fn towers_of_joins_are_planned_soon() {
    for rectified in [false, true] {
        let mut graph = input(Shape::new(1, 1, 1), 16);
        let mut last = 0;
        for _ in 0..25 {
            last = graph.push("twice", IntOp::Concat, &[last, last]);
            if rectified {
                last = graph.push("relu", IntOp::Relu, &[last]);
            }
        }
        let channels = 1;
        let slice = IntOp::Slice { start: 0, channels };
        last = graph.push("slice", slice, &[last]);
        graph.push("out", IntOp::Output, &[last]);
        planned(graph.finish().expect("accepted"));
    }
}

/// What would keep too much at a time, here by the number of its nodes, runs node after node.
#[test]
fn very_many_branches_run_in_turn() {
    let branches = |count: usize| {
        let mut graph = input(Shape::new(3, 1, 1), 9);
        let mut last = 0;
        for _ in 0..count {
            last = graph.push("relu", IntOp::Relu, &[0]);
        }
        graph.push("out", IntOp::Output, &[last]);
        graph.finish().expect("accepted")
    };
    let flights = |count| planned(branches(count)).cost().flights();
    assert!(flights(1000) < 20 && flights(17_000) > 17_000);
    let graph = branches(17_000);
    let weights = PrivateWeights::new(&graph, BTreeMap::new()).expect("none are needed");
    let found = parties::run(&graph, &weights, &[-200, 0, 77], Mode::Faithful, 1);
    assert_eq!(found.output, [0, 0, 77]);
}
