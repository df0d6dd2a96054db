//! A network of a few pixels, and both parties around it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use channel::{Connection, Memory, Relay, Way};
use import::{ImportOptions, quantise};
use nets::{
    Algorithm, Crops, Filter, FloatModel, Geometry, GraphBuilder, Head, Model, Op, Picture,
    Preprocessing, Samples, Shape, Source, Tensor, Tensors, Window,
};
use ot::CotPrice;
use secure::{Algorithms, CpuModel, choose_algorithms};
use service::{Client, Error, Findings, Request, Served, Server, ServerOptions};
use testkit::run_over;

pub(crate) const SERVER_SEED: [u8; 32] = [1; 32];
pub(crate) const CLIENT_SEED: [u8; 32] = [2; 32];

/// The network, made once.
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| model(Crops::Centre));

/// Its server.
pub(crate) static SERVER: LazyLock<Server> = LazyLock::new(|| server(&MODEL));

pub(crate) fn server(model: &Model) -> Server {
    let options = ServerOptions {
        max_images: 3,
        ..ServerOptions::default()
    };
    Server::new(model.public.clone(), model.weights.clone(), options).expect("it can be served")
}

/// A convolution, ReLU, the mean and a classifier, on six rows and columns.
pub(crate) fn model(crops: Crops) -> Model {
    model_of(6, crops)
}

/// The same on an image of so many rows and columns.
pub(crate) fn model_of(side: usize, crops: Crops) -> Model {
    let shape = Shape::new(1, side, side);
    let mut tensors = Tensors::new();
    for (name, shape) in [("conv", &[2, 1, 3, 3][..]), ("fc", &[3, 2])] {
        let data = values(shape.iter().product());
        tensors.insert(name, Tensor::new(shape.to_vec(), data));
    }
    let mut graph = GraphBuilder::new();
    let conv = Op::Conv2d {
        out_channels: 2,
        groups: 1,
        window: Window::square(3, 1, 1),
        weight: "conv".into(),
        bias: None,
    };
    let fc = Op::Linear {
        out_features: 3,
        weight: "fc".into(),
        bias: None,
    };
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("conv", conv, &[0]);
    graph.push("relu", Op::Relu, &[1]);
    graph.push("mean", Op::GlobalAvgPool, &[2]);
    graph.push("fc", fc, &[3]);
    let geometry = Geometry {
        filter: Filter::Bilinear,
        resize: Some(side + 2),
        crops,
    };
    let preprocessing = Preprocessing {
        geometry,
        ..Preprocessing::new(shape, vec![0.5], vec![0.5])
    };
    let source = Source {
        arch: "small".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing,
        labels: ["circle", "square", "triangle"].map(String::from).into(),
        head: Head::Softmax,
        parts: Vec::new(),
    };
    let samples = [
        values(side * side),
        values(2 * side * side)[side * side..].to_vec(),
    ];
    let (model, _) = quantise(&source, &samples, &ImportOptions::default()).expect("it imports");
    model
}

/// Numbers in -1..1.
fn values(n: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u8::try_from(state >> 24).expect("eight bits")) / 128.0 - 1.0
    };
    (0..n).map(next).collect()
}

/// A grey picture of 11 x 9, another one for every number.
pub(crate) fn picture(number: u8) -> Picture {
    let sample = |i: u8| i.wrapping_mul(37).wrapping_add(number.wrapping_mul(91)) ^ (i >> 3);
    let samples = (0..99).map(sample).collect();
    Picture::new(11, 9, 1, Samples::Eight(samples)).expect("a picture")
}

/// A line of few bytes whose ends do not wait long.
pub(crate) fn line(timeout: Duration) -> Memory {
    Memory {
        capacity: 1 << 10,
        timeout,
        relay: None,
    }
}

pub(crate) type Outcomes = (Result<Served, Error>, Result<Vec<Findings>, Error>);

/// A server, and a client that shows it as many pictures as it asked for.
pub(crate) fn run(server: &Server, request: &Request, ends: (Connection, Connection)) -> Outcomes {
    run_over(
        ends,
        |connection| server.serve(&connection, SERVER_SEED, &mut |_| {}),
        |connection| {
            let mut client = Client::over(connection, request, CLIENT_SEED)?;
            let numbers = 0..u8::try_from(request.images).expect("few images");
            let findings = numbers.map(|number| client.infer(&picture(number), &mut |_| {}));
            findings.collect()
        },
    )
}

/// The same in memory.
pub(crate) fn run_in_memory(server: &Server, request: &Request) -> Outcomes {
    run(server, request, line(Duration::from_secs(60)).pair())
}

/// The raw outputs of a picture without secrecy, view by view.
pub(crate) fn clear(model: &Model, number: u8) -> Vec<Vec<i64>> {
    let views = 0..model.public.preprocessing.views();
    let prepared = views.map(|view| model.public.prepare(&picture(number), view));
    let outputs = prepared.map(|view| model.run_integer(view.fixed()).expect("it runs"));
    outputs.collect()
}

/// Counts what passes, by stream and party.
#[derive(Default)]
pub(crate) struct Counter(pub(crate) Mutex<BTreeMap<(u32, bool), u64>>);

impl Relay for Counter {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        let mut counts = self.0.lock().expect("nobody panics");
        *counts
            .entry((way.stream, way.from.is_server()))
            .or_default() += bytes.len() as u64;
        bytes.len()
    }
}

/// The same model with every product by ring-LWE.
pub(crate) fn encrypted(model: &Model) -> Model {
    let layers = model.public.graph.nodes().iter();
    let layers = layers.filter(|node| node.op.is_linear());
    let by = Algorithm::named("ring-lwe", 1);
    let layers = layers.map(|node| (node.name.clone(), by.clone())).collect();
    let (algorithms, cpu) = (Algorithms::Layers(layers), CpuModel::default());
    let chosen = choose_algorithms(model, &algorithms, CotPrice::FREE, &cpu);
    chosen.expect("ring-LWE takes every layer").0
}
