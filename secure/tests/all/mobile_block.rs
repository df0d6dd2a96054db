//! A block of MobileNetV3 and ShuffleNet's pool, from floats to two parties.

use std::sync::Arc;

use import::{ImportOptions, Preset, quantise};
use nets::{
    FloatGraph, FloatModel, GraphBuilder, Head, IntOp, Model, Node, Op, Operator as _,
    Preprocessing, Shape, Source, Tensor, Tensors, Window,
};
use secure::{LayerPlan, Mode, SecureNetwork};
use tests::networks::ints::Rng;
use tests::networks::parties;
use tests::networks::tiles::PRICE;
use tests::networks::trained;

/// An inverted residual block of MobileNetV3 as a whole network: expansion, depthwise convolution
/// and hard-swish, squeeze and excitation, projection, and a sum; then ShuffleNet's pool.
fn block(rng: &mut Rng) -> Source {
    let shape = Shape::new(3, 8, 8);
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    let mut some = |name: &str, shape: Vec<usize>, size: f32| {
        let n = shape.iter().product();
        let value =
            |_| size * f32::from(i16::try_from(rng.below(2001) - 1000).expect("small")) / 1000.0;
        tensors.insert(name, Tensor::new(shape, (0..n).map(value).collect()));
        name.to_owned()
    };
    let mut conv = |name: &str, from: usize, to: usize, groups: usize, kernel: usize| Op::Conv2d {
        out_channels: to,
        groups,
        window: Window::square(kernel, 1, kernel / 2),
        weight: some(
            &format!("{name}.w"),
            vec![to, from / groups, kernel, kernel],
            1.0,
        ),
        bias: Some(some(&format!("{name}.b"), vec![to], 2.0)),
    };
    let x = graph.push("input", Op::Input { shape }, &[]);
    let x = graph.push("stem", conv("stem", 3, 4, 1, 3), &[x]);
    let first = graph.push("stem.act", Op::HardSwish, &[x]);
    let x = graph.push("expand", conv("expand", 4, 8, 1, 1), &[first]);
    let x = graph.push("expand.act", Op::HardSwish, &[x]);
    let x = graph.push("depthwise", conv("depthwise", 8, 8, 8, 3), &[x]);
    let x = graph.push("depthwise.act", Op::HardSwish, &[x]);
    let g = graph.push("squeeze", Op::GlobalAvgPool, &[x]);
    let g = graph.push("reduce", conv("reduce", 8, 2, 1, 1), &[g]);
    let g = graph.push("reduce.act", Op::Relu, &[g]);
    let g = graph.push("restore", conv("restore", 2, 8, 1, 1), &[g]);
    let g = graph.push("excite", Op::HardSigmoid, &[g]);
    let x = graph.push("gate", Op::Gate, &[x, g]);
    let x = graph.push("project", conv("project", 8, 4, 1, 1), &[x]);
    let x = graph.push("sum", Op::Add, &[x, first]);
    let pool = Op::AvgPool {
        window: Window::square(3, 2, 1),
        counts_padding: false,
    };
    let x = graph.push("pool", pool, &[x]);
    let x = graph.push("last", conv("last", 4, 3, 1, 1), &[x]);
    graph.push("mean", Op::GlobalAvgPool, &[x]);
    Source {
        arch: "block".into(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]),
        labels: (0..3).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
        parts: Vec::new(),
    }
}

fn imported(seed: u64, options: &ImportOptions) -> (Model, Vec<Vec<f32>>, f64) {
    let rng = &mut Rng::new(seed);
    let source = block(rng);
    let mut image = || -> Vec<f32> {
        let value = |_| f32::from(i16::try_from(rng.below(4001) - 2000).expect("small")) / 1000.0;
        (0..source.preprocessing.shape.len()).map(value).collect()
    };
    let images: Vec<Vec<f32>> = (0..6).map(|_| image()).collect();
    let (model, report) = trained::imported(&source, &images[..4], options);
    assert_eq!(report.wrapped, 0);
    let mut worst = 0.0_f64;
    for image in &images {
        let exact = source.float.run(image).expect("it runs");
        let top = exact.iter().fold(1.0_f32, |top, v| top.max(v.abs()));
        let raw = model.run_integer(&model.public.encode(image).expect("the right size"));
        let found = model.public.logits(&raw.expect("it runs"));
        for (exact, found) in exact.iter().zip(found) {
            worst = worst.max((f64::from(*exact) - found).abs() / f64::from(top));
        }
    }
    (model, images, worst)
}

#[test]
fn a_block_follows_floats() {
    let fine = ImportOptions {
        weight_bits: import::WeightBits::Fixed(16),
        activation_bits: 20,
        fraction_bits: 13,
        input_bits: 16,
        ..ImportOptions::default()
    };
    let plain = ImportOptions {
        weight_bits: import::WeightBits::Fixed(10),
        ..ImportOptions::default()
    };
    let uniform = ImportOptions {
        preset: Preset::Uniform { bits: 60 },
        ..plain.clone()
    };
    for seed in 0..20 {
        let worst = [&plain, &uniform, &fine].map(|o| imported(seed, o).2);
        assert!(
            worst[0] < 0.005 && worst[1] < 0.005 && worst[2] < 0.0005,
            "{seed}: {worst:?}"
        );
    }
}

#[test]
fn a_block_between_two_parties() {
    let options = ImportOptions::default();
    let (model, images, _) = imported(1, &options);
    let graph = &model.public.graph;
    let input = model.public.encode(&images[5]).expect("the right size");
    let expected = model.run_integer(&input).expect("it runs");
    for extreme in [false, true] {
        let input: Vec<i64> = match extreme {
            // Far beyond what any width was calibrated for.
            true => input.iter().map(|v| v.wrapping_mul(0x9e37_79b9)).collect(),
            false => input.clone(),
        };
        let expected = model.run_integer(&input).expect("it runs");
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 3);
        assert_eq!(found.output, expected);
    }
    let fast = parties::run(graph, &model.weights, &input, Mode::Fast, 4);
    let [exact, fast] = [&expected, &fast.output].map(|raw| model.public.logits(raw));
    for (a, b) in exact.iter().zip(&fast) {
        assert!((a - b).abs() < 0.05 * a.abs().max(1.0), "{a} became {b}");
    }
    let plan = planned(graph);
    let compared = plan.iter().filter(|layer| {
        let compares = ["wrap", "shared comparison"].contains(&&*layer.algorithm);
        layer.op == "extend" && compares
    });
    let compared: Vec<_> = compared.map(|layer| layer.name.as_str()).collect();
    // The sum of a convolution's output and its mean can be anything. What products can be is known.
    assert_eq!(compared, ["sum.extend", "pool.extend"]);
    let algorithms: Vec<_> = (graph.nodes().iter())
        .filter(|n| {
            matches!(
                n.op,
                IntOp::HardSwish { .. } | IntOp::Gate | IntOp::MeanPool { .. }
            )
        })
        .map(|n| n.op.name())
        .collect();
    assert_eq!(
        algorithms,
        [
            "hard-swish",
            "hard-swish",
            "hard-swish",
            "gate",
            "mean-pool"
        ]
    );
}

fn planned(graph: &nets::IntGraph) -> Vec<LayerPlan> {
    let network = SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, PRICE);
    network.expect("it plans").plan().to_vec()
}

#[test]
fn a_block_survives_its_file() {
    let (model, ..) = imported(2, &ImportOptions::default());
    let folder = std::env::temp_dir().join(format!("blindray-rescale-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("block.bray");
    model.save(&path).expect("it is written");
    let again = Model::load(&path).expect("it is read");
    std::fs::remove_dir_all(&folder).expect("it was there");
    assert_eq!(again.public.graph, model.public.graph);
    assert_eq!(again.float, model.float);
}

#[test]
fn inputs_without_fractional_bits_are_named() {
    for op in [Op::HardSwish, Op::HardSigmoid] {
        let mut source = block(&mut Rng::new(5));
        let weights = source.float.tensors.tensor("stem.w").expect("it is there");
        let large = weights.data().iter().map(|w| w * 1e6).collect();
        let large = Tensor::new(weights.shape().to_vec(), large);
        source.float.tensors.insert("stem.w", large);
        let mut nodes = source.float.graph.into_nodes();
        nodes.truncate(2);
        nodes.push(Node {
            name: "act".into(),
            op,
            inputs: vec![1],
        });
        source.float.graph = FloatGraph::new(nodes).expect("it fits");
        source.labels = (0..256).map(|i| i.to_string()).collect();
        let image = vec![1.0; 192];
        let error = quantise(&source, &[image], &ImportOptions::default()).expect_err("too large");
        assert!(
            error.to_string().contains("needs fractional bits"),
            "{error}"
        );
    }
}
