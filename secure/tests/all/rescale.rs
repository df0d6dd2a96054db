//! Hard-sigmoid, hard-swish, gates and divided means: every integer operation on every input of small
//! rings.

use nets::{
    Error, FloatModel, GraphBuilder, IntGraph, IntOp, Node, Op, Operator as _, PrivateWeights,
    Shape, Tensors, Window, run_integer,
};
use secure::Mode;
use tests::networks::ints::Rng;
use tests::networks::parties;

fn node(name: &str, op: IntOp, inputs: &[usize]) -> Node<IntOp> {
    Node {
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

/// The signed number of so many bits that is congruent to this one.
fn wrap(x: impl Into<i128>, bits: u32) -> i64 {
    let top = 1 << (bits - 1);
    let wrapped = (x.into() + top).rem_euclid(2 * top) - top;
    i64::try_from(wrapped).expect("at most 64 bits")
}

fn every(bits: u32) -> Vec<i64> {
    (-(1 << (bits - 1))..1 << (bits - 1)).collect()
}

#[test]
fn hard_swish_of_every_number() {
    for (bits, scale, fraction, to) in [
        (4, 0, 2, 3),
        (6, 1, 4, 9),
        (7, 3, 5, 20),
        (8, 2, 6, 30),
        // As many fractional bits as there may be.
        (4, 0, 63, 64),
        (6, 1, 62, 64),
    ] {
        let add = 3 << scale;
        let shift = IntOp::Affine {
            factor: 1,
            add,
            scale: 0,
        };
        let ops = [shift, IntOp::HardSwish { fraction, to }];
        let x = every(bits);
        let graph = chain(Shape::vector(x.len()), bits, scale, &ops).expect("it fits");
        assert_eq!(
            graph.output().fixed.scale,
            2 * scale + fraction.cast_signed()
        );
        // Written out once more, with x·clip(x + 3, 0, 6) where nothing overflows.
        let sixth = ((1_i128 << fraction) + 3) / 6;
        for (&x, y) in x.iter().zip(check(&graph, &x)) {
            let h = wrap(x + add, bits);
            let c = h.clamp(0, 2 * add);
            let beyond = (h - 2 * add).max(0);
            let ramp = i128::from(beyond) << (scale + fraction.cast_signed());
            let expected = sixth * i128::from(c * (c - add)) + ramp;
            assert_eq!(y, wrap(expected, to), "{x}");
            if h == x + add && to > 2 * bits + fraction {
                assert_eq!(c * (c - add) + 2 * add * beyond, x * c);
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
        out.values.is_nonnegative() && out.fixed.scale == scale + fraction - 4,
        "{out:?}"
    );
    for (&x, y) in x.iter().zip(check(&graph, &x)) {
        let h = wrap(x + 24, bits);
        assert_eq!(y, (5 * h.clamp(0, 48) + 8) >> 4, "{x}");
        assert!(y <= out.values.high);
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
            assert_eq!(y, wrap(x * gate, to), "{x} times {gate}");
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
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("op", op, &[0]);
    let tensors = Tensors::new();
    let values: Vec<f32> = input.iter().map(|&x| x as f32).collect();
    let graph = graph.finish().expect("it fits");
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
        let error = refused(std::slice::from_ref(&op), scale);
        assert!(matches!(error, Error::Width { .. }), "{op:?}: {error}");
    }
    // Narrow and of any sign; wider than what it gates; another number of channels.
    let wide = IntOp::Extend { to: 12 };
    let gates = |ops: Vec<Node<IntOp>>| IntGraph::new(ops).expect_err("it cannot fit");
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
