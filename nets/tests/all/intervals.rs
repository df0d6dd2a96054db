//! What is proved of values holds for all of them, and what is claimed of them is proved.

use std::collections::BTreeMap;

use nets::{
    Algorithm, Error, GraphBuilder, IntGraph, IntOp, Interval, LayerShape, LayerWeights, Node,
    PrivateWeights, PublicModel, Shape, Window, proved, run_integer,
};
use proptest::prelude::*;
use ring_arith::Bits;
use tests::networks::ints;

/// The values of every node but the output.
fn values(graph: &IntGraph, weights: &PrivateWeights, input: &[i64]) -> Vec<Vec<i64>> {
    let until = |last: usize| {
        let mut nodes: Vec<Node<IntOp>> = graph.nodes()[..=last].to_vec();
        nodes.push(Node {
            name: "output".into(),
            op: IntOp::Output,
            inputs: vec![last],
        });
        let graph = IntGraph::new(nodes).expect("it fitted before");
        let layers = weights.iter().filter(|(node, _)| *node <= last);
        let layers = layers.map(|(node, layer)| (node, layer.clone())).collect();
        let weights = PrivateWeights::new(&graph, layers).expect("they fitted before");
        run_integer(&graph, &weights, input).expect("it runs")
    };
    (0..graph.len() - 1).map(until).collect()
}

fn assert_in(interval: Interval, values: &[i64], what: &IntOp) {
    let inside = |&v: &i64| interval.low <= v && v <= interval.high;
    assert!(
        values.iter().all(inside),
        "{what:?}: {values:?}, not {interval:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the input is, and the extremes above all: by what both parties know, and by what the server does.
    #[test]
    fn no_value_leaves_its_interval(seed: u64) {
        let (graph, weights, input) = ints::network(seed);
        let rng = &mut ints::Rng::new(seed);
        let ring = Interval::ring(graph.input().bits());
        let proofs = proved(&graph, &weights, ring);
        let ends = [ring.low, ring.high, 0, -1];
        let mixed = input.iter().map(|_| ends[rng.pick(0, 3)]).collect();
        let flat = |end: i64| vec![end; input.len()];
        for input in [input.clone(), mixed, flat(ring.low), flat(ring.high)] {
            for (index, values) in values(&graph, &weights, &input).iter().enumerate() {
                let op = &graph.nodes()[index].op;
                assert_in(graph.types()[index].values, values, op);
                assert_in(proofs[index].values, values, op);
                let bits = graph.types()[index].bits().get();
                let mut widths = std::iter::once(proofs[index].bits);
                // The bits before reduction hold the values after it, unless these are anything.
                prop_assert!(widths.all(|w| w > bits || values.iter().all(|&v| fits(v, w))));
            }
        }
    }

    /// A smaller interval of the input is one of smaller intervals everywhere.
    #[test]
    fn proofs_are_monotonic(seed: u64, low in -40_i64..40, span in 0_i64..40) {
        let (graph, weights, _) = ints::network(seed);
        let ring = Interval::ring(graph.input().bits());
        let within = |v: i64| v.clamp(ring.low, ring.high);
        let few = Interval { low: within(low), high: within(low + span) };
        let all = proved(&graph, &weights, ring);
        for (few, all) in proved(&graph, &weights, few).iter().zip(&all) {
            prop_assert!(few.values.is_within(all.values), "{few:?} {all:?}");
        }
    }
}

fn fits(v: i64, bits: u32) -> bool {
    Bits::new(bits).is_none_or(|bits| bits.to_signed(v.cast_unsigned()) == v)
}

/// Numbers of so many bits, and operations on them.
fn chain(bits: u32, scale: i32, count: usize, ops: &[IntOp]) -> Result<IntGraph, Error> {
    let mut graph = GraphBuilder::new();
    let shape = Shape::new(1, 1, count);
    let mut last = graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
    for op in ops.iter().chain([&IntOp::Output]) {
        last = graph.push("node", op.clone(), &[last]);
    }
    graph.finish()
}

fn affine(factor: i64, add: i64) -> IntOp {
    let scale = 0;
    IntOp::Affine { factor, add, scale }
}

/// Every interval of a small ring, and every operation on one value: where the results do not wrap, the interval has
/// no number at either end that is not one of them.
#[test]
fn intervals_are_as_narrow_as_the_values() {
    let (bits, none) = (6, PrivateWeights::default());
    let cut = |shift, rounded| IntOp::Trunc { shift, rounded };
    let ops = [
        IntOp::Extend { to: 9 },
        cut(1, false),
        cut(3, true),
        IntOp::Relu,
        IntOp::Clip { top: 9 },
        affine(1, 0),
        IntOp::HardSwish {
            fraction: 4,
            to: 20,
        },
        IntOp::MaxPool {
            window: Window::square(1, 1, 0),
        },
        IntOp::SumPool {
            window: Window::square(1, 1, 0),
        },
        IntOp::Flatten,
    ];
    let every: Vec<i64> = (-32..32).collect();
    for (top, add) in (1..=31).flat_map(|top| (-32..=0).map(move |add| (top, add))) {
        let interval = [IntOp::Clip { top }, affine(1, add)];
        for op in &ops {
            let graph = chain(
                bits,
                1,
                64,
                &[&interval[..], std::slice::from_ref(op)].concat(),
            );
            let graph = graph.expect("it fits");
            let y = run_integer(&graph, &none, &every).expect("it runs");
            let found = Interval {
                low: y.iter().copied().fold(i64::MAX, i64::min),
                high: y.iter().copied().fold(i64::MIN, i64::max),
            };
            assert_eq!(
                graph.output().values,
                found,
                "{op:?} of 0..={top} plus {add}"
            );
        }
    }
}

/// Operations on many values, of numbers that are all positive or all negative: padding is zero, and windows at the
/// border hold fewer values.
#[test]
fn padding_is_in_the_interval() {
    let (shape, rng) = (Shape::new(2, 3, 3), &mut ints::Rng::new(5));
    let windows = [(3, 2, 1), (2, 2, 1), (3, 1, 2), (2, 1, 0)];
    let windows = windows.map(|(kernel, stride, pad)| Window::square(kernel, stride, pad));
    let mut ops = vec![
        IntOp::PadChannels { front: 1, back: 0 },
        IntOp::PadChannels { front: 0, back: 1 },
    ];
    for window in windows {
        ops.extend([IntOp::SumPool { window }, IntOp::MaxPool { window }]);
        for (counts_padding, fraction) in (0..6).flat_map(|f| [(false, f), (true, f)]) {
            ops.extend((1..5).map(|divisor| IntOp::MeanPool {
                window,
                counts_padding,
                divisor,
                fraction,
            }));
        }
        let by = Algorithm::DIRECT;
        ops.push(IntOp::Linear {
            shape: LayerShape::Conv {
                out_channels: 2,
                groups: 1,
                window,
            },
            weight_bits: 4,
            weight_scale: 0,
            by,
        });
    }
    for (top, add) in [(4, 5), (4, -9), (1, 1), (9, -4)] {
        let (clip, scale) = (IntOp::Clip { top }, 0);
        for op in &ops {
            let mut graph = GraphBuilder::new();
            let input = IntOp::Input {
                shape,
                bits: 16,
                scale,
            };
            let mut last = graph.push("input", input, &[]);
            for op in [&clip, &affine(1, add), op, &IntOp::Output] {
                last = graph.push("node", op.clone(), &[last]);
            }
            let graph = graph.finish().expect("it fits");
            let layers = ints::weights(rng, &graph);
            let layers = layers.iter().map(|(node, layer)| {
                let mut layer = layer.clone();
                layer.bias.iter_mut().for_each(|bias| *bias %= 4);
                (node, layer)
            });
            let weights = PrivateWeights::new(&graph, layers.collect()).expect("they fit");
            // The least and the greatest value everywhere, and both in turns.
            for ends in [[-1, -1], [99, 99], [-1, 99]] {
                let input: Vec<i64> = ends.into_iter().cycle().take(shape.len()).collect();
                let y = run_integer(&graph, &weights, &input).expect("it runs");
                let proofs = proved(&graph, &weights, Interval::ring(Bits::of(16)));
                assert_in(graph.output().values, &y, op);
                assert_in(proofs[3].values, &y, op);
            }
        }
    }
}

/// A fast truncation gives the floor without the rounding constant or one more, with shares of every kind.
#[test]
fn intervals_hold_fast_truncations() {
    for (top, add) in (1..=31).flat_map(|top| (-32..=0).map(move |add| (top, add))) {
        for (shift, rounded) in [(1, true), (1, false), (3, true), (3, false)] {
            let cut = IntOp::TruncReduce { shift, rounded };
            let graph = chain(6, 0, 64, &[IntOp::Clip { top }, affine(1, add), cut]);
            let values = graph.expect("it fits").output().values;
            let less = if rounded { 1 << (shift - 1) } else { 0 };
            for x in add..=top + add {
                let fast = (x - less) >> shift;
                let exact = (x - less) & ((1 << shift) - 1) == 0;
                let most = fast + i64::from(!exact);
                // A fast run promises nothing beyond.
                let promised = x - less >= -32 && x <= 32 - (1 << shift);
                let inside = |v: i64| values.low <= v && v <= values.high;
                assert!(inside(x >> shift), "{x} by {shift}");
                assert!(
                    !promised || (inside(fast) && inside(most)),
                    "{x} by {shift}"
                );
            }
        }
    }
}

#[test]
fn half_a_ring_is_found_where_there_is_one() {
    let bits = Bits::of(5);
    for (low, high) in (-16..16_i64).flat_map(|low| (low..16).map(move |high| (low, high))) {
        let interval = Interval { low, high };
        for step in 0..5 {
            let holds = |&from: &i64| from <= low && high < from + 16;
            let multiples = (-16..=0).rev().filter(|n| n % (1 << step) == 0);
            let (none, some) = (
                interval.half_from(bits, step),
                multiples.clone().find(holds),
            );
            assert_eq!(none, some, "{interval:?} in steps of 2^{step}");
        }
        assert_eq!(
            interval.is_within(Interval::half(bits)),
            low >= -8 && high < 8
        );
    }
}

/// 8 bits in a ring of 12, times a weight plus a bias, claimed and extended.
fn claim(weight: i32, bias: i64) -> (IntGraph, Result<PrivateWeights, Error>) {
    let layer = IntOp::Linear {
        shape: LayerShape::Conv {
            out_channels: 1,
            groups: 1,
            window: Window::square(1, 1, 0),
        },
        weight_bits: 8,
        weight_scale: 0,
        by: Algorithm::DIRECT,
    };
    let ops = [
        IntOp::Extend { to: 12 },
        layer,
        IntOp::Claim,
        IntOp::Extend { to: 20 },
    ];
    let graph = chain(8, 0, 4, &ops).expect("it fits");
    let layer = LayerWeights {
        weights: vec![weight],
        bias: vec![bias],
    };
    let weights = PrivateWeights::new(&graph, BTreeMap::from([(2, layer)]));
    (graph, weights)
}

#[test]
fn a_claim_is_proved_or_refused() {
    // −128…127 times the weight plus the bias, in −1024…1023.
    for (weight, bias, holds) in [
        (8, 0, true),
        (8, 7, true),
        (8, 8, false),
        (8, -1, false),
        (-8, -1, true),
        (-8, 0, false),
        (9, 0, false),
        (0, 1023, true),
        (0, 1024, false),
        (0, i64::MIN, false),
        (1, i64::MAX, false),
    ] {
        let (graph, weights) = claim(weight, bias);
        assert_eq!(graph.types()[3].values, Interval::half(Bits::of(12)));
        assert_eq!(weights.is_ok(), holds, "{weight} and {bias}");
        if let Err(error) = weights {
            let said = error.to_string();
            assert!(said.contains("do not prove the claim"), "{said}");
        }
    }
}

/// Of values without weights both parties know what they are: a claim is true, or refused.
#[test]
fn a_claim_that_no_weights_prove_is_refused() {
    let refused = |ops: &[IntOp]| match chain(8, 0, 1, ops) {
        Ok(graph) => panic!("accepted: {graph:?}"),
        Err(error) => error.to_string(),
    };
    let said = refused(&[IntOp::Claim]);
    assert!(said.contains("what is not so"), "{said}");
    let said = refused(&[IntOp::Relu, IntOp::Claim, IntOp::Extend { to: 9 }]);
    assert!(said.contains("what is not so"), "{said}");
    // 64…127.
    let said = refused(&[IntOp::Clip { top: 63 }, affine(1, 64), IntOp::Claim]);
    assert!(said.contains("what cannot be"), "{said}");
    chain(8, 0, 1, &[IntOp::Clip { top: 63 }, IntOp::Claim]).expect("it is so");
    chain(8, 0, 1, &[IntOp::Extend { to: 9 }, IntOp::Claim]).expect("it is so");
}

/// A stranger's public part is refused in the same way.
#[test]
fn a_false_claim_of_a_stranger_is_refused() {
    let part = |claim: &str| {
        let shape = r#"{"channels":1,"height":1,"width":1}"#;
        let preprocessing = format!(r#"{{"shape":{shape},"mean":["0.5"],"std":["0.5"]}}"#);
        let head = r#""name":"m","arch":"a","head":"softmax","labels":["x"]"#;
        let input = format!(r#"{{"name":"i","op":"input","shape":{shape},"bits":8,"scale":0}}"#);
        let rest = r#"{"name":"o","op":"output","inputs":[1]}"#;
        let graph = format!("[{input},{claim},{rest}]");
        let json = format!(r#"{{{head},"preprocessing":{preprocessing},"graph":{graph}}}"#);
        PublicModel::from_json(json.as_bytes())
    };
    part(r#"{"name":"c","op":"relu","inputs":[0]}"#).expect("a good model");
    let error = part(r#"{"name":"c","op":"claim","inputs":[0]}"#).expect_err("a false claim");
    assert!(error.to_string().contains("what is not so"), "{error}");
}
