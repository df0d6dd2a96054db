//! The lowering and its clear evaluation, against the definition and against the dense convolution
//! of which every member is a special case; and the secure form against the clear one.

use channel::{Cost, Role};
use linear::{Conv2d, ConvSpec, clear::conv2d};
use ndarray::{Array4, Axis, concatenate, s};
use nonlinear::TruncFaithful;
use proptest::prelude::*;
use rand_core::Rng;
use ring_arith::Bits;
use sharing::{Session, default_extension};
use testkit::{elements, reconstruct, rng, run_sessions, share};
use xop::clear::{Weights, evaluate};
use xop::{Error, Operation, Spatial, Warning, XOp};

/// Operators of up to 12 channels, and an input's rows and columns.
fn any() -> impl Strategy<Value = (XOp, [usize; 2])> {
    let channels = (1usize..4, 1usize..5, 1usize..5);
    (channels, 1usize..6, 1usize..4, 0usize..4, [1usize..9, 1..9]).prop_map(
        |((g, a, b), k, stride, r, input)| {
            let op = XOp::new([g * a, g * b], k, stride, Spatial::ALL[r], g);
            (op.expect("possible"), input)
        },
    )
}

fn image([c, h, w]: [usize; 3], values: Vec<u64>) -> Array4<u64> {
    Array4::from_shape_vec((1, c, h, w), values).expect("the length fits")
}

/// Depthwise and 1 × 1 weights of so many bits.
fn weights(op: &XOp, bits: Bits, rng: &mut impl Rng) -> [Array4<i32>; 2] {
    let ([c_in, c_out], k) = (op.channels(), op.kernel());
    let mut draw = || i32::try_from(bits.to_signed(rng.next_u64())).expect("narrow");
    let depthwise = (op.spatial().channels(c_in), 1, k, k);
    let pointwise = (c_out, c_in / op.groups(), 1, 1);
    [depthwise, pointwise].map(|shape| Array4::from_shape_simple_fn(shape, &mut draw))
}

/// The channel at place `i` of a shuffle of `c` channels in `groups`.
fn shuffled(i: usize, c: usize, groups: usize) -> usize {
    i % groups * (c / groups) + i / groups
}

/// The channel of the input at place `i` after the first shuffle.
fn source(i: usize, c: usize) -> usize {
    if c.is_multiple_of(2) {
        shuffled(i, c, 2)
    } else {
        i
    }
}

/// The definition, output by output, on integers that do not overflow.
fn naive(op: &XOp, shift: u32, [dw, pw]: &[Array4<i32>; 2], x: &Array4<i64>) -> Array4<i64> {
    let ([c_in, c_out], k, stride) = (op.channels(), op.kernel(), op.stride());
    let (_, _, height, width) = x.dim();
    let [rows, columns] = op.output([height, width]);
    let seen = op.spatial().channels(c_in);
    let before = (k - 1) / 2;
    let middle = |i: usize, y: usize, q: usize| {
        let plane = x.slice(s![0, source(i, c_in), .., ..]);
        if i >= seen {
            return plane[(y * stride, q * stride)];
        }
        let mut sum = 0;
        for (r, t) in (0..k).flat_map(|r| (0..k).map(move |t| (r, t))) {
            let at = (
                (y * stride + r).wrapping_sub(before),
                (q * stride + t).wrapping_sub(before),
            );
            sum += plane.get(at).map_or(0, |v| v * i64::from(dw[(i, 0, r, t)]));
        }
        if shift == 0 {
            return sum;
        }
        (sum + (1 << (shift - 1))).div_euclid(1 << shift)
    };
    let (m, n) = (c_out / op.groups(), c_in / op.groups());
    Array4::from_shape_fn((1, c_out, rows, columns), |(_, place, y, q)| {
        let o = shuffled(place, c_out, op.groups());
        let term = |c: usize| i64::from(pw[(o, c, 0, 0)]) * middle(o / m * n + c, y, q);
        (0..n).map(term).sum()
    })
}

/// The weights of the dense convolution that an operator without rescale is.
fn dense(op: &XOp, [dw, pw]: &[Array4<i32>; 2]) -> Array4<i32> {
    let ([c_in, c_out], k) = (op.channels(), op.kernel());
    let seen = op.spatial().channels(c_in);
    let (m, n) = (c_out / op.groups(), c_in / op.groups());
    let mut weights = Array4::zeros((c_out, c_in, k, k));
    for (place, i) in (0..c_out).flat_map(|o| (0..c_in).map(move |i| (o, i))) {
        let o = shuffled(place, c_out, op.groups());
        if o / m != i / n {
            continue;
        }
        let mix = pw[(o, i % n, 0, 0)];
        for (r, t) in (0..k).flat_map(|r| (0..k).map(move |t| (r, t))) {
            let centre = r == (k - 1) / 2 && t == (k - 1) / 2;
            let own = if i < seen {
                dw[(i, 0, r, t)]
            } else {
                i32::from(centre)
            };
            weights[(place, source(i, c_in), r, t)] = mix * own;
        }
    }
    weights
}

/// The convolution that the operator replaces.
fn replaced(op: &XOp, input: [usize; 2]) -> ConvSpec {
    let (k, stride) = (op.kernel(), op.stride());
    let (before, after) = ((k - 1) / 2, k / 2);
    let padding = [before, before, after, after];
    ConvSpec::new(op.channels(), input, [k; 2], [stride; 2], padding, 1).expect("possible")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn evaluation_is_the_definition((op, input) in any(), shift in 0u32..8, seed: u64) {
        let (bits, rng) = (Bits::of(40), &mut rng(seed));
        let weights = weights(&op, Bits::of(8), rng);
        let shape = [op.channels()[0], input[0], input[1]];
        let narrow = Bits::of(10);
        let x = image(shape, elements(shape.iter().product(), narrow, rng));
        let x = x.mapv(|x| narrow.to_signed(x));
        let both = Weights { depthwise: weights[0].view(), pointwise: weights[1].view() };
        let found = evaluate(&op, bits, shift, both, x.mapv(|x| bits.from_signed(x)).view());
        let found = found.expect("it lowers").mapv(|y| bits.to_signed(y));
        prop_assert_eq!(found, naive(&op, shift, &weights, &x));
    }

    #[test]
    fn without_a_rescale_it_is_a_dense_convolution((op, input) in any(), l in 1u32..=64, seed: u64) {
        let (bits, rng) = (Bits::of(l), &mut rng(seed));
        let weights = weights(&op, Bits::of(12), rng);
        let spec = replaced(&op, input);
        let x = image(spec.input_shape(), elements(spec.input_len(), bits, rng));
        let both = Weights { depthwise: weights[0].view(), pointwise: weights[1].view() };
        let found = evaluate(&op, bits, 0, both, x.view()).expect("it lowers");
        prop_assert_eq!(found, conv2d(&spec, bits, dense(&op, &weights).view(), x.view()));
        let [depthwise, pointwise] = op.weights();
        prop_assert_eq!((depthwise, pointwise), (weights[0].len(), weights[1].len()));
    }
}

/// The steps on a share; x is in the ring `bits`, and so is what comes out.
fn secure(
    s: &mut Session,
    op: &XOp,
    [bits, weight_bits]: [Bits; 2],
    rescale: &TruncFaithful,
    shift: u32,
    [dw, pw]: &[Array4<i32>; 2],
    x: &Array4<u64>,
) -> Array4<u64> {
    let server = s.role() == Role::Server;
    let conv = |s: &mut Session, spec, weights: &Array4<i32>, x: &Array4<u64>| {
        let conv = Conv2d {
            spec,
            weight_bits,
            bits,
        };
        if server {
            conv.run_server(s, weights.view(), x.view()).expect("runs")
        } else {
            conv.run_client(s, x.view()).expect("runs")
        }
    };
    let (_, _, height, width) = x.dim();
    let mut values = vec![x.clone()];
    for step in op.lower([height, width]).expect("it lowers") {
        let x = &values[step.inputs[0]];
        let c = x.dim().1;
        let y = match step.operation {
            Operation::Shuffle { groups } => {
                let order: Vec<_> = (0..c).map(|i| shuffled(i, c, groups)).collect();
                x.select(Axis(1), &order)
            }
            Operation::Slice { start, channels } => {
                let part: Vec<_> = (start..start + channels).collect();
                x.select(Axis(1), &part)
            }
            Operation::Depthwise(spec) => conv(s, spec, dw, x),
            Operation::Pointwise(spec) => conv(s, spec, pw, x),
            Operation::Rescale => {
                let half = if server { (1 << shift) >> 1 } else { 0 };
                let x = x.mapv(|x| bits.reduce(x.wrapping_add(half)));
                let flat = x.as_slice().expect("fresh");
                let y = s.run(async |party| rescale.run(party, flat).await);
                let y = y.expect("runs");
                Array4::from_shape_vec(x.dim(), y).expect("as many")
            }
            Operation::Subsample { stride } => x.slice(s![.., .., ..;stride, ..;stride]).to_owned(),
            Operation::Concat => {
                let parts: Vec<_> = step.inputs.iter().map(|&i| values[i].view()).collect();
                concatenate(Axis(1), &parts).expect("one size")
            }
        };
        values.push(y.as_standard_layout().into_owned());
    }
    values.pop().expect("the input at least")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn secure_is_clear((op, input) in any(), l in 8u32..=40, shift in 1u32..8, seed: u64) {
        let (bits, weight_bits) = (Bits::of(l), Bits::of(7));
        let rng = &mut rng(seed);
        let weights = weights(&op, weight_bits, rng);
        let shape = [op.channels()[0], input[0], input[1]];
        let x = elements(shape.iter().product(), bits, rng);
        let (xs, xc) = share(&x, bits, rng);
        let rescale = TruncFaithful::new(bits, shift, default_extension().price());
        let widths = [bits, weight_bits];
        let run = |s: &mut Session, x: &[u64]| {
            let x = image(shape, x.to_vec());
            secure(s, &op, widths, &rescale, shift, &weights, &x)
        };
        let (ys, yc, measured) = run_sessions(seed, |s| run(s, &xs), |s| run(s, &xc));
        let both = Weights { depthwise: weights[0].view(), pointwise: weights[1].view() };
        let y = evaluate(&op, bits, shift, both, image(shape, x).view()).expect("it lowers");
        let flat = |y: &Array4<u64>| y.iter().copied().collect::<Vec<_>>();
        prop_assert_eq!(reconstruct(&flat(&ys), &flat(&yc), bits), flat(&y));

        let mut planned = Cost::none();
        let mut truncated = 0;
        for step in op.lower(input).expect("it lowers") {
            let cost = match step.operation {
                Operation::Depthwise(spec) | Operation::Pointwise(spec) => {
                    truncated = spec.output_len();
                    Conv2d { spec, weight_bits, bits }.cost().expect("countable")
                }
                Operation::Rescale => rescale.rounds(truncated).cost(),
                _ => Cost::none(),
            };
            planned = planned.then(cost);
        }
        prop_assert_eq!(measured, planned);
    }
}

#[test]
fn shapes_are_those_of_the_convolution() {
    for (k, stride) in (1..=7).flat_map(|k| (1..=4).map(move |s| (k, s))) {
        for (r, side) in Spatial::ALL
            .into_iter()
            .flat_map(|r| [(r, 1), (r, 8), (r, 9)])
        {
            let op = XOp::new([6, 4], k, stride, r, 2).expect("possible");
            let [_, height, width] = replaced(&op, [side, 9]).output_shape();
            assert_eq!(op.output([side, 9]), [height, width]);
            let steps = op.lower([side, 9]).expect("it lowers");
            let shape = steps.iter().rev().find_map(|step| match step.operation {
                Operation::Pointwise(spec) => Some(spec.output_shape()),
                _ => None,
            });
            assert_eq!(shape, Some([4, height, width]));
        }
    }
}

/// What `XOp` of `training/xop.py` gives in PyTorch 2.15 for weights and input i·7 mod 11 − 5.
#[test]
fn pytorchs_answers() {
    let values = |n: usize| (0..i32::try_from(n).expect("small")).map(|i| i * 7 % 11 - 5);
    let known: [(XOp, &[i64]); 2] = [
        (
            XOp::new([8, 4], 3, 2, Spatial::Quarter, 4).expect("possible"),
            &[
                9, -114, -34, 41, -19, -10, -25, -16, -14, 13, -10, -16, 20, -12, 12, -20,
            ],
        ),
        (
            XOp::new([5, 6], 3, 1, Spatial::Half, 1).expect("possible"),
            &[
                25, 35, -93, -28, -410, 5, -166, -161, 20, -176, -28, 34, -88, 178, -128, -80,
                -172, -91, -155, -28, -69, -68, 0, -79, 173, -317, 123, 187, -319, 187, 142, -247,
                205, 95, -71, 182, 104, -130, 11, 179, -37, 14, 197, -70, 39, 247, -120, 113, -53,
                -31, 141, -148, 333, 83, -56, 173, 27, -217, 150, -77, -111, 123, 73, -156, 571,
                -57, -12, 295, -117, -87, 156, -135,
            ],
        ),
    ];
    for (op, expected) in known {
        let bits = Bits::of(32);
        let ([c_in, c_out], k) = (op.channels(), op.kernel());
        let array = |shape: [usize; 4]| {
            let n = shape.iter().product();
            Array4::from_shape_vec(shape, values(n).collect()).expect("as many")
        };
        let dw = array([op.spatial().channels(c_in), 1, k, k]);
        let pw = array([c_out, c_in / op.groups(), 1, 1]);
        let x = array([1, c_in, 4, 3]).mapv(|x: i32| bits.from_signed(x.into()));
        let both = Weights {
            depthwise: dw.view(),
            pointwise: pw.view(),
        };
        let y = evaluate(&op, bits, 0, both, x.view()).expect("it lowers");
        let y: Vec<i64> = y.iter().map(|&y| bits.to_signed(y)).collect();
        assert_eq!(y, expected, "{op:?}");
    }
}

#[test]
fn what_cannot_be_says_what_would_work() {
    let text = |result: Result<XOp, Error>| result.expect_err("impossible").to_string();
    assert_eq!(
        text(XOp::new([96, 10], 3, 1, Spatial::Half, 4)),
        "4 groups do not divide 96 input and 10 output channels; 1, 2 would"
    );
    assert_eq!(
        text(XOp::new([4, 4], 3, 0, Spatial::Half, 1)),
        "the stride of an X-operator must not be zero"
    );
    assert!(matches!(
        XOp::new([4, 0], 3, 1, Spatial::Half, 1),
        Err(Error::Zero { .. })
    ));
    let op = XOp::new([4, 4], 3, 1, Spatial::Half, 1).expect("possible");
    assert!(matches!(op.lower([0, 3]), Err(Error::Linear(_))));
    assert!(matches!(
        op.lower([1 << 40, 1 << 40]),
        Err(Error::Linear(_))
    ));
    for bad in ["1/3", "0.5", "", "2"] {
        assert!(matches!(bad.parse::<Spatial>(), Err(Error::Spatial { .. })));
    }
    for r in Spatial::ALL {
        assert_eq!(r.to_string().parse::<Spatial>().expect("its own name"), r);
        let [numerator, denominator] = r.ratio();
        for c in 0..100 {
            assert_eq!(r.channels(c), (c * numerator).div_ceil(denominator));
        }
    }
}

#[test]
fn one_pixel_warns() {
    let warning = |k, r| XOp::new([4, 4], k, 1, r, 1).expect("possible").warning();
    assert_eq!(
        warning(3, Spatial::Zero),
        Some(Warning::OnePixel { kernel: 3 })
    );
    assert_eq!(warning(1, Spatial::Zero), None);
    assert_eq!(warning(3, Spatial::Quarter), None);
}
