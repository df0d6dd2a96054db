//! Operations that move values or gather those under a window, in floats and in integers, against
//! their definitions index by index.

use nets::{
    FloatModel, GraphBuilder, IntOp, Op, Places, PrivateWeights, Shape, Tensors, Window,
    run_integer,
};
use proptest::prelude::*;
use tests::networks::ints::{Rng, picked, reordered};

/// Bits of the integers: more than any sum here needs.
const BITS: u32 = 40;

/// An image of small numbers.
#[derive(Debug)]
struct Image {
    shape: Shape,
    values: Vec<i64>,
}

impl Image {
    fn random(rng: &mut Rng) -> Self {
        let shape = Shape::new(rng.pick(1, 6), rng.pick(1, 6), rng.pick(1, 6));
        let values = (0..shape.len()).map(|_| rng.below(200) - 100).collect();
        Self { shape, values }
    }

    fn at(&self, c: usize, r: usize, q: usize) -> i64 {
        let Shape { height, width, .. } = self.shape;
        self.values[(c * height + r) * width + q]
    }

    /// The values under a window at an output position that are no padding.
    fn under(&self, window: Window, c: usize, r: usize, q: usize) -> Vec<i64> {
        let inside = |first: usize, k: usize, before: usize, size: usize| {
            (first + k).checked_sub(before).filter(|&i| i < size)
        };
        let mut values = Vec::new();
        for kr in 0..window.kernel[0] {
            for kc in 0..window.kernel[1] {
                let r = inside(
                    r * window.stride[0],
                    kr,
                    window.padding[0],
                    self.shape.height,
                );
                let q = inside(
                    q * window.stride[1],
                    kc,
                    window.padding[1],
                    self.shape.width,
                );
                values.extend(r.zip(q).map(|(r, q)| self.at(c, r, q)));
            }
        }
        values
    }

    /// What the float executor makes of it.
    fn floats(&self, ops: &[(Op, &[usize])]) -> (Shape, Vec<f32>) {
        let mut graph = GraphBuilder::new();
        graph.push("input", Op::Input { shape: self.shape }, &[]);
        for (k, (op, inputs)) in ops.iter().enumerate() {
            graph.push(format!("node{k}"), op.clone(), inputs);
        }
        let graph = graph.finish().expect("it fits");
        let x: Vec<f32> = self.values.iter().map(|&v| v as f32).collect();
        let (shape, tensors) = (*graph.output(), Tensors::new());
        (
            shape,
            FloatModel { graph, tensors }.run(&x).expect("it runs"),
        )
    }

    /// What the integer executor makes of it.
    fn integers(&self, ops: &[(IntOp, &[usize])]) -> (Shape, Vec<i64>) {
        let mut graph = GraphBuilder::new();
        let input = IntOp::Input {
            shape: self.shape,
            bits: BITS,
            scale: 0,
        };
        graph.push("input", input, &[]);
        for (k, (op, inputs)) in ops.iter().enumerate() {
            graph.push(format!("node{k}"), op.clone(), inputs);
        }
        graph.push("output", IntOp::Output, &[ops.len()]);
        let graph = graph.finish().expect("it fits");
        let y = run_integer(&graph, &PrivateWeights::default(), &self.values);
        (graph.output().shape, y.expect("it runs"))
    }
}

/// Every place of a shape, in order.
fn places(shape: Shape) -> impl Iterator<Item = (usize, usize, usize)> {
    let Shape {
        channels,
        height,
        width,
    } = shape;
    let rows = (0..channels).flat_map(move |c| (0..height).map(move |r| (c, r)));
    rows.flat_map(move |(c, r)| (0..width).map(move |q| (c, r, q)))
}

fn expected(shape: Shape, value: impl Fn(usize, usize, usize) -> i64) -> (Shape, Vec<i64>) {
    (
        shape,
        places(shape).map(|(c, r, q)| value(c, r, q)).collect(),
    )
}

/// A window that fits, and the shape of what it gives.
fn window(rng: &mut Rng, shape: Shape) -> (Window, Shape) {
    let sides = [shape.height, shape.width];
    let kernel = sides.map(|side| rng.pick(1, side.min(3)));
    let stride = [rng.pick(1, 3), rng.pick(1, 3)];
    let mut pad = |axis: usize| rng.pick(0, kernel[axis] - 1);
    let padding = [pad(0), pad(1), pad(0), pad(1)];
    let count = |axis: usize| {
        let room = sides[axis] + padding[axis] + padding[axis + 2] - kernel[axis];
        room / stride[axis] + 1
    };
    let out = Shape::new(shape.channels, count(0), count(1));
    let dilation = [1; 2];
    (
        Window {
            kernel,
            stride,
            padding,
            dilation,
        },
        out,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn values_are_moved_by_definition(seed: u64) {
        let rng = &mut Rng::new(seed);
        let image = Image::random(rng);
        let Shape { channels, height, width } = image.shape;
        let stride = rng.pick(1, 4);
        let (front, back) = (rng.pick(0, 2), rng.pick(0, 2));
        let groups = *[1, channels].get(rng.pick(0, 1)).expect("two");
        let groups = if channels % 2 == 0 { 2 } else { groups };
        let start = rng.pick(0, channels - 1);
        let some = rng.pick(1, channels - start);
        let [at, down, right] = picked(rng, image.shape);
        let list = |places: &Places, size| places.iter(size).collect::<Vec<_>>();
        let taken = [list(&at, channels), list(&down, height), list(&right, width)];
        let (order, turned) = reordered(rng, image.shape);
        let sizes = order.map(|axis| [channels, height, width][axis]);
        let cases = [
            (
                Op::Pick { channels: at.clone(), rows: down.clone(), columns: right.clone() },
                IntOp::Pick { channels: at, rows: down, columns: right },
                expected(
                    Shape::new(taken[0].len(), taken[1].len(), taken[2].len()),
                    |c, r, q| match (taken[0][c], taken[1][r], taken[2][q]) {
                        (Some(c), Some(r), Some(q)) => image.at(c, r, q),
                        _ => 0,
                    },
                ),
            ),
            (
                Op::Reorder { order, shape: turned },
                IntOp::Reorder { order, shape: turned },
                expected(turned, |c, r, q| {
                    let number = (c * turned.height + r) * turned.width + q;
                    let plane = sizes[1] * sizes[2];
                    let place = [number / plane, number / sizes[2] % sizes[1], number % sizes[2]];
                    let mut from = [0; 3];
                    (0..3).for_each(|k| from[order[k]] = place[k]);
                    image.at(from[0], from[1], from[2])
                }),
            ),
            (
                Op::Subsample { stride },
                IntOp::Subsample { stride },
                expected(
                    Shape::new(channels, height.div_ceil(stride), width.div_ceil(stride)),
                    |c, r, q| image.at(c, r * stride, q * stride),
                ),
            ),
            (
                Op::PadChannels { front, back },
                IntOp::PadChannels { front, back },
                expected(Shape::new(front + channels + back, height, width), |c, r, q| {
                    if (front..front + channels).contains(&c) { image.at(c - front, r, q) } else { 0 }
                }),
            ),
            (
                Op::ChannelShuffle { groups },
                IntOp::ChannelShuffle { groups },
                // Channel g·n + i of n in each group becomes channel i·groups + g.
                expected(image.shape, |c, r, q| {
                    image.at(c % groups * (channels / groups) + c / groups, r, q)
                }),
            ),
            (
                Op::Slice { start, channels: some },
                IntOp::Slice { start, channels: some },
                expected(Shape::new(some, height, width), |c, r, q| image.at(start + c, r, q)),
            ),
            (
                Op::Flatten,
                IntOp::Flatten,
                expected(Shape::vector(image.values.len()), |i, _, _| image.values[i]),
            ),
            (
                Op::Add,
                IntOp::Add,
                expected(image.shape, |c, r, q| 2 * image.at(c, r, q)),
            ),
        ];
        for (float, int, (shape, values)) in cases {
            let inputs: &[usize] = if float == Op::Add { &[0, 0] } else { &[0] };
            let floats: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            prop_assert_eq!(image.floats(&[(float.clone(), inputs)]), (shape, floats), "{:?}", float);
            prop_assert_eq!(image.integers(&[(int, inputs)]), (shape, values), "{:?}", float);
        }
        // One after the other, and one of them twice.
        let part = (Op::Slice { start, channels: some }, &[0][..]);
        let int_part = (IntOp::Slice { start, channels: some }, &[0][..]);
        let joined = expected(Shape::new(2 * some + channels, height, width), |c, r, q| {
            match c.checked_sub(some) {
                None => image.at(start + c, r, q),
                Some(c) if c < channels => image.at(c, r, q),
                Some(c) => image.at(start + c - channels, r, q),
            }
        });
        let floats = joined.1.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        prop_assert_eq!(image.floats(&[part, (Op::Concat, &[1, 0, 1])]), (joined.0, floats));
        prop_assert_eq!(image.integers(&[int_part, (IntOp::Concat, &[1, 0, 1])]), joined);
    }

    #[test]
    fn windows_are_gathered_by_definition(seed: u64, counts_padding: bool) {
        let rng = &mut Rng::new(seed);
        let image = Image::random(rng);
        let (window, out) = window(rng, image.shape);
        let under = |c, r, q| image.under(window, c, r, q);
        let most = expected(out, |c, r, q| under(c, r, q).into_iter().max().expect("no window is all padding"));
        let floats = most.1.iter().map(|&v| v as f32).collect();
        prop_assert_eq!(image.integers(&[(IntOp::MaxPool { window }, &[0])]), most);
        prop_assert_eq!(image.floats(&[(Op::MaxPool { window }, &[0])]), (out, floats));

        let sum = expected(out, |c, r, q| under(c, r, q).into_iter().sum());
        let sums = image.integers(&[(IntOp::SumPool { window }, &[0])]);
        prop_assert_eq!(&sums, &sum);

        let count = |(c, r, q)| if counts_padding { window.area() } else { under(c, r, q).len() };
        let counts: Vec<usize> = places(out).map(count).collect();
        let (shape, means) = image.floats(&[(Op::AvgPool { window, counts_padding }, &[0])]);
        prop_assert_eq!(shape, out);
        for ((mean, sum), &count) in means.iter().zip(&sum.1).zip(&counts) {
            prop_assert!((f64::from(*mean) - *sum as f64 / count as f64).abs() < 1e-4);
        }
        let (divisor, fraction) = (1 + rng.next() % 5, rng.bits(0, 20));
        let mean = IntOp::MeanPool { window, counts_padding, divisor, fraction };
        let means = sum.1.iter().zip(&counts).map(|(sum, &count)| {
            // 2^fraction / n, rounded half up.
            let n = i64::try_from(divisor).expect("small") * i64::try_from(count).expect("small");
            sum * ((2_i64 << fraction) + n).div_euclid(2 * n)
        });
        prop_assert_eq!(image.integers(&[(mean, &[0])]), (out, means.collect()));
    }

    #[test]
    fn the_mean_of_a_plane_is_one_value(seed: u64) {
        let image = Image::random(&mut Rng::new(seed));
        let (shape, means) = image.floats(&[(Op::GlobalAvgPool, &[0])]);
        prop_assert_eq!(shape, Shape::vector(image.shape.channels));
        for (mean, plane) in means.iter().zip(image.values.chunks(image.shape.plane())) {
            let exact = plane.iter().sum::<i64>() as f64 / plane.len() as f64;
            prop_assert!((f64::from(*mean) - exact).abs() < 1e-4);
        }
    }
}

/// Pools have no gaps; a graph that says so is refused instead of computed without them.
#[test]
fn pools_with_gaps_are_refused() {
    let window = Window {
        dilation: [1, 2],
        ..Window::square(2, 1, 0)
    };
    let counts_padding = true;
    let shape = Shape::new(1, 5, 5);
    for op in [
        Op::MaxPool { window },
        Op::AvgPool {
            window,
            counts_padding,
        },
    ] {
        let mut graph = GraphBuilder::new();
        graph.push("input", Op::Input { shape }, &[]);
        graph.push("pool", op, &[0]);
        let error = graph.finish().expect_err("gaps").to_string();
        assert_eq!(error, "layer `pool`: pools are not dilated");
    }
    let mean = IntOp::MeanPool {
        window,
        counts_padding,
        divisor: 1,
        fraction: 0,
    };
    for op in [IntOp::MaxPool { window }, IntOp::SumPool { window }, mean] {
        let mut graph = GraphBuilder::new();
        let input = IntOp::Input {
            shape,
            bits: 8,
            scale: 0,
        };
        graph.push("input", input, &[]);
        graph.push("pool", op, &[0]);
        graph.push("output", IntOp::Output, &[1]);
        let error = graph.finish().expect_err("gaps").to_string();
        assert_eq!(error, "layer `pool`: pools are not dilated");
    }
}
