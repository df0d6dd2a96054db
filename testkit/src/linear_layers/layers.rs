//! Random layers, and what they compute.

use linear::{ConvSpec, LinearLayer, LinearShape};
use proptest::prelude::*;
use rand_core::Rng;
use ring_arith::Bits;

/// Linear layers of all kinds: dense, grouped and depthwise, strided, padded and dilated convolutions,
/// and fully connected layers; weights of 1 to 32 bits, rings of 1 to 64.
pub fn any_linear_layer() -> impl Strategy<Value = LinearLayer> {
    let connected = (0_usize..20, 0_usize..12)
        .prop_map(|(inputs, outputs)| LinearShape::FullyConnected { inputs, outputs });
    let shape = prop_oneof![
        3 => any_conv().prop_map(LinearShape::Conv),
        1 => connected,
    ];
    let weight_bits = prop_oneof![Just(1), Just(2), 3_u32..=31, Just(32)];
    let bits = prop_oneof![Just(1), 2_u32..=30, 31_u32..=34, 35_u32..=63, Just(64)];
    (shape, weight_bits, bits).prop_map(|(shape, weight_bits, bits)| LinearLayer {
        shape,
        weight_bits: Bits::of(weight_bits),
        bits: Bits::of(bits),
    })
}

/// Convolutions of all kinds.
pub fn any_conv() -> impl Strategy<Value = ConvSpec> {
    // With few and many outputs of a group, which may be computed in different ways.
    let shape = (1_usize..4, 1_usize..4, 1_usize..6, 1_usize..9, 1_usize..9);
    // Often no steps between outputs or under the kernel, as some algorithms take no others.
    let steps = || prop_oneof![Just([1_usize; 2]), [1_usize..4, 1..4]];
    let kernel = prop_oneof![Just([3_usize; 2]), [1_usize..6, 1..6]];
    let window = (kernel, steps(), steps(), [0_usize..4, 0..4, 0..4, 0..4]);
    (shape, window).prop_filter_map("the kernel fits", |((g, c, m, h, w), window)| {
        let (kernel, stride, dilation, padding) = window;
        let spec = ConvSpec::new([g * c, g * m], [h, w], kernel, stride, padding, g);
        spec.and_then(|spec| spec.dilated(dilation)).ok()
    })
}

/// `W·x` mod 2^64, straight from the definition of [`ConvSpec`] and of the matrix product.
///
/// # Panics
/// If there are fewer weights or inputs than the shape has.
#[must_use]
pub fn linear_reference(shape: &LinearShape, weights: &[i32], x: &[u64]) -> Vec<u64> {
    let product = |weight: usize, input: usize| {
        let weight = i64::from(weights[weight]).cast_unsigned();
        weight.wrapping_mul(x[input])
    };
    let sum = |products: &mut dyn Iterator<Item = u64>| products.fold(0, u64::wrapping_add);
    let spec = match shape {
        &LinearShape::FullyConnected { inputs, outputs } => {
            let row = |o| sum(&mut (0..inputs).map(|i| product(o * inputs + i, i)));
            return (0..outputs).map(row).collect();
        }
        LinearShape::Conv(spec) => spec,
    };
    let [_, height, width] = spec.input_shape();
    let [outputs, rows, columns] = spec.output_shape();
    let [_, channels, kernel_rows, kernel_columns] = spec.weight_shape();
    let taps = channels * kernel_rows * kernel_columns;
    // Where kernel position `k` of output position `o` lies in the input, if it is not padding.
    let place = |axis: usize, size: usize, o: usize, k: usize| {
        let padded = o * spec.stride()[axis] + k * spec.dilation()[axis];
        let place = padded.checked_sub(spec.padding()[axis])?;
        (place < size).then_some(place)
    };
    let output = |index: usize| {
        let (o, i, j) = (
            index / (rows * columns),
            index / columns % rows,
            index % columns,
        );
        let first = o / (outputs / spec.groups()) * channels;
        sum(&mut (0..taps).filter_map(|tap| {
            let (c, r, s) = (
                tap / (kernel_rows * kernel_columns),
                tap / kernel_columns % kernel_rows,
                tap % kernel_columns,
            );
            let (y, x) = (place(0, height, i, r)?, place(1, width, j, s)?);
            Some(product(
                o * taps + tap,
                ((first + c) * height + y) * width + x,
            ))
        }))
    };
    (0..outputs * rows * columns).map(output).collect()
}

/// Weights of `bits` bits, the extreme ones often among them.
///
/// # Panics
/// If `bits` is more than 32.
pub fn weights(n: usize, bits: Bits, rng: &mut impl Rng) -> Vec<i32> {
    let mut draw = || match rng.next_u64() % 8 {
        0 => bits.min_signed(),
        1 => bits.max_signed(),
        _ => bits.to_signed(rng.next_u64()),
    };
    let narrow = |w| i32::try_from(w).expect("weights have at most 32 bits");
    (0..n).map(|_| narrow(draw())).collect()
}
