//! Operations that move, negate and bound values: next to the input, next to the output, and what they cost.

use import::{ImportOptions, WeightBits, quantise};
use nets::{
    FloatModel, GraphBuilder, Head, IntOp, Model, Op, Places, Preprocessing, Shape, Source, Tensor,
    Tensors, Window,
};
use tests::networks::floats::values;
use tests::networks::ints::Rng;

const INPUT: Shape = Shape::new(3, 6, 5);

/// A network of these operations, one after the other, on values in −2..2.
fn network(ops: Vec<Op>, tensors: Tensors) -> (Source, Vec<Vec<f32>>) {
    let mut graph = GraphBuilder::new();
    let mut last = graph.push("input", Op::Input { shape: INPUT }, &[]);
    for (k, op) in ops.into_iter().enumerate() {
        last = graph.push(format!("node{k}"), op, &[last]);
    }
    let graph = graph.finish().expect("it fits");
    let outputs = graph.output().len();
    let source = Source {
        arch: "test".into(),
        float: FloatModel { graph, tensors },
        preprocessing: Preprocessing::new(INPUT, vec![0.5; 3], vec![0.25; 3]),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    };
    let rng = &mut Rng::new(1);
    let samples = (0..4).map(|_| values(rng, INPUT.len())).collect();
    (source, samples)
}

fn options() -> ImportOptions {
    ImportOptions {
        weight_bits: WeightBits::Fixed(14),
        activation_bits: 18,
        fraction_bits: 12,
        ..ImportOptions::default()
    }
}

/// The model, whose integers follow the floats.
fn imported(ops: Vec<Op>, tensors: Tensors) -> Model {
    let (source, samples) = network(ops, tensors);
    let (model, report) = quantise(&source, &samples, &options()).expect("it imports");
    assert_eq!(report.wrapped, 0);
    assert!(report.max_logit_difference < 0.01, "{report:?}");
    for sample in &samples {
        let [a, b] = [&source.float, &model.float].map(|m| m.run(sample).expect("it runs"));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    model
}

fn some(tensors: &mut Tensors, name: &str, shape: &[usize]) -> String {
    let data = values(&mut Rng::new(7), shape.iter().product());
    tensors.insert(name, Tensor::new(shape.to_vec(), data));
    name.to_owned()
}

fn conv(tensors: &mut Tensors, window: Window) -> Op {
    let [rows, columns] = window.kernel;
    Op::Conv2d {
        out_channels: 3,
        groups: 1,
        window,
        weight: some(tensors, "w", &[3, 3, rows, columns]),
        bias: Some(some(tensors, "b", &[3])),
    }
}

fn all() -> Vec<Op> {
    let bounds = |low, high| Op::Clamp { low, high };
    vec![
        Op::Neg,
        bounds(Some(-0.5), Some(0.75)),
        bounds(Some(0.25), Some(0.75)),
        bounds(Some(-1.0), None),
        bounds(None, Some(-0.25)),
        bounds(Some(-1e9), Some(1e9)),
        // Every value is below it.
        bounds(Some(3.0), None),
        Op::Pick {
            channels: Places::of([Some(2), Some(0), None, Some(0)]),
            rows: Places::reflected(2, 6, 1),
            columns: Places::zeros(1, 5, 3),
        },
        Op::Reorder {
            order: [1, 2, 0],
            shape: Shape::vector(90),
        },
    ]
}

#[test]
fn between_input_and_output() {
    for op in all() {
        imported(vec![op], Tensors::new());
    }
}

#[test]
fn behind_the_input_and_before_the_output() {
    for op in all() {
        let mut tensors = Tensors::new();
        let layer = conv(&mut tensors, Window::square(3, 1, 1));
        imported(vec![layer.clone(), Op::Relu, op.clone()], tensors.clone());
        if !matches!(op, Op::Pick { .. } | Op::Reorder { .. }) {
            imported(vec![op, layer], tensors);
        }
    }
}

/// The client encodes what is only moved for the ring in which the layer takes it.
#[test]
fn a_moved_input_is_not_extended() {
    let mut tensors = Tensors::new();
    let layer = conv(&mut tensors, Window::square(3, 2, 0));
    let pick = Op::Pick {
        channels: Places::of([Some(2), Some(1), Some(0)]),
        rows: Places::reflected(1, 6, 1),
        columns: Places::flipped(5),
    };
    let plain = imported(vec![layer.clone()], tensors.clone());
    let moved = imported(vec![Op::Neg, pick, layer], tensors);
    let input = |model: &Model| model.public.graph.input().fixed;
    assert_eq!(input(&moved), input(&plain));
    let nodes = moved.public.graph.nodes();
    let count = |of: fn(&IntOp) -> bool| nodes.iter().filter(|n| of(&n.op)).count();
    assert_eq!(count(|op| matches!(op, IntOp::Extend { .. })), 0);
    assert_eq!(count(|op| matches!(op, IntOp::Pick { .. })), 1);
}

/// Padding of any width around convolutions and means.
#[test]
fn padding_beyond_the_kernel() {
    for window in [
        Window::square(1, 1, 1),
        Window::square(1, 2, 3),
        Window {
            padding: [0, 4, 1, 2],
            ..Window::square(2, 1, 0)
        },
        Window {
            padding: [5, 5, 5, 5],
            dilation: [2, 1],
            ..Window::square(2, 3, 0)
        },
    ] {
        let mut tensors = Tensors::new();
        let layer = conv(&mut tensors, window);
        let model = imported(vec![Op::Relu, layer], tensors);
        let picks = |op: &IntOp| matches!(op, IntOp::Pick { .. });
        assert!(model.public.graph.nodes().iter().any(|n| picks(&n.op)));
    }
    let counts_padding = true;
    let window = Window::square(2, 2, 3);
    let mean = Op::AvgPool {
        window,
        counts_padding,
    };
    imported(vec![mean, Op::Relu], Tensors::new());
}

/// Constants for each channel and for each position, next to nothing that is linear.
#[test]
fn constants_after_anything() {
    let mut tensors = Tensors::new();
    let map = some(&mut tensors, "map", &[3, 6, 5]);
    let map = Op::AddMap { map };
    imported(vec![map.clone()], tensors.clone());
    imported(vec![Op::Relu, map.clone(), map.clone()], tensors.clone());
    let layer = conv(&mut tensors, Window::square(3, 1, 1));
    imported(vec![Op::Neg, map, layer], tensors.clone());
    let norm = Op::BatchNorm {
        gamma: some(&mut tensors, "gamma", &[3]),
        beta: some(&mut tensors, "beta", &[3]),
        mean: some(&mut tensors, "mean", &[3]),
        var: {
            let ones = Tensor::new(vec![3], vec![1.0, 0.5, 2.0]);
            tensors.insert("var", ones);
            "var".into()
        },
        eps: 0.0,
    };
    imported(vec![Op::Relu, norm.clone()], tensors.clone());
    imported(vec![norm.clone()], tensors.clone());
    // Layers take it, padded or not, and so it takes no layer of its own.
    for padding in 0..2 {
        let layer = conv(&mut tensors, Window::square(3, 1, padding));
        for between in [vec![], vec![Op::Neg], vec![Op::Relu]] {
            let ops = [vec![norm.clone()], between, vec![layer.clone()]];
            let model = imported(ops.concat(), tensors.clone());
            let nodes = model.public.graph.nodes().iter();
            assert_eq!(nodes.filter(|n| n.op.is_linear()).count(), 1);
        }
    }
}

/// Means and sums wherever activations may be.
#[test]
fn means_anywhere() {
    let mean = |window, counts_padding| Op::AvgPool {
        window,
        counts_padding,
    };
    let pools = [
        mean(Window::square(2, 2, 0), true),
        mean(Window::square(3, 1, 1), true),
        mean(Window::square(3, 1, 1), false),
        Op::GlobalAvgPool,
    ];
    for pool in pools {
        imported(vec![pool.clone()], Tensors::new());
        imported(vec![Op::Relu, pool.clone(), Op::Neg], Tensors::new());
        imported(vec![pool.clone(), Op::HardSwish], Tensors::new());
        let low = Some(-0.25);
        let clamp = Op::Clamp { low, high: None };
        imported(vec![Op::Neg, pool, clamp], Tensors::new());
    }
}

/// What is split and joined again and again, and what is very deep, takes time in proportion.
#[test]
fn long_networks_take_no_longer_than_they_are() {
    let rng = &mut Rng::new(3);
    let samples: Vec<Vec<f32>> = (0..2).map(|_| values(rng, INPUT.len())).collect();
    let mut graphs = [GraphBuilder::new(), GraphBuilder::new()];
    for graph in &mut graphs {
        graph.push("input", Op::Input { shape: INPUT }, &[]);
    }
    let [pairs, chain] = &mut graphs;
    let mut last = 0;
    for k in 0..40 {
        let parts = [(0, 1), (1, 2)].map(|(start, channels)| {
            let slice = Op::Slice { start, channels };
            pairs.push(format!("part{k}.{start}"), slice, &[last])
        });
        last = pairs.push(format!("both{k}"), Op::Concat, &parts);
    }
    pairs.push("mean", Op::GlobalAvgPool, &[last]);
    last = 0;
    for k in 0..10_000 {
        let op = if k % 2 == 0 { Op::Neg } else { Op::Relu };
        last = chain.push(format!("node{k}"), op, &[last]);
    }
    chain.push("mean", Op::GlobalAvgPool, &[last]);
    for graph in graphs {
        let (mut source, _) = network(vec![Op::GlobalAvgPool], Tensors::new());
        source.float.graph = graph.finish().expect("it fits");
        quantise(&source, &samples, &options()).expect("it imports");
    }
}
