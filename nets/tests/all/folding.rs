//! Folding leaves the function alone; shape inference says what executors make.

use nets::{FloatModel, GraphBuilder, Op, Operator as _, Shape, Tensor, Tensors, Window, fold};
use proptest::prelude::*;
use tests::networks::floats;
use tests::networks::ints::Rng;

/// The folded network, whose function is that of the network.
fn same(model: &FloatModel, input: &[f32]) -> FloatModel {
    let folded = fold(model).expect("it folds");
    let (a, b) = (
        model.run(input).expect("it runs"),
        folded.run(input).expect("it runs"),
    );
    let top = a.iter().fold(1.0_f32, |top, v| top.max(v.abs()));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= 1e-3 * top, "{a} became {b}");
    }
    folded
}

/// The function is the same, and nothing is left to fold.
fn check(seed: u64) {
    let (model, input) = floats::network(&mut Rng::new(seed));
    let folded = same(&model, &input);
    // Nothing is left to fold.
    assert_eq!(
        fold(&folded).expect("it folds").graph.nodes().len(),
        folded.graph.nodes().len()
    );
    let linear = |op: &Op| matches!(op, Op::Conv2d { .. } | Op::Linear { .. });
    let shapes = folded.graph.types();
    for node in folded.graph.nodes() {
        if let Op::Conv2d {
            groups: 1, window, ..
        } = node.op
        {
            let pixel = window == Window::square(1, 1, 0) && shapes[node.inputs[0]].plane() == 1;
            assert!(!pixel, "`{}` is a matrix product", node.name);
        }
        if let (Op::BatchNorm { .. }, &[input]) = (&node.op, node.inputs.as_slice()) {
            assert!(
                !linear(&folded.graph.nodes()[input].op)
                    || folded.graph.sole_consumer(input).is_none()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn folding_keeps_the_function(seed: u64) {
        check(seed);
    }

    #[test]
    fn inferred_shapes_are_the_executors(seed: u64) {
        let (model, input) = floats::network(&mut Rng::new(seed));
        let shapes = model.graph.types();
        let mut lengths = Vec::new();
        model.run_observed(&input, &mut |_, values| lengths.push(values.len())).expect("it runs");
        prop_assert_eq!(lengths, shapes.iter().map(|s| s.len()).collect::<Vec<_>>());
    }
}

/// Two batch norms one after the other, behind a shuffle.
#[test]
fn batch_norms_fold_one_by_one() {
    let mut tensors = Tensors::new();
    let mut some = |name: &str, shape: &[usize], first: f32| {
        let n: u8 = shape.iter().product::<usize>().try_into().expect("few");
        let data = (0..n).map(|i| first + f32::from(i % 7) / 4.0).collect();
        tensors.insert(name, Tensor::new(shape.to_vec(), data));
        name.to_owned()
    };
    let mut norm = |k: usize| Op::BatchNorm {
        gamma: some(&format!("gamma{k}"), &[6], 0.5),
        beta: some(&format!("beta{k}"), &[6], -1.0),
        mean: some(&format!("mean{k}"), &[6], -0.5),
        var: some(&format!("var{k}"), &[6], 0.25),
        eps: 1e-3,
    };
    let norms = [norm(1), norm(2)];
    let conv = Op::Conv2d {
        out_channels: 6,
        groups: 1,
        window: Window::square(2, 1, 1),
        weight: some("weight", &[6, 1, 2, 2], -1.0),
        bias: None,
    };
    let shape = Shape::new(1, 3, 3);
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("conv", conv, &[0]);
    graph.push("shuffle", Op::ChannelShuffle { groups: 2 }, &[1]);
    for (k, norm) in norms.into_iter().enumerate() {
        graph.push(format!("norm{k}"), norm, &[2 + k]);
    }
    let graph = graph.finish().expect("it fits");
    let model = FloatModel { graph, tensors };
    let input: Vec<f32> = (0..9_u8).map(|i| f32::from(i) / 4.0 - 1.0).collect();
    let folded = same(&model, &input);
    let names: Vec<&str> = folded.graph.nodes().iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["input", "conv", "channel-shuffle"]);
}

#[test]
fn pools_go_first() {
    let mut graph = GraphBuilder::new();
    graph.push(
        "input",
        Op::Input {
            shape: Shape::new(1, 4, 4),
        },
        &[],
    );
    graph.push("relu", Op::Relu, &[0]);
    graph.push(
        "pool",
        Op::MaxPool {
            window: Window::square(2, 2, 0),
        },
        &[1],
    );
    graph.push("dead", Op::Relu, &[0]);
    graph.push("flatten", Op::Flatten, &[2]);
    let folded = fold(&FloatModel {
        graph: graph.finish().expect("it fits"),
        tensors: Tensors::new(),
    })
    .expect("it folds");
    let names: Vec<&str> = folded.graph.nodes().iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["input", "max-pool", "relu", "flatten"]);
}
