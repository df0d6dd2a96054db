//! Import takes time that grows with the network and not with the number of paths through it, and a
//! stack that does not grow at all.

use std::thread;
use std::time::{Duration, Instant};

use import::{ImportOptions, WeightBits, quantise};
use nets::{
    FloatGraph, FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors,
    Window,
};

/// More than any of these takes on a busy machine; along every path, or with a loop over the network
/// for each of its nodes, it would be hours or minutes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Less than any thread is given unasked.
const STACK: usize = 256 << 10;

fn source(graph: GraphBuilder<Op>, tensors: Tensors) -> Source {
    let graph: FloatGraph = graph.finish().expect("it fits");
    let (shape, outputs) = (*graph.input(), graph.output().len());
    Source {
        arch: "long".into(),
        float: FloatModel { graph, tensors },
        preprocessing: Preprocessing::new(
            shape,
            vec![0.5; shape.channels],
            vec![0.25; shape.channels],
        ),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    }
}

/// A batch norm and `ReLU` of three channels, which are taken apart and put together `times` times: there are
/// 2^times paths to the convolution at the end.
fn doubling(times: usize) -> Source {
    let shape = Shape::new(3, 2, 2);
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    for (name, values) in [
        ("gamma", [2.0, -0.5, 1.0]),
        ("beta", [0.5, 0.25, -0.25]),
        ("mean", [0.1, 0.0, -0.1]),
        ("var", [1.0, 2.0, 0.5]),
    ] {
        tensors.insert(name, Tensor::new(vec![3], values.to_vec()));
    }
    let weight = vec![0.5, -1.0, 0.25];
    tensors.insert("weight", Tensor::new(vec![1, 3, 1, 1], weight));
    graph.push("input", Op::Input { shape }, &[]);
    let [gamma, beta, mean, var] = ["gamma", "beta", "mean", "var"].map(String::from);
    let norm = Op::BatchNorm {
        gamma,
        beta,
        mean,
        var,
        eps: 1e-5,
    };
    graph.push("norm", norm, &[0]);
    let mut x = graph.push("relu", Op::Relu, &[1]);
    for k in 0..times {
        let part = |start, channels| Op::Slice { start, channels };
        let first = graph.push(format!("first{k}"), part(0, 1), &[x]);
        let second = graph.push(format!("second{k}"), part(1, 2), &[x]);
        x = graph.push(format!("both{k}"), Op::Concat, &[second, first]);
    }
    let conv = Op::Conv2d {
        out_channels: 1,
        groups: 1,
        window: Window::square(1, 1, 0),
        weight: "weight".into(),
        bias: None,
    };
    graph.push("conv", conv, &[x]);
    source(graph, tensors)
}

/// A convolution and `relus` times `ReLU`.
fn chain(relus: usize) -> Source {
    let shape = Shape::new(1, 2, 2);
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    tensors.insert("weight", Tensor::new(vec![1, 1, 1, 1], vec![-0.75]));
    graph.push("input", Op::Input { shape }, &[]);
    let conv = Op::Conv2d {
        out_channels: 1,
        groups: 1,
        window: Window::square(1, 1, 0),
        weight: "weight".into(),
        bias: None,
    };
    let mut x = graph.push("conv", conv, &[0]);
    for k in 0..relus {
        x = graph.push(format!("relu{k}"), Op::Relu, &[x]);
    }
    source(graph, tensors)
}

/// Quantises and runs, on a thread with a small stack; the integers must follow the floats.
fn imports(source: Source) {
    let check = move || {
        let n = source.preprocessing.shape.len();
        let sample = |k: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 3 + k) % 5) as f32 / 2.5 - 1.0)
                .collect()
        };
        let samples: Vec<_> = (0..3).map(sample).collect();
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(12),
            ..ImportOptions::default()
        };
        let (model, report) = quantise(&source, &samples, &options).expect("it imports");
        assert_eq!(report.wrapped, 0);
        assert!(
            report.max_logit_difference < 0.01,
            "{}",
            report.max_logit_difference
        );
        let input = model.public.encode(&samples[1]).expect("the right size");
        let output = model.run_integer(&input).expect("it runs");
        assert!(
            output.iter().any(|&y| y != 0),
            "a network that says nothing"
        );
    };
    let begin = Instant::now();
    let thread = thread::Builder::new().stack_size(STACK).spawn(check);
    thread
        .expect("a thread")
        .join()
        .expect("it imports on a small stack");
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn a_graph_of_very_many_paths() {
    imports(doubling(40));
}

#[test]
fn a_long_graph_of_very_many_paths() {
    imports(doubling(3000));
}

#[test]
fn a_chain_of_ten_thousand() {
    imports(chain(10_000));
}
