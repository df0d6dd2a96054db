//! Products with weights against loops that are written down as the definition says, gaps between
//! the inputs under the window included; and what no executor is to see.

use std::collections::BTreeMap;

use nets::{
    Algorithm, Error, FloatModel, GraphBuilder, IntGraph, IntOp, LayerShape, LayerWeights, Op,
    PrivateWeights, Shape, Tensor, Tensors, Window, run_integer,
};
use proptest::prelude::*;
use tests::networks::ints::Rng;

/// A convolution that fits, and its input.
#[derive(Clone, Copy, Debug)]
struct Conv {
    x: Shape,
    out_channels: usize,
    groups: usize,
    window: Window,
}

impl Conv {
    fn random(rng: &mut Rng) -> Self {
        let groups = rng.pick(1, 3);
        let mut pair = |low, high| [rng.pick(low, high), rng.pick(low, high)];
        let (kernel, stride, dilation) = (pair(1, 3), pair(1, 3), pair(1, 3));
        let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilation[axis] + 1);
        let mut pad = |axis: usize| rng.pick(0, reach[axis] - 1);
        let padding = [pad(0), pad(1), pad(0), pad(1)];
        // The smallest plane that the padded kernel fits, or a larger one.
        let side = |axis: usize| {
            let padded = padding[axis] + padding[axis + 2];
            (reach[axis].saturating_sub(padded)).max(1)
        };
        let [height, width] = [side(0), side(1)];
        let x = Shape::new(
            groups * rng.pick(1, 2),
            height + rng.pick(0, 4),
            width + rng.pick(0, 4),
        );
        Self {
            x,
            out_channels: groups * rng.pick(1, 3),
            groups,
            window: Window {
                kernel,
                stride,
                padding,
                dilation,
            },
        }
    }

    fn weights(&self) -> [usize; 4] {
        let [rows, columns] = self.window.kernel;
        [
            self.out_channels,
            self.x.channels / self.groups,
            rows,
            columns,
        ]
    }

    /// Rows and columns of the result: as many as there are places for the kernel.
    fn sides(&self) -> [usize; 2] {
        let w = &self.window;
        [(0, self.x.height), (1, self.x.width)].map(|(axis, size)| {
            let reach = (w.kernel[axis] - 1) * w.dilation[axis];
            let padded = size + w.padding[axis] + w.padding[axis + 2];
            (0..padded)
                .step_by(w.stride[axis])
                .filter(|first| first + reach < padded)
                .count()
        })
    }

    /// Calls `term(output, weight, input)` with the places of every product.
    fn each(&self, mut term: impl FnMut(usize, usize, usize)) {
        let [out, per_group, rows, columns] = self.weights();
        let ([height, width], w) = (self.sides(), &self.window);
        for o in 0..out {
            let first = o / (out / self.groups) * per_group;
            for (r, c) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                for i in 0..per_group {
                    for (kr, kc) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                        let down = r * w.stride[0] + kr * w.dilation[0];
                        let right = c * w.stride[1] + kc * w.dilation[1];
                        let (Some(down), Some(right)) = (
                            down.checked_sub(w.padding[0]),
                            right.checked_sub(w.padding[1]),
                        ) else {
                            continue;
                        };
                        if down < self.x.height && right < self.x.width {
                            let input = ((first + i) * self.x.height + down) * self.x.width + right;
                            let weight = ((o * per_group + i) * rows + kr) * columns + kc;
                            term((o * height + r) * width + c, weight, input);
                        }
                    }
                }
            }
        }
    }

    fn outputs(&self) -> usize {
        self.out_channels * self.sides().iter().product::<usize>()
    }
}

/// Eighths in -16..16: every product and sum of a test is exact.
fn eighths(rng: &mut Rng, n: usize) -> Vec<f32> {
    let value = |_| f32::from(i16::try_from(rng.below(256) - 128).expect("small")) / 8.0;
    (0..n).map(value).collect()
}

fn words(rng: &mut Rng, n: usize) -> Vec<i64> {
    (0..n).map(|_| rng.next().cast_signed()).collect()
}

/// The signed number of so many bits that is congruent to this one.
fn wrapped(x: i128, bits: u32) -> i64 {
    let top = 1_i128 << (bits - 1);
    i64::try_from((x + top).rem_euclid(2 * top) - top).expect("at most 64 bits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn floats_are_convolved_by_definition(seed: u64, biased: bool) {
        let rng = &mut Rng::new(seed);
        let conv = Conv::random(rng);
        let (x, weights) = (eighths(rng, conv.x.len()), conv.weights());
        let w = eighths(rng, weights.iter().product());
        let bias = eighths(rng, conv.out_channels);
        let plane = conv.outputs() / conv.out_channels;
        let start = |i: usize| if biased { bias[i / plane] } else { 0.0 };
        let mut expected: Vec<f32> = (0..conv.outputs()).map(start).collect();
        conv.each(|out, weight, input| expected[out] += w[weight] * x[input]);

        let mut tensors = Tensors::new();
        tensors.insert("w", Tensor::new(weights.to_vec(), w));
        tensors.insert("b", Tensor::new(vec![conv.out_channels], bias));
        let mut graph = GraphBuilder::new();
        graph.push("input", Op::Input { shape: conv.x }, &[]);
        let op = Op::Conv2d {
            out_channels: conv.out_channels,
            groups: conv.groups,
            window: conv.window,
            weight: "w".into(),
            bias: biased.then(|| "b".into()),
        };
        graph.push("conv", op, &[0]);
        let graph = graph.finish().expect("it fits");
        let [height, width] = conv.sides();
        prop_assert_eq!(*graph.output(), Shape::new(conv.out_channels, height, width));
        prop_assert_eq!(FloatModel { graph, tensors }.run(&x).expect("it runs"), expected, "{:?}", conv);
    }

    #[test]
    fn integers_are_convolved_by_definition(seed: u64, by_place: bool, bits in 2_u32..=58, guard in 0_u32..=6) {
        let rng = &mut Rng::new(seed);
        let conv = Conv::random(rng);
        let weight_bits = rng.bits(2, bits.min(16));
        let top = 1_i64 << (weight_bits - 1);
        let count: usize = conv.weights().iter().product();
        let biases = if by_place { conv.outputs() } else { conv.out_channels };
        let layer = LayerWeights {
            weights: (0..count).map(|_| i32::try_from(rng.below(2 * top) - top).expect("small")).collect(),
            bias: words(rng, biases),
        };
        let x: Vec<i64> = words(rng, conv.x.len()).iter().map(|&v| wrapped(v.into(), bits)).collect();
        let per_bias = conv.outputs() / biases;
        let mut expected: Vec<i128> = (0..conv.outputs()).map(|i| layer.bias[i / per_bias].into()).collect();
        conv.each(|out, weight, input| expected[out] += i128::from(layer.weights[weight]) * i128::from(x[input]));
        // Guard bits: so many times larger in a ring that is wider.
        let expected: Vec<i64> = expected.iter().map(|&y| wrapped(y << guard, bits + guard)).collect();

        let shape = LayerShape::Conv { out_channels: conv.out_channels, groups: conv.groups, window: conv.window };
        let graph = one(conv.x, bits, shape, weight_bits, Algorithm::named("some", guard)).expect("it fits");
        let out = graph.output();
        prop_assert_eq!((out.bits().get(), out.fixed.scale), (bits + guard, 5 + guard.cast_signed()));
        let weights = PrivateWeights::new(&graph, BTreeMap::from([(1, layer)])).expect("they fit");
        prop_assert_eq!(run_integer(&graph, &weights, &x).expect("it runs"), expected, "{:?}", conv);
    }
}

/// One product of an input at scale 2 with weights at scale 3, and nothing else.
fn one(
    x: Shape,
    bits: u32,
    shape: LayerShape,
    weight_bits: u32,
    by: Algorithm,
) -> Result<IntGraph, Error> {
    let mut graph = GraphBuilder::new();
    let input = IntOp::Input {
        shape: x,
        bits,
        scale: 2,
    };
    let product = IntOp::Linear {
        shape,
        weight_bits,
        weight_scale: 3,
        by,
    };
    graph.push("input", input, &[]);
    graph.push("product", product, &[0]);
    graph.push("output", IntOp::Output, &[1]);
    graph.finish()
}

fn dense(window: Window) -> LayerShape {
    LayerShape::Conv {
        out_channels: 2,
        groups: 1,
        window,
    }
}

#[test]
fn names_that_nobody_should_see_are_refused() {
    let named = |name| {
        one(
            Shape::new(1, 4, 4),
            20,
            dense(Window::square(3, 1, 1)),
            8,
            Algorithm::named(name, 0),
        )
    };
    // A graph knows no algorithms: any name that may be shown will do.
    for good in ["direct", "x", "winograd-f9x9-3x3", "0123456789"] {
        named(good).expect(good);
    }
    let long: &str = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz0";
    assert_eq!(long.len(), 64);
    named(long).expect("as long as may be");
    let longer: &str = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz01";
    for bad in [
        "",
        "Direct",
        "two words",
        "new\nline",
        "\u{1b}[2J",
        "a_b",
        "größe",
        longer,
    ] {
        let error = named(bad).expect_err(bad).to_string();
        assert!(
            error.contains("`product`") && error.contains("no usable name"),
            "{error}"
        );
        assert!(bad.is_empty() || !error.contains(bad), "{error}");
    }
}

#[test]
fn products_that_do_not_fit_are_refused() {
    let x = Shape::new(2, 4, 4);
    let window = Window::square(3, 1, 1);
    let conv = |out_channels, groups, window| LayerShape::Conv {
        out_channels,
        groups,
        window,
    };
    let by = |guard| Algorithm::named("some", guard);
    one(x, 58, dense(window), 8, by(6)).expect("64 bits");
    let gaps = |dilation| Window { dilation, ..window };
    let wide = 1 << 12;
    for (shape, bits, weight_bits, guard, said) in [
        (dense(window), 59, 8, 6, "guard bits exceed 64"),
        (dense(window), 20, 8, u32::MAX, "guard bits exceed 64"),
        (dense(window), 20, 8, 45, "guard bits exceed 64"),
        (dense(window), 20, 1, 0, "weights of 1 bits"),
        (dense(window), 20, 21, 0, "weights of 21 bits"),
        (dense(window), 40, 32, 0, "weights of 32 bits"),
        (conv(2, 0, window), 20, 8, 0, "0 groups"),
        (conv(3, 2, window), 20, 8, 0, "2 groups do not divide"),
        (conv(3, 3, window), 20, 8, 0, "3 groups do not divide"),
        (conv(0, 1, window), 20, 8, 0, "0 weights"),
        (
            dense(Window::square(wide, 1, 0)),
            20,
            8,
            0,
            "covers more than",
        ),
        (dense(gaps([0, 1])), 20, 8, 0, "lie in 1..="),
        (dense(gaps([1, usize::MAX])), 20, 8, 0, "lie in 1..="),
        (dense(gaps([2, 3])), 20, 8, 0, "a kernel of 7 is larger"),
        (
            dense(Window::square(3, 1, 3)),
            20,
            8,
            0,
            "not below the kernel",
        ),
        (
            LayerShape::FullyConnected { out_features: 2 },
            20,
            8,
            0,
            "it takes a vector",
        ),
    ] {
        let error = one(x, bits, shape, weight_bits, by(guard)).expect_err(said);
        assert!(matches!(error, Error::Width { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}, not {said}");
    }
}

/// Weights are those of the graph: their number, their width, and nothing for nodes without.
#[test]
fn weights_of_another_graph_are_refused() {
    let window = Window::square(1, 1, 0);
    let graph = one(Shape::new(2, 1, 3), 12, dense(window), 4, Algorithm::DIRECT).expect("it fits");
    let layer = |weights: &[i32], biases: usize| LayerWeights {
        weights: weights.to_vec(),
        bias: vec![i64::MIN; biases],
    };
    let new = |layers: &[(usize, LayerWeights)]| {
        PrivateWeights::new(&graph, layers.iter().cloned().collect())
    };
    for biases in [2, 6] {
        new(&[(1, layer(&[7, -8, 0, 1], biases))]).expect("they fit");
    }
    for layers in [
        &[][..],
        &[(0, layer(&[7, -8, 0, 1], 2))],
        &[(9, layer(&[7, -8, 0, 1], 2))],
        &[(1, layer(&[7, -8, 0], 2))],
        &[(1, layer(&[7, -8, 0, 1], 3))],
        &[(1, layer(&[8, -8, 0, 1], 2))],
        &[(1, layer(&[7, -9, 0, 1], 2))],
        &[(1, layer(&[7, -8, 0, 1], 2)), (2, layer(&[], 0))],
    ] {
        let error = new(layers).expect_err("not its weights");
        assert!(matches!(error, Error::Weights { .. }), "{error}");
    }
    let weights = new(&[(1, layer(&[7, -8, 0, 1], 2))]).expect("they fit");
    for n in [0, 5, 7] {
        let error = run_integer(&graph, &weights, &vec![0; n]).expect_err("six values");
        assert_eq!(
            error.to_string(),
            format!("the network takes 6 input values, and {n} are given")
        );
    }
    assert!(!format!("{weights:?}").contains('7'), "weights are secret");
}

/// A file that says nothing of gaps has none, and of an algorithm the direct one.
#[test]
fn what_is_usual_is_not_written() {
    let plain = one(
        Shape::new(1, 5, 5),
        12,
        dense(Window::square(2, 1, 1)),
        4,
        Algorithm::DIRECT,
    );
    let window = Window {
        dilation: [2, 1],
        ..Window::square(2, 1, 1)
    };
    let unusual = one(
        Shape::new(1, 5, 5),
        12,
        dense(window),
        4,
        Algorithm::named("other", 3),
    );
    for (graph, written) in [(plain, false), (unusual, true)] {
        let graph = graph.expect("it fits");
        let json = serde_json::to_string(&graph).expect("JSON");
        for word in ["dilation", "guard_bits"] {
            assert_eq!(json.contains(word), written, "{json}");
        }
        assert_eq!(
            serde_json::from_str::<IntGraph>(&json).expect("it reads"),
            graph
        );
    }
}
