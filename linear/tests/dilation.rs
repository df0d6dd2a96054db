//! Dilated convolutions, exhaustively on small windows, against the definition on an image that is
//! padded first.

use linear::{Conv2d, ConvSpec, Error, clear};
use ndarray::{Array2, Array4, s};
use ring_arith::Bits;
use testkit::{elements, rng};

/// One axis of a convolution.
#[derive(Clone, Copy, Debug)]
struct Axis {
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
}

impl Axis {
    /// All with sizes and steps up to these, and paddings below `paddings`.
    fn all(
        input: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
        paddings: usize,
    ) -> Vec<Self> {
        let mut all = Vec::new();
        let sizes = (1..=input).flat_map(|i| (1..=kernel).map(move |k| (i, k)));
        for (input, kernel) in sizes {
            for (stride, dilation) in (1..=stride).flat_map(|s| (1..=dilation).map(move |d| (s, d)))
            {
                for (before, after) in
                    (0..paddings).flat_map(|b| (0..paddings).map(move |a| (b, a)))
                {
                    all.push(Self {
                        input,
                        kernel,
                        stride,
                        dilation,
                        before,
                        after,
                    });
                }
            }
        }
        all
    }

    fn padded(&self) -> usize {
        self.before + self.input + self.after
    }

    /// From the first to the last input under the kernel.
    fn reach(&self) -> usize {
        (1..self.kernel).fold(1, |reach, _| reach + self.dilation)
    }

    /// Positions of the kernel that lie in the padded input.
    fn outputs(&self) -> usize {
        let starts = (0..self.padded()).step_by(self.stride);
        starts
            .filter(|start| start + self.reach() <= self.padded())
            .count()
    }
}

/// From one channel to `channels`.
fn spec(down: Axis, right: Axis, channels: usize) -> Result<ConvSpec, Error> {
    let spec = ConvSpec::new(
        [1, channels],
        [down.input, right.input],
        [down.kernel, right.kernel],
        [down.stride, right.stride],
        [down.before, right.before, down.after, right.after],
        1,
    )?;
    spec.dilated([down.dilation, right.dilation])
}

/// One channel of the definition: the products of a weight are a strided part of the padded image.
fn definition(down: Axis, right: Axis, weights: &Array2<i32>, image: &Array2<u64>) -> Array2<u64> {
    let mut padded = Array2::zeros((down.padded(), right.padded()));
    let middle = s![
        down.before..down.before + down.input,
        right.before..right.before + right.input
    ];
    padded.slice_mut(middle).assign(image);
    let mut y = Array2::zeros((down.outputs(), right.outputs()));
    for ((r, s), &weight) in weights.indexed_iter() {
        for ((i, j), y) in y.indexed_iter_mut() {
            let row = i * down.stride + r * down.dilation;
            let column = j * right.stride + s * right.dilation;
            let product = i64::from(weight).cast_unsigned() * padded[(row, column)];
            *y = product.wrapping_add(*y);
        }
    }
    y
}

/// Small enough that no product wraps before the sum does.
fn operands(down: Axis, right: Axis, channels: usize) -> (Array4<i32>, Array4<u64>) {
    let weights =
        Array4::from_shape_fn((channels, 1, down.kernel, right.kernel), |(o, _, r, s)| {
            i32::try_from(1 + s + 5 * r + 23 * o).expect("small")
        });
    let values = elements(down.input * right.input, Bits::of(40), &mut rng(1));
    let x = Array4::from_shape_vec((1, 1, down.input, right.input), values);
    (weights, x.expect("the length fits"))
}

/// The shape, the clear convolution and its products; or the refusal.
fn check(down: Axis, right: Axis) -> bool {
    let fits = down.reach() <= down.padded() && right.reach() <= right.padded();
    // Few outputs and many are computed in different ways.
    for channels in [1, 4] {
        let spec = match spec(down, right, channels) {
            Ok(spec) => spec,
            Err(error) => {
                assert!(matches!(error, Error::Kernel { .. }), "{error}");
                assert!(!fits, "{down:?} {right:?}");
                return false;
            }
        };
        assert!(fits, "{down:?} {right:?}");
        let shape = [channels, down.outputs(), right.outputs()];
        assert_eq!(spec.output_shape(), shape, "{down:?} {right:?}");

        let bits = Bits::of(33);
        let (weights, x) = operands(down, right, channels);
        let y = clear::conv2d(&spec, bits, weights.view(), x.view());
        let image = x.slice(s![0, 0, .., ..]).to_owned();
        for channel in 0..channels {
            let weights = weights.slice(s![channel, 0, .., ..]).to_owned();
            let expected = definition(down, right, &weights, &image).mapv(|y| bits.reduce(y));
            let y = y.slice(s![0, channel, .., ..]);
            assert_eq!(y, expected, "{down:?} {right:?}");
        }

        // Every product that exists is one product between the parties.
        let weight_bits = Bits::of(8);
        let conv = Conv2d {
            spec,
            weight_bits,
            bits,
        };
        let products = conv.products().expect("countable");
        let flat = |a: &Array4<u64>| a.iter().copied().collect::<Vec<_>>();
        let weights: Vec<i32> = weights.iter().copied().collect();
        assert_eq!(products.clear(&weights, &flat(&x)), flat(&y));
        let ones = |n: usize| Array2::from_elem((down.input, right.input), n as u64);
        let kernel = Array2::ones((down.kernel, right.kernel));
        let macs = channels as u64 * definition(down, right, &kernel, &ones(1)).sum();
        assert_eq!((spec.macs(), products.macs()), (macs, macs));
    }
    true
}

#[test]
fn all_small_windows() {
    let axes = Axis::all(4, 3, 2, 3, 2);
    let pairs = axes.iter().flat_map(|d| axes.iter().map(move |r| (d, r)));
    let possible = pairs.filter(|(down, right)| check(**down, **right)).count();
    assert_eq!((axes.len(), possible), (288, 198 * 198));
}

#[test]
fn all_longer_lines() {
    let point = Axis::all(1, 1, 1, 1, 1)[0];
    let axes = Axis::all(8, 4, 3, 4, 4);
    for &axis in &axes {
        assert_eq!(check(axis, point), check(point, axis));
    }
    let possible = axes.iter().filter(|axis| axis.reach() <= axis.padded());
    assert_eq!((axes.len(), possible.count()), (6144, 4752));
}

#[test]
fn steps_that_cannot_be_are_refused() {
    let spec = ConvSpec::new([1, 1], [9, 9], [3, 1], [1, 1], [0; 4], 1).expect("possible");
    for none in [[0, 1], [1, 0], [0, 0]] {
        let error = spec.dilated(none).expect_err("no step");
        let zero = matches!(error, Error::Zero { what: "dilation" });
        assert!(zero, "{error}");
    }
    assert!(
        spec.dilated([4, usize::MAX]).is_ok(),
        "one column has no steps"
    );
    let error = spec.dilated([5, 1]).expect_err("it reaches 11 of 9");
    let reach = matches!(
        error,
        Error::Kernel {
            kernel: 11,
            padded: 9
        }
    );
    assert!(reach, "{error}");
    for huge in [usize::MAX / 2 + 1, usize::MAX] {
        let error = spec.dilated([huge, 1]).expect_err("beyond all numbers");
        assert!(matches!(error, Error::TooLarge), "{error}");
    }
    // The last word counts.
    let back = spec.dilated([2, 1]).and_then(|spec| spec.dilated([1, 1]));
    assert_eq!(back.expect("possible"), spec);
}

/// Gaps cost nothing: the same outputs without padding are the same products.
#[test]
fn a_dilated_layer_pays_for_its_products_only() {
    let layer = |size, dilation| {
        let spec = ConvSpec::new([3, 5], [size; 2], [3; 2], [1; 2], [0; 4], 1).expect("possible");
        let conv = Conv2d {
            spec: spec.dilated([dilation; 2]).expect("possible"),
            weight_bits: Bits::of(8),
            bits: Bits::of(24),
        };
        (conv.spec.output_shape(), conv.cost().expect("countable"))
    };
    assert_eq!(layer(9, 2), layer(7, 1));
    assert_eq!(layer(11, 3), layer(7, 1));
}
