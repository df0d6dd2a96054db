//! Hard-sigmoid, hard-swish, gates and divided means: every integer operation on every input of small
//! rings, then whole blocks from floats.

#[path = "common/parties.rs"]
mod parties;
#[path = "common/random.rs"]
mod random;

use nets::{
    Error, FloatModel, Graph, Head, ImportOptions, IntGraph, IntNode, IntOp, Mode, Model, Op,
    Preprocessing, Preset, PrivateWeights, Shape, Source, Tensor, Tensors, Window, import,
    run_integer,
};
use random::Rng;

fn node(name: &str, op: IntOp, inputs: &[usize]) -> IntNode {
    IntNode {
        name: name.into(),
        op,
        inputs: inputs.to_vec(),
    }
}

/// Operations in a row on an input; the last one is the output.
fn chain(shape: Shape, bits: u32, scale: i32, ops: &[IntOp]) -> Result<IntGraph, Error> {
    let mut nodes = vec![node("input", IntOp::Input { shape, bits, scale }, &[])];
    for op in ops.iter().cloned().chain([IntOp::Output]) {
        nodes.push(node(op.name(), op, &[nodes.len() - 1]));
    }
    IntGraph::new(nodes)
}

fn check(graph: &IntGraph, input: &[i64]) -> Vec<i64> {
    let weights = PrivateWeights::default();
    let expected = run_integer(graph, &weights, input).expect("it runs");
    let found = parties::run(graph, &weights, input, Mode::Faithful, 9);
    assert_eq!(found.output, expected, "{graph:?}");
    expected
}

fn every(bits: u32) -> Vec<i64> {
    (-(1 << (bits - 1))..1 << (bits - 1)).collect()
}

#[test]
fn hard_swish_of_every_number() {
    for (bits, scale, fraction, to) in [(4, 0, 2, 3), (6, 1, 4, 9), (7, 3, 5, 20), (8, 2, 6, 30)] {
        let add = 3 << scale;
        let shift = IntOp::Affine {
            factor: 1,
            add,
            scale: 0,
        };
        let ops = [shift, IntOp::HardSwish { fraction, to }];
        let x = every(bits);
        let graph = chain(Shape::vector(x.len()), bits, scale, &ops).expect("it fits");
        assert_eq!(graph.output().fixed.scale, 2 * scale + fraction as i32);
        let wrap = |v: i64, bits: u32| (v << (64 - bits)) >> (64 - bits);
        // Written out once more, with x·clip(x + 3, 0, 6) where nothing overflows.
        let sixth = ((1_i64 << fraction) + 3) / 6;
        for (&x, y) in x.iter().zip(check(&graph, &x)) {
            let h = wrap(x + add, bits);
            let c = h.clamp(0, 2 * add);
            let expected =
                sixth * c * (c - add) + ((h - 2 * add).max(0) << (scale + fraction as i32));
            assert_eq!(y, wrap(expected, to), "{x}");
            if h == x + add && to > 2 * bits + fraction {
                assert_eq!(c * (c - add) + 2 * add * (h - 2 * add).max(0), x * c);
            }
        }
    }
}

#[test]
fn hard_sigmoid_of_every_number() {
    let (bits, scale, fraction, to) = (8, 3, 5, 12);
    let clip = [
        IntOp::Affine {
            factor: 1,
            add: 24,
            scale: 0,
        },
        IntOp::Clip { top: 48 },
        IntOp::Extend { to },
        IntOp::Affine {
            factor: 5,
            add: 8,
            scale: 5,
        },
        IntOp::TruncReduce {
            shift: 4,
            rounded: true,
        },
    ];
    let x = every(bits);
    let graph = chain(Shape::vector(x.len()), bits, scale, &clip).expect("it fits");
    let out = graph.output();
    assert!(
        out.nonneg && out.fixed.scale == scale + fraction - 4,
        "{out:?}"
    );
    for (&x, y) in x.iter().zip(check(&graph, &x)) {
        let h = i64::from((x + 24) as i8);
        assert_eq!(y, (5 * h.clamp(0, 48) + 8) >> 4, "{x}");
        assert!(y <= out.most);
    }
}

/// Channels of every value times gates of every value.
#[test]
fn gates_of_every_number() {
    let bits = 4;
    let rows = every(bits);
    let (n, size) = (rows.len(), 1 << bits);
    let shape = Shape::new(n, 1, size + 1);
    // The first column holds the gates, of either sign; the ReLU makes narrow ones of them.
    let input: Vec<i64> = (rows.iter())
        .flat_map(|&gate| std::iter::once(gate).chain(every(bits)))
        .collect();
    let column = IntOp::Subsample { stride: size + 1 };
    for (narrow, to) in [(false, 4), (true, 4), (true, 9)] {
        let mut nodes = vec![
            node(
                "input",
                IntOp::Input {
                    shape,
                    bits,
                    scale: 2,
                },
                &[],
            ),
            node("column", column.clone(), &[0]),
        ];
        if narrow {
            nodes.push(node("relu", IntOp::Relu, &[1]));
        }
        let gate = nodes.len() - 1;
        let mut x = 0;
        if to > bits {
            nodes.push(node("extend", IntOp::Extend { to }, &[0]));
            x = nodes.len() - 1;
        }
        nodes.push(node("gate", IntOp::Gate, &[x, gate]));
        nodes.push(node("output", IntOp::Output, &[nodes.len() - 1]));
        let graph = IntGraph::new(nodes).expect("it fits");
        let y = check(&graph, &input);
        for (i, (&x, &y)) in input.iter().zip(&y).enumerate() {
            let gate = rows[i / (size + 1)];
            let gate = if narrow { gate.max(0) } else { gate };
            let expected = ((x * gate) << (64 - to)) >> (64 - to);
            assert_eq!(y, expected, "{x} times {gate}");
        }
    }
}

#[test]
fn means_of_every_window() {
    let rng = &mut Rng::new(3);
    let shape = Shape::new(2, 5, 4);
    for (kernel, stride, padding) in [(3, 2, 1), (2, 1, 1), (2, 2, 0), (3, 1, 2)] {
        for counts_padding in [false, true] {
            let (fraction, to, divisor) = (9, 24, 1);
            let window = Window::square(kernel, stride, padding);
            let ops = [
                IntOp::Extend { to },
                IntOp::MeanPool {
                    window,
                    counts_padding,
                    divisor,
                    fraction,
                },
                IntOp::Affine {
                    factor: 1,
                    add: 1 << (fraction - 1),
                    scale: 0,
                },
                IntOp::TruncReduce {
                    shift: fraction,
                    rounded: true,
                },
            ];
            let graph = chain(shape, 8, 3, &ops).expect("it fits");
            let input: Vec<i64> = (0..shape.len()).map(|_| rng.below(256) - 128).collect();
            let y = check(&graph, &input);
            let pool = Op::AvgPool {
                window,
                counts_padding,
            };
            let exact = float_op(shape, pool, &input);
            assert_eq!(y.len(), exact.len());
            for (y, exact) in y.iter().zip(exact) {
                // Half a unit of rounding, and a reciprocal of 9 bits.
                let error = (*y as f64 - f64::from(exact)).abs();
                assert!(error < 0.5 + 9.0 * 128.0 / 1024.0, "{y}, not {exact}");
            }
        }
    }
}

fn float_op(shape: Shape, op: Op, input: &[i64]) -> Vec<f32> {
    let mut graph = Graph::new();
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("op", op, &[0]);
    let tensors = Tensors::new();
    let values: Vec<f32> = input.iter().map(|&x| x as f32).collect();
    FloatModel { graph, tensors }.run(&values).expect("it runs")
}

#[test]
fn graphs_that_do_not_fit_are_refused() {
    let shape = Shape::new(2, 3, 3);
    let refused =
        |ops: &[IntOp], scale: i32| chain(shape, 8, scale, ops).expect_err("it cannot fit");
    let swish = |fraction, to| IntOp::HardSwish { fraction, to };
    let mean = |divisor, fraction| IntOp::MeanPool {
        window: Window::square(3, 1, 0),
        counts_padding: true,
        divisor,
        fraction,
    };
    let affine = |scale| IntOp::Affine {
        factor: 1,
        add: 0,
        scale,
    };
    let cases = [
        (swish(1, 20), 2),
        (swish(2, 4), 2),
        (swish(2, 65), 2),
        (swish(u32::MAX, 20), 2),
        (swish(4, 20), -1),
        (swish(4, 20), 5),
        (swish(4, 20), 128),
        (mean(0, 2), 2),
        (mean(1, 8), 2),
        (mean(1, u32::MAX), 2),
        (affine(i32::MAX), 2),
        (affine(127), 2),
        (IntOp::Gate, 2),
    ];
    for (op, scale) in cases {
        let error = refused(&[op.clone()], scale);
        assert!(matches!(error, Error::Width { .. }), "{op:?}: {error}");
    }
    // Narrow and of any sign; wider than what it gates; another number of channels.
    let wide = IntOp::Extend { to: 12 };
    let gates = |ops: Vec<IntNode>| IntGraph::new(ops).expect_err("it cannot fit");
    let input = || {
        node(
            "input",
            IntOp::Input {
                shape: Shape::vector(2),
                bits: 8,
                scale: 0,
            },
            &[],
        )
    };
    let output = |i| node("output", IntOp::Output, &[i]);
    for inputs in [[1, 0], [0, 1]] {
        let graph = vec![
            input(),
            node("wide", wide.clone(), &[0]),
            node("gate", IntOp::Gate, &inputs),
            output(2),
        ];
        assert!(gates(graph).to_string().contains("of any sign"));
    }
    let one = IntOp::Slice {
        start: 0,
        channels: 1,
    };
    let graph = vec![
        input(),
        node("one", one, &[0]),
        node("gate", IntOp::Gate, &[0, 1]),
        output(2),
    ];
    assert!(gates(graph).to_string().contains("it gates 2x1x1 by 1x1x1"));
}

/// An inverted residual block of MobileNetV3 as a whole network: expansion, depthwise convolution
/// and hard-swish, squeeze and excitation, projection, and a sum; then ShuffleNet's pool.
fn block(rng: &mut Rng) -> Source {
    let shape = Shape::new(3, 8, 8);
    let (mut graph, mut tensors) = (Graph::new(), Tensors::new());
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
        float: FloatModel { graph, tensors },
        preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]),
        labels: (0..3).map(|i| i.to_string()).collect(),
        head: Head::Sigmoid,
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
    let (model, report) = import(&source, &images[..4], options).expect("it imports");
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
        weight_bits: nets::WeightBits::Fixed(16),
        activation_bits: 20,
        fraction_bits: 13,
        input_bits: 16,
        ..ImportOptions::default()
    };
    let uniform = ImportOptions {
        preset: Preset::Uniform { bits: 60 },
        ..ImportOptions::default()
    };
    for seed in 0..20 {
        let worst = [&ImportOptions::default(), &uniform, &fine].map(|o| imported(seed, o).2);
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
        source.float.graph.nodes.truncate(2);
        source.float.graph.push("act", op, &[1]);
        source.labels = (0..256).map(|i| i.to_string()).collect();
        let image = vec![1.0; 192];
        let error = import(&source, &[image], &ImportOptions::default()).expect_err("too large");
        assert!(
            error.to_string().contains("it needs fractional bits"),
            "{error}"
        );
    }
}
