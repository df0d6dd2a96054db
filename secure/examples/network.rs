//! A small network between two parties: quantised, planned, run, and compared with the clear integers.
//!
//! `cargo run --release -p blindray-secure --example network`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::sync::Arc;
use std::thread;

use channel::memory_pair;
use import::{ImportOptions, quantise};
use nets::{
    FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors, Window,
};
use secure::{Mode, SecureNetwork, ServerWeights};
use sharing::{Session, default_extension};

fn main() -> Result<(), Box<dyn Error>> {
    let source = network();
    let n = source.preprocessing.shape.len();
    let samples: Vec<Vec<f32>> = (0..8).map(|i| values(i, n)).collect();
    let (model, _) = quantise(&source, &samples, &ImportOptions::default())?;
    let image = model.public.encode(&samples[0])?;
    let expected = model.run_integer(&image)?;

    // Both parties know the graph, and plan alike before anything is sent.
    let (extension, graph) = (default_extension(), Arc::new(model.public.graph));
    let network = SecureNetwork::new(graph, Mode::Faithful, extension.price())?;
    for layer in network.plan() {
        let (bytes, flights) = (layer.cost.bytes(), layer.cost.flights());
        println!(
            "{:<16} {:<16} {bytes:>9} bytes {flights:>4} flights",
            layer.name, layer.op
        );
    }

    // A real party seeds its session from the operating system.
    let (at_server, at_client) = memory_pair(1 << 16);
    let weights = ServerWeights::new(Arc::new(model.weights));
    let (network, weights) = (&network, &weights);
    let output = thread::scope(|scope| {
        scope.spawn(move || -> Result<_, secure::Error> {
            let mut session = Session::establish(&at_server, [1; 32], extension)?;
            network.serve(&mut session, weights, &mut |_| {})
        });
        let mut session = Session::establish(&at_client, [2; 32], extension)?;
        network.infer(&mut session, &image, &mut |_| {})
    })?;
    println!(
        "the client learns {:?}; the clear integers are {expected:?}",
        output.0
    );
    assert_eq!(output.0, expected);
    Ok(())
}

/// Two convolutions, ReLU, a max-pool and a classifier, on 12 x 12 pixels.
fn network() -> Source {
    let shape = Shape::new(1, 12, 12);
    let mut tensors = Tensors::new();
    for (seed, name, shape) in [
        (1, "conv1", &[8, 1, 3, 3][..]),
        (2, "conv2", &[8, 8, 3, 3]),
        (3, "fc", &[3, 8]),
    ] {
        let data = values(seed, shape.iter().product());
        tensors.insert(name, Tensor::new(shape.to_vec(), data));
    }
    let mut graph = GraphBuilder::new();
    let conv = |weight: &str| Op::Conv2d {
        out_channels: 8,
        groups: 1,
        window: Window::square(3, 1, 1),
        weight: weight.into(),
        bias: None,
    };
    let fc = Op::Linear {
        out_features: 3,
        weight: "fc".into(),
        bias: None,
    };
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("conv1", conv("conv1"), &[0]);
    graph.push("relu1", Op::Relu, &[1]);
    graph.push(
        "maxpool",
        Op::MaxPool {
            window: Window::square(2, 2, 0),
        },
        &[2],
    );
    graph.push("conv2", conv("conv2"), &[3]);
    graph.push("relu2", Op::Relu, &[4]);
    graph.push("mean", Op::GlobalAvgPool, &[5]);
    graph.push("fc", fc, &[6]);
    Source {
        arch: "example".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.5], vec![0.5]),
        labels: ["circle", "square", "triangle"].map(String::from).into(),
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

/// Numbers in -1..1 from a multiplicative congruential generator.
fn values(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u8::try_from(state >> 24).expect("eight bits")) / 128.0 - 1.0
    };
    (0..n).map(next).collect()
}
