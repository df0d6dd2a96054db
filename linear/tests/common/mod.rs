//! Test data and oracles written straight from the definitions.
#![allow(dead_code, reason = "every test file uses some of these")]

use linear::{Conv2d, ConvSpec, LinearShape};
use ndarray::{Array4, ArrayView4};
use rand_core::Rng;
use ring_arith::Bits;
use testkit::linear_reference;

/// Weights of `bits` bits, the extreme ones among them.
pub(crate) fn weights(n: usize, bits: Bits, rng: &mut impl Rng) -> Vec<i32> {
    let draw = |rng: &mut dyn FnMut() -> u64| match rng() % 8 {
        0 => bits.min_signed(),
        1 => bits.max_signed(),
        2 => -1,
        _ => bits.to_signed(rng()),
    };
    let mut next = || rng.next_u64();
    (0..n)
        .map(|_| i32::try_from(draw(&mut next)).expect("weights have at most 32 bits"))
        .collect()
}

/// The convolution as [`ConvSpec`] defines it.
pub(crate) fn naive_conv(
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
pub(crate) fn weight_array(conv: &Conv2d, rng: &mut impl Rng) -> Array4<i32> {
    let values = weights(conv.spec.weight_len(), conv.weight_bits, rng);
    Array4::from_shape_vec(conv.spec.weight_shape(), values).expect("the length fits")
}

/// An image of the spec's input shape.
pub(crate) fn image(spec: &ConvSpec, values: Vec<u64>) -> Array4<u64> {
    let [c, h, w] = spec.input_shape();
    Array4::from_shape_vec((1, c, h, w), values).expect("the length fits")
}

/// The elements in order.
pub(crate) fn flat(x: &Array4<u64>) -> Vec<u64> {
    x.iter().copied().collect()
}
