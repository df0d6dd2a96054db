//! Batch norm, `ReLU`, convolution, with factors of every kind.

use import::{ImportOptions, WeightBits};
use nets::{
    FloatModel, GraphBuilder, Head, Model, Op, Operator as _, Preprocessing, Shape, Source, Tensor,
    Tensors, Window,
};
use proptest::prelude::*;
use secure::Mode;
use tests::networks::ints::Rng;
use tests::networks::parties;
use tests::networks::trained::imported;

/// Factors and shifts that a trained batch norm may have.
const FACTORS: [f32; 9] = [0.0, 1.0, -1.0, 0.5, -2.0, 1e-3, -1e-3, 1e-6, -1e-20];
const SHIFTS: [f32; 7] = [0.0, 0.3, -0.3, 1.5, -1.5, 0.01, -0.01];

/// Input, pointwise or padded convolution of batch norm and `ReLU`, with `between` in between.
fn source(rng: &mut Rng, kernel: usize, between: usize) -> Source {
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
    }
}

/// The integer network, having compared it with floats on images not used for calibration.
fn checked(rng: &mut Rng, kernel: usize, between: usize) -> (Model, Vec<i64>) {
    let source = source(rng, kernel, between);
    let n = source.preprocessing.shape.len();
    let mut image = || -> Vec<f32> {
        let value = |_| f32::from(i16::try_from(rng.below(4001) - 2000).expect("small")) / 1000.0;
        (0..n).map(value).collect()
    };
    let samples = [image(), image(), image()];
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(14),
        fraction_bits: 12,
        ..ImportOptions::default()
    };
    let (model, report) = imported(&source, &samples, &options);
    assert_eq!(report.wrapped, 0);
    let signed = model
        .public
        .graph
        .nodes()
        .iter()
        .filter(|n| n.op.name() == "signed-relu");
    assert_eq!(signed.count(), 1, "no batch norm is left to multiply");
    let (fresh, mut input) = (image(), Vec::new());
    for sample in samples.iter().chain([&fresh]) {
        let expected = source.float.run(sample).expect("it runs");
        input = model.public.encode(sample).expect("the right size");
        let found = model
            .public
            .logits(&model.run_integer(&input).expect("it runs"));
        for (a, b) in expected.iter().zip(&found) {
            assert!((f64::from(*a) - b).abs() < 0.02, "{a} became {b}");
        }
    }
    (model, input)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn integers_follow_floats(seed: u64, pointwise: bool, between in 0_usize..4) {
        checked(&mut Rng::new(seed), if pointwise { 1 } else { 3 }, between);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn secure_equals_integer(seed: u64, between in 0_usize..4) {
        let (model, input) = checked(&mut Rng::new(seed), 3, between);
        let expected = model.run_integer(&input).expect("it runs");
        let graph = &model.public.graph;
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 5);
        prop_assert_eq!(found.output, expected);
    }
}
