//! Batch norm, `ReLU`, convolution, with factors of every kind.

use nets::{
    FloatModel, GraphBuilder, Head, Op, Preprocessing, Shape, Source, Tensor, Tensors, Window,
};

use super::ints::Rng;

/// Factors and shifts that a trained batch norm may have.
const FACTORS: [f32; 9] = [0.0, 1.0, -1.0, 0.5, -2.0, 1e-3, -1e-3, 1e-6, -1e-20];
const SHIFTS: [f32; 7] = [0.0, 0.3, -0.3, 1.5, -1.5, 0.01, -0.01];

/// How many things there are that may stand between the `ReLU` and the convolution, nothing among them.
pub const BETWEEN: usize = 4;

/// Input, pointwise or padded convolution of batch norm and `ReLU`, with the `between`-th thing in between.
///
/// # Panics
/// Never.
pub fn source(rng: &mut Rng, kernel: usize, between: usize) -> Source {
    let (channels, shape) = (3, Shape::new(3, 5, 4));
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    let mut some = |name: &str, shape: Vec<usize>, from: &[f32]| {
        let n = shape.iter().product();
        let data = (0..n).map(|_| from[rng.pick(0, from.len() - 1)]).collect();
        tensors.insert(name, Tensor::new(shape, data));
        name.to_owned()
    };
    let mut last = graph.push("input", Op::Input { shape }, &[]);
    let op = Op::BatchNorm {
        gamma: some("gamma", vec![channels], &FACTORS),
        beta: some("beta", vec![channels], &SHIFTS),
        mean: some("mean", vec![channels], &[0.0, 0.5, -0.5]),
        var: some("var", vec![channels], &[1.0, 0.25, 2.0]),
        eps: 1e-5,
    };
    last = graph.push("norm", op, &[last]);
    let relu = graph.push("relu", Op::Relu, &[last]);
    last = relu;
    let window = Window::square(2, 1, 1);
    match between {
        1 => {
            last = graph.push(
                "pool",
                Op::AvgPool {
                    window,
                    counts_padding: true,
                },
                &[last],
            );
        }
        2 => last = graph.push("both", Op::Concat, &[0, relu]),
        3 => {
            let both = graph.push("both", Op::Concat, &[relu, 0]);
            last = graph.push("shuffle", Op::ChannelShuffle { groups: 2 }, &[both]);
        }
        _ => {}
    }
    let from = graph.type_of(last).expect("it fits").channels;
    let values = [0.5, -0.5, 0.25, 0.8, -1.0];
    let op = Op::Conv2d {
        out_channels: 2,
        groups: 1,
        window: Window::square(kernel, 1, kernel / 2),
        weight: some("w", vec![2, from, kernel, kernel], &values),
        bias: Some(some("b", vec![2], &values)),
    };
    graph.push("conv", op, &[last]);
    let graph = graph.finish().expect("it fits");
    let outputs = graph.output().len();
    Source {
        arch: "random".into(),
        float: FloatModel { graph, tensors },
        preprocessing: Preprocessing::new(shape, vec![0.5; channels], vec![0.25; channels]),
        labels: (0..outputs).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    }
}

/// An image for it.
///
/// # Panics
/// Never.
pub fn image(rng: &mut Rng, source: &Source) -> Vec<f32> {
    super::floats::values(rng, source.preprocessing.shape.len())
}
