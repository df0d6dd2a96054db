//! Convolutions: the clear oracle against the definition, the protocol against the oracle.

use channel::Cost;
use linear::{Conv2d, ConvSpec, Error, LinearShape, clear};
use ndarray::{Array4, ArrayView4};
use proptest::prelude::*;
use rand_core::Rng;
use ring_arith::Bits;
use testkit::{
    any_conv, elements, linear_reference, reconstruct, rng, run_sessions, share, weights,
};

/// The convolution as [`ConvSpec`] defines it.
fn naive_conv(
    spec: &ConvSpec,
    bits: Bits,
    weights: ArrayView4<'_, i32>,
    x: ArrayView4<'_, u64>,
) -> Array4<u64> {
    let weights: Vec<i32> = weights.iter().copied().collect();
    let x: Vec<u64> = x.iter().copied().collect();
    let y = linear_reference(&LinearShape::Conv(*spec), &weights, &x);
    let [c, h, w] = spec.output_shape();
    let y = Array4::from_shape_vec((1, c, h, w), y).expect("the length fits");
    y.mapv(|y| bits.reduce(y))
}

/// An array of the weights' shape.
fn weight_array(conv: &Conv2d, rng: &mut impl Rng) -> Array4<i32> {
    let values = weights(conv.spec.weight_len(), conv.weight_bits, rng);
    Array4::from_shape_vec(conv.spec.weight_shape(), values).expect("the length fits")
}

/// An image of the spec's input shape.
fn image(spec: &ConvSpec, values: Vec<u64>) -> Array4<u64> {
    let [c, h, w] = spec.input_shape();
    Array4::from_shape_vec((1, c, h, w), values).expect("the length fits")
}

/// The elements in order.
fn flat(x: &Array4<u64>) -> Vec<u64> {
    x.iter().copied().collect()
}

/// Runs both parties on random data, checks the result and the cost, and returns the cost.
fn check(conv: Conv2d, seed: u64) -> Cost {
    let (spec, bits) = (conv.spec, conv.bits);
    let mut rng = rng(seed);
    let weights = weight_array(&conv, &mut rng);
    let x = elements(spec.input_len(), bits, &mut rng);
    let (xs, xc) = share(&x, bits, &mut rng);
    let (xs, xc) = (image(&spec, xs), image(&spec, xc));
    let (ys, yc, measured) = run_sessions(
        seed,
        |s| {
            conv.run_server(s, weights.view(), xs.view())
                .expect("the server succeeds")
        },
        |s| conv.run_client(s, xc.view()).expect("the client succeeds"),
    );
    let (ys, yc) = (flat(&ys), flat(&yc));
    assert!(
        ys.iter().chain(&yc).all(|&y| y <= bits.mask()),
        "canonical shares"
    );
    let expected = naive_conv(&spec, bits, weights.view(), image(&spec, x).view());
    assert_eq!(reconstruct(&ys, &yc, bits), flat(&expected));
    let predicted = conv.cost().expect("countable");
    assert_eq!(measured, predicted);
    predicted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clear_equals_the_definition(spec in any_conv(), wide: bool, l in 1u32..=64, seed: u64) {
        // More outputs than inputs, so that the unfolded way is taken as well.
        let [c, h, w] = spec.input_shape();
        let m = spec.output_shape()[0] * if wide { 5 } else { 1 };
        let more = [c, m];
        let wider = ConvSpec::new(more, [h, w], spec.kernel(), spec.stride(), spec.padding(), spec.groups());
        let spec = wider.and_then(|wider| wider.dilated(spec.dilation()));
        let spec = spec.expect("more outputs fit as well");
        let conv = Conv2d { spec, weight_bits: Bits::of(32), bits: Bits::of(l) };
        let mut rng = rng(seed);
        let weights = weight_array(&conv, &mut rng);
        let x = image(&spec, elements(spec.input_len(), conv.bits, &mut rng));
        let y = clear::conv2d(&spec, conv.bits, weights.view(), x.view());
        prop_assert_eq!(y, naive_conv(&spec, conv.bits, weights.view(), x.view()));
    }

    #[test]
    fn macs_are_the_products_that_exist(spec in any_conv()) {
        let ones = Array4::from_elem(spec.weight_shape(), 1);
        let x = image(&spec, vec![1; spec.input_len()]);
        let y = naive_conv(&spec, Bits::of(64), ones.view(), x.view());
        prop_assert_eq!(spec.macs(), y.iter().sum::<u64>());
        let conv = Conv2d { spec, weight_bits: Bits::of(3), bits: Bits::of(9) };
        prop_assert_eq!(conv.products().expect("countable").macs(), spec.macs());
    }
}

#[test]
fn the_usual_layers() {
    let layers = [
        // Channels, input, kernel, stride, padding, groups: stem, dense, depthwise, pointwise.
        ([3, 8], [19, 17], [7, 7], [2, 2], [3; 4], 1),
        ([8, 6], [10, 10], [3, 3], [1, 1], [1; 4], 1),
        ([8, 8], [9, 9], [3, 3], [2, 2], [0, 0, 1, 1], 8),
        ([8, 4], [6, 6], [1, 1], [1, 1], [0; 4], 1),
        ([8, 4], [7, 7], [1, 1], [2, 2], [0; 4], 2),
    ];
    for (seed, (channels, input, kernel, stride, padding, groups)) in (1..).zip(layers) {
        let spec =
            ConvSpec::new(channels, input, kernel, stride, padding, groups).expect("a usual layer");
        for (w, l) in [(8, 24), (12, 32), (10, 37)] {
            check(
                Conv2d {
                    spec,
                    weight_bits: Bits::of(w),
                    bits: Bits::of(l),
                },
                seed,
            );
        }
    }
}

#[test]
fn layers_that_meet_only_padding_say_nothing() {
    let spec = ConvSpec::new([2, 2], [1, 1], [1, 3], [1, 2], [0, 3, 0, 0], 2).expect("possible");
    let cost = check(
        Conv2d {
            spec,
            weight_bits: Bits::of(1),
            bits: Bits::of(1),
        },
        0,
    );
    assert_eq!(cost, Cost::none());
}

#[test]
fn a_dense_layer_pays_its_bits_and_no_more() {
    let spec = ConvSpec::new([8, 4], [24, 24], [3, 3], [1, 1], [1; 4], 1).expect("fits");
    let conv = Conv2d {
        spec,
        weight_bits: Bits::of(12),
        bits: Bits::of(32),
    };
    let cost = check(conv, 5);
    let per_mac: u64 = (0..12).map(|j| 32 - j).sum();
    let ideal = spec.macs() * per_mac / 8;
    assert!(cost.bytes() >= ideal);
    assert!(
        cost.bytes() * 100 <= ideal * 101,
        "{} against {ideal}",
        cost.bytes()
    );
    assert_eq!(cost.cots.client_sends, 8 * 4 * 9 * 12);
    assert_eq!(cost.cots.server_sends, 0);
    assert_eq!(cost.flights(), 2);
}

#[test]
fn depthwise_pays_only_its_own_products() {
    let shape = |groups| ConvSpec::new([8, 8], [8, 8], [3, 3], [1, 1], [1; 4], groups);
    let cost = |groups| {
        let spec = shape(groups).expect("fits");
        Conv2d {
            spec,
            weight_bits: Bits::of(8),
            bits: Bits::of(24),
        }
        .cost()
        .expect("countable")
    };
    assert_eq!(cost(8).bytes() * 8, cost(1).bytes());
    assert_eq!(cost(8).cots.client_sends * 8, cost(1).cots.client_sends);
}

#[test]
fn impossible_shapes_are_refused() {
    let new = ConvSpec::new;
    let zero = |result| matches!(result, Err(Error::Zero { .. }));
    assert!(zero(new([0, 1], [4, 4], [1, 1], [1, 1], [0; 4], 1)));
    assert!(zero(new([1, 0], [4, 4], [1, 1], [1, 1], [0; 4], 1)));
    assert!(zero(new([1, 1], [4, 0], [1, 1], [1, 1], [1; 4], 1)));
    assert!(zero(new([1, 1], [4, 4], [0, 1], [1, 1], [0; 4], 1)));
    assert!(zero(new([1, 1], [4, 4], [1, 1], [1, 0], [0; 4], 1)));
    assert!(zero(new([1, 1], [4, 4], [1, 1], [1, 1], [0; 4], 0)));
    let groups = new([4, 6], [4, 4], [1, 1], [1, 1], [0; 4], 4);
    assert!(matches!(
        groups,
        Err(Error::Groups {
            groups: 4,
            input: 4,
            output: 6
        })
    ));
    let kernel = new([1, 1], [4, 4], [3, 6], [1, 1], [0, 1, 0, 0], 1);
    assert!(matches!(
        kernel,
        Err(Error::Kernel {
            kernel: 6,
            padded: 5
        })
    ));
    let huge = 1 << 40;
    for spec in [
        new([huge, huge], [1, 1], [1, 1], [1, 1], [0; 4], 1),
        new([1, 1], [huge, huge], [1, 1], [1, 1], [0; 4], 1),
        new([1, 1], [1, 1], [1, 1], [1, 1], [usize::MAX, 0, 1, 0], 1),
        new([1, huge], [1 << 20, 1], [1, 1], [1, 1], [0; 4], 1),
    ] {
        assert!(matches!(spec, Err(Error::TooLarge)), "{spec:?}");
    }
}
