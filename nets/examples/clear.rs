//! A small random network three ways: in floats, in clear integers, and what it would cost between
//! two parties.
//!
//! `cargo run --release -p blindray-nets --example clear`

#![expect(clippy::print_stdout, reason = "an example prints")]

use nets::{
    FloatModel, Graph, Head, ImportOptions, Mode, Op, Preprocessing, SecureNetwork, Shape, Source,
    Tensor, Tensors, Window,
};

/// Bits of refill per correlation, as with `SoftSpoken` OT at k = 4.
const COT_PRICE: u32 = 32;

fn main() -> Result<(), nets::Error> {
    let source = network();
    let samples: Vec<Vec<f32>> = (0..8)
        .map(|i| values(i, source.preprocessing.shape.len()))
        .collect();
    let (model, report) = nets::import(&source, &samples, &ImportOptions::default())?;
    println!(
        "{:<8} {:>7} {:>5} {:>7} {:>11}",
        "layer", "weights", "ring", "proved", "calibrated"
    );
    for l in &report.layers {
        let (ring, proved, seen) = (l.ring_bits, l.proved_bits, l.calibrated_bits);
        println!(
            "{:<8} {:>7} {ring:>5} {proved:>7} {seen:>11}",
            l.name, l.weight_bits
        );
    }
    let float = model.run_float(&samples[0])?;
    let raw = model.run_integer(&model.public.encode(&samples[0])?)?;
    for ((label, float), fixed) in model
        .public
        .labels
        .iter()
        .zip(&float)
        .zip(model.public.logits(&raw))
    {
        println!("{label:<10} float {float:+.5}   integer {fixed:+.5}");
    }
    let network = SecureNetwork::new(&model.public.graph, Mode::Faithful, COT_PRICE)?;
    println!(
        "{:<16} {:<16} {:>9} {:>9} {:>8}",
        "layer", "kind", "up", "down", "flights"
    );
    for l in network.plan() {
        let (up, down) = (l.cost.bytes_to_server(), l.cost.bytes_to_client());
        println!(
            "{:<16} {:<16} {up:>9} {down:>9} {:>8}",
            l.name,
            l.op,
            l.cost.flights()
        );
    }
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
    let mut graph = Graph::new();
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
        float: FloatModel { graph, tensors },
        preprocessing: Preprocessing::new(shape, vec![0.5], vec![0.5]),
        labels: ["circle", "square", "triangle"].map(String::from).into(),
        head: Head::Softmax,
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
