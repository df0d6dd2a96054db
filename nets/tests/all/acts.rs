//! Operations on one value at a time: floats by formula, integers on every number of a small ring.

use std::collections::BTreeMap;

use nets::{
    FloatModel, GraphBuilder, IntOp, LayerWeights, Op, PrivateWeights, Shape, Tensor, Tensors,
    run_integer,
};

/// A value is computed of x, in a channel.
type Formula = fn(f32, usize) -> f32;

/// A number is computed of x.
type IntFormula = fn(i64) -> i64;

const SHIFT: [f32; 3] = [0.5, -0.25, 0.0];
const SIGN: [f32; 3] = [1.0, -1.0, -1.0];
const SLOPE: [f32; 3] = [0.25, 0.0, -0.5];

#[test]
fn floats_follow_their_formulas() {
    let shape = Shape::new(3, 1, 33);
    let eighths = (0..99_i16).map(|i| f32::from(i % 33 - 16) / 4.0);
    let x: Vec<f32> = eighths.collect();
    let mut tensors = Tensors::new();
    for (name, values) in [
        ("shift", SHIFT),
        ("sign", SIGN),
        ("slope", SLOPE),
        ("mean", [1.0, 0.0, -2.0]),
        ("var", [3.5, 0.0, 15.5]),
    ] {
        tensors.insert(name, Tensor::new(vec![3], values.to_vec()));
    }
    let map = x.iter().map(|v| v * v).collect();
    tensors.insert("map", Tensor::new(vec![3, 1, 33], map));
    let name = String::from;
    let norm = Op::BatchNorm {
        gamma: name("sign"),
        beta: name("shift"),
        mean: name("mean"),
        var: name("var"),
        eps: 0.5,
    };
    let cases: [(Op, Formula); 11] = [
        (Op::Relu, |x, _| if x > 0.0 { x } else { 0.0 }),
        (Op::Clip { top: 2.5 }, |x, _| x.clamp(0.0, 2.5)),
        (Op::LeakyRelu { slope: 0.125 }, |x, _| {
            if x < 0.0 { x / 8.0 } else { x }
        }),
        (
            Op::PRelu {
                slope: name("slope"),
            },
            |x, c| if x < 0.0 { x * SLOPE[c] } else { x },
        ),
        (Op::Scale { factor: -0.375 }, |x, _| -0.375 * x),
        (
            Op::Quantise {
                scale: 0.25,
                low: -5,
                high: 7,
            },
            |x, _| (x * 4.0).clamp(-5.0, 7.0).round_ties_even() / 4.0,
        ),
        (Op::HardSigmoid, |x, _| (x + 3.0).clamp(0.0, 6.0) / 6.0),
        (Op::HardSwish, |x, _| x * ((x + 3.0).clamp(0.0, 6.0) / 6.0)),
        (
            Op::SignedRelu {
                shift: name("shift"),
                sign: name("sign"),
            },
            |x, c| {
                let y = x + SHIFT[c];
                if (y >= 0.0) == (SIGN[c] >= 0.0) {
                    y
                } else {
                    0.0
                }
            },
        ),
        (Op::AddMap { map: name("map") }, |x, _| x * x + x),
        // Deviations of 2, 1/√2 and 4.
        (norm, |x, c| {
            let mean = [1.0, 0.0, -2.0][c];
            SIGN[c] * (x - mean) / [2.0, 0.5_f32.sqrt(), 4.0][c] + SHIFT[c]
        }),
    ];
    for (op, formula) in cases {
        let mut graph = GraphBuilder::new();
        graph.push("input", Op::Input { shape }, &[]);
        graph.push("op", op.clone(), &[0]);
        let model = FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors: tensors.clone(),
        };
        model.check().expect("its parameters are there");
        for (i, y) in model.run(&x).expect("it runs").iter().enumerate() {
            let expected = formula(x[i], i / 33);
            assert!((y - expected).abs() < 1e-6, "{op:?} of {}: {y}", x[i]);
        }
    }
}

/// Each plane times the one value of its channel.
#[test]
fn floats_are_gated() {
    let mut graph = GraphBuilder::new();
    let shape = Shape::new(2, 1, 2);
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("mean", Op::GlobalAvgPool, &[0]);
    graph.push("gate", Op::Gate, &[0, 1]);
    let graph = graph.finish().expect("it fits");
    let tensors = Tensors::new();
    let y = FloatModel { graph, tensors }.run(&[1.0, 3.0, -2.0, 6.0]);
    assert_eq!(y.expect("it runs"), [2.0, 6.0, -4.0, 12.0]);
}

/// Bits of the ring whose every number is tried.
const BITS: u32 = 6;

fn wrap(x: i64, bits: u32) -> i64 {
    let top = 1 << (bits - 1);
    (x + top).rem_euclid(2 * top) - top
}

/// What an operation makes of every number, in as many channels as it has weights.
fn every(op: &IntOp, layer: Option<&LayerWeights>) -> Vec<(i64, i64)> {
    let channels = layer.map_or(1, |l| l.bias.len());
    let numbers: Vec<i64> = (0..channels).flat_map(|_| -32..32).collect();
    let mut graph = GraphBuilder::new();
    let input = IntOp::Input {
        shape: Shape::new(channels, 1, 64),
        bits: BITS,
        scale: 3,
    };
    graph.push("input", input, &[]);
    graph.push("op", op.clone(), &[0]);
    graph.push("output", IntOp::Output, &[1]);
    let graph = graph.finish().expect("it fits");
    let layers: BTreeMap<_, _> = layer.map(|l| (1, l.clone())).into_iter().collect();
    let weights = PrivateWeights::new(&graph, layers).expect("they fit");
    let out = *graph.output();
    // Numbers far beyond the ring are reduced to those in it.
    let beyond: Vec<i64> = numbers.iter().map(|x| x + (5 << BITS)).collect();
    let y = run_integer(&graph, &weights, &beyond).expect("it runs");
    for &y in &y {
        assert_eq!(y, wrap(y, out.bits().get()), "{op:?} leaves its ring");
        let values = out.values;
        assert!(
            values.low <= y && y <= values.high,
            "{op:?}: {y}, not {out:?}"
        );
    }
    numbers.into_iter().zip(y).collect()
}

#[test]
fn integers_follow_their_formulas_on_every_number() {
    let cut = |shift| (shift, false);
    let trunc = |(shift, rounded)| IntOp::Trunc { shift, rounded };
    let reduce = |(shift, rounded)| IntOp::TruncReduce { shift, rounded };
    let affine = IntOp::Affine {
        factor: 3,
        add: -5,
        scale: 1,
    };
    let cases: [(IntOp, IntFormula); 9] = [
        (IntOp::Extend { to: 9 }, |x| x),
        (IntOp::Narrow { to: 4 }, |x| wrap(x, 4)),
        (trunc(cut(2)), |x| x.div_euclid(4)),
        (trunc(cut(5)), |x| x.div_euclid(32)),
        (reduce(cut(2)), |x| x.div_euclid(4)),
        (reduce(cut(4)), |x| x.div_euclid(16)),
        (IntOp::Relu, |x| x.max(0)),
        (IntOp::Clip { top: 13 }, |x| x.clamp(0, 13)),
        (affine, |x| wrap(3 * x - 5, BITS)),
    ];
    for (op, formula) in cases {
        for (x, y) in every(&op, None) {
            assert_eq!(y, formula(x), "{op:?} of {x}");
        }
    }
}

#[test]
fn signed_rectifiers_follow_their_formula_on_every_number() {
    let (signs, shifts) = ([0, -1, 0, -1], [0, 0, 31, -7]);
    let layer = LayerWeights {
        weights: signs.to_vec(),
        bias: shifts.to_vec(),
    };
    for (i, (x, y)) in every(&IntOp::SignedRelu, Some(&layer))
        .into_iter()
        .enumerate()
    {
        let shifted = wrap(x + shifts[i / 64], BITS);
        let kept = (shifted >= 0) != (signs[i / 64] < 0);
        assert_eq!(
            y,
            if kept { shifted } else { 0 },
            "{x} in channel {}",
            i / 64
        );
    }
}
