//! Planning takes time that grows with the graph, and a stack that does not grow.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nets::{GraphBuilder, IntGraph, IntOp, Shape};
use secure::{Mode, SecureNetwork};
use tests::networks::tiles::{PRICE, model};

/// More than a plan takes on a busy machine, and less than a walk along every path.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two channels, taken apart and put together `times` times, and as many `ReLU`s.
fn long(times: usize) -> IntGraph {
    let mut graph = GraphBuilder::new();
    let input = IntOp::Input {
        shape: Shape::new(2, 2, 2),
        bits: 12,
        scale: 3,
    };
    let mut x = graph.push("input", input, &[]);
    for k in 0..times {
        let half = |start| IntOp::Slice { start, channels: 1 };
        let first = graph.push(format!("first{k}"), half(0), &[x]);
        let second = graph.push(format!("second{k}"), half(1), &[x]);
        let both = graph.push(format!("both{k}"), IntOp::Concat, &[second, first]);
        x = graph.push(format!("relu{k}"), IntOp::Relu, &[both]);
    }
    graph.push("output", IntOp::Output, &[x]);
    graph.finish().expect("it fits")
}

#[test]
fn long_graphs_of_very_many_paths_plan() {
    let plan = || {
        let model = model(long(4000), nets::PrivateWeights::default());
        let graph = Arc::new(model.public.graph.clone());
        let network = SecureNetwork::new(graph, Mode::Faithful, PRICE).expect("it plans");
        assert_eq!(network.plan().len(), 4001);
        let algorithms = secure::Algorithms::default();
        let cpu = secure::CpuModel::default();
        let chosen = secure::choose_algorithms(&model, &algorithms, PRICE, &cpu);
        assert_eq!(chosen.expect("nothing to choose").0, model);
    };
    let begin = Instant::now();
    let thread = thread::Builder::new().stack_size(256 << 10).spawn(plan);
    thread
        .expect("a thread")
        .join()
        .expect("it plans on a small stack");
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}
