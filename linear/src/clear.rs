//! The layers on clear integers mod 2^l: the reference for tests, and the server's own term W·x_S.

use ndarray::{Array2, Array4, ArrayView2, ArrayView4};
use ring_arith::{Bits, Word, gemm_parallel, slices};

use crate::item::Rect;
use crate::{ConvSpec, LinearLayer, LinearShape, rows};

/// Words of the unfolded input that are made at a time; LOCAL.
const BLOCK: usize = 1 << 18;

/// W·x mod 2^l for a layer and flat operands: as [`conv2d`] and [`matmul`].
///
/// # Panics
/// If the weights or x do not have the lengths of the layer.
#[must_use]
pub fn layer(layer: &LinearLayer, weights: &[i32], x: &[u64]) -> Vec<u64> {
    const FITS: &str = "operands of the layer's lengths";
    let y = match &layer.shape {
        LinearShape::Conv(spec) => {
            let weights = ArrayView4::from_shape(spec.weight_shape(), weights).expect(FITS);
            let [c, h, w] = spec.input_shape();
            let x = ArrayView4::from_shape((1, c, h, w), x).expect(FITS);
            conv2d(spec, layer.bits, weights, x).into_raw_vec_and_offset()
        }
        LinearShape::FullyConnected { inputs, outputs } => {
            let weights = ArrayView2::from_shape((*outputs, *inputs), weights).expect(FITS);
            let x = ArrayView2::from_shape((*inputs, 1), x).expect(FITS);
            matmul(layer.bits, weights, x).into_raw_vec_and_offset()
        }
    };
    y.0
}

/// The convolution of one image mod 2^bits, NCHW. Large layers run in parallel on the current rayon
/// pool.
///
/// # Panics
/// If the weights or x do not have the shapes of the spec.
#[must_use]
pub fn conv2d(
    spec: &ConvSpec,
    bits: Bits,
    weights: ArrayView4<'_, i32>,
    x: ArrayView4<'_, u64>,
) -> Array4<u64> {
    check_image(spec, x.dim());
    assert_eq!(
        weights.shape(),
        spec.weight_shape(),
        "wrong shape of weights"
    );
    let (weights, x) = (weights.as_standard_layout(), x.as_standard_layout());
    let weights = weights.as_slice().expect("standard layout is contiguous");
    let x = x.as_slice().expect("standard layout is contiguous");
    let y = if bits.get() <= 32 {
        reduced(bits, &convolve::<u32>(spec, weights, x))
    } else {
        reduced(bits, &convolve::<u64>(spec, weights, x))
    };
    image(spec.output_shape(), y)
}

/// `W · x` mod 2^bits.
///
/// # Panics
/// If the inner dimensions differ.
#[must_use]
pub fn matmul(bits: Bits, weights: ArrayView2<'_, i32>, x: ArrayView2<'_, u64>) -> Array2<u64> {
    if bits.get() <= 32 {
        let product = ring_arith::matmul(weights, x.mapv(u32::from_u64).view());
        product.mapv(|y| bits.reduce(y.into()))
    } else {
        ring_arith::matmul(weights, x).mapv(|y| bits.reduce(y))
    }
}

pub(crate) fn check_image(spec: &ConvSpec, dim: (usize, usize, usize, usize)) {
    let [c, h, w] = spec.input_shape();
    assert_eq!(dim, (1, c, h, w), "x is one image of the spec's shape");
}

pub(crate) fn image([c, h, w]: [usize; 3], y: Vec<u64>) -> Array4<u64> {
    Array4::from_shape_vec((1, c, h, w), y).expect("the length is that of the shape")
}

fn reduced<W: Word>(bits: Bits, y: &[W]) -> Vec<u64> {
    y.iter().map(|y| bits.reduce(y.to_u64())).collect()
}

fn convolve<W: Word>(spec: &ConvSpec, weights: &[i32], x: &[u64]) -> Vec<W> {
    let x: Vec<W> = x.iter().map(|&x| W::from_u64(x)).collect();
    let mut y = vec![W::default(); spec.output_len()];
    let (groups, [m, channels, rows, columns]) = (spec.groups(), spec.weight_shape());
    let m = m / groups;
    let k = channels * rows * columns;
    let operands = weights
        .chunks_exact(m * k)
        .zip(x.chunks_exact(x.len() / groups));
    let output = spec.output_len() / groups;
    for ((weights, x), y) in operands.zip(y.chunks_exact_mut(output)) {
        if m < 4 {
            direct(spec, weights, x, y);
        } else {
            unfolded(spec, weights, x, y);
        }
    }
    y
}

/// One group with few output channels, one rectangle of inputs at a time.
fn direct<W: Word>(spec: &ConvSpec, weights: &[i32], x: &[W], y: &mut [W]) {
    let [_, channels, height, width] = spec.weight_shape();
    let (plane, output) = (
        x.len() / channels,
        spec.output_len() / spec.output_shape()[0],
    );
    let mut row = Vec::new();
    for (r, s) in (0..height).flat_map(|r| (0..width).map(move |s| (r, s))) {
        let Some(rect) = spec.rect(r, s) else {
            continue;
        };
        for (c, x) in x.chunks_exact(plane).enumerate() {
            rows::gather(&rect, x, &mut row);
            for (m, y) in y.chunks_exact_mut(output).enumerate() {
                let weight = weights[((m * channels + c) * height + r) * width + s];
                add_products(&rect, &row, weight, y);
            }
        }
    }
}

/// Adds `weight` times `row` to the elements of `y` to which the products of a rectangle belong.
fn add_products<W: Word>(rect: &Rect, row: &[W], weight: i32, y: &mut [W]) {
    let weight = W::from_i64(weight.into());
    for (i, row) in row.chunks_exact(rect.columns).enumerate() {
        let y = &mut y[rect.output + i * rect.output_strides[0]..];
        if rect.output_strides[1] == 1 {
            slices::add_scaled(&mut y[..rect.columns], row, weight);
        } else {
            for (y, &v) in y.iter_mut().step_by(rect.output_strides[1]).zip(row) {
                *y = y.wrapping_add(v.wrapping_mul(weight));
            }
        }
    }
}

/// One group as matrix products, some lines of the output at a time.
fn unfolded<W: Word>(spec: &ConvSpec, weights: &[i32], x: &[W], y: &mut [W]) {
    let [_, lines, columns] = spec.output_shape();
    let plane = lines * columns;
    let (m, k) = (y.len() / plane, weights.len() / (y.len() / plane));
    let step = (BLOCK / (k * columns)).clamp(1, lines);
    let (mut patches, mut product) = (Vec::new(), Vec::new());
    for start in (0..lines).step_by(step) {
        let range = start..lines.min(start + step);
        let n = range.len() * columns;
        patches.clear();
        patches.resize(k * n, W::default());
        unfold(spec, x, range, &mut patches);
        product.clear();
        product.resize(m * n, W::default());
        gemm_parallel(m, k, n, weights, &patches, &mut product);
        for (y, product) in y.chunks_exact_mut(plane).zip(product.chunks_exact(n)) {
            y[start * columns..][..n].copy_from_slice(product);
        }
    }
}

/// For some lines of the output, the inputs that each weight meets: one row per weight. Padding stays
/// zero.
fn unfold<W: Word>(spec: &ConvSpec, x: &[W], lines: std::ops::Range<usize>, patches: &mut [W]) {
    let [_, channels, height, width] = spec.weight_shape();
    let [_, input_lines, input_columns] = spec.input_shape();
    let columns = spec.output_shape()[2];
    let ([down, right], [top, left, ..]) = (spec.stride(), spec.padding());
    let [gap_down, gap_right] = spec.dilation();
    let mut rows = patches.chunks_exact_mut(lines.len() * columns);
    for x in x.chunks_exact(input_lines * input_columns).take(channels) {
        for (r, s) in (0..height).flat_map(|r| (0..width).map(move |s| (r, s))) {
            let row = rows.next().expect("one row per weight");
            let (Some(valid), Some(across)) = (spec.valid(0, r), spec.valid(1, s)) else {
                continue;
            };
            for line in valid.start.max(lines.start)..valid.end.min(lines.end) {
                let from =
                    &x[(line * down + r * gap_down - top) * input_columns..][..input_columns];
                let from = &from[across.start * right + s * gap_right - left..];
                let to = &mut row[(line - lines.start) * columns..][..columns][across.clone()];
                if right == 1 {
                    to.copy_from_slice(&from[..to.len()]);
                } else {
                    for (to, &from) in to.iter_mut().zip(from.iter().step_by(right)) {
                        *to = from;
                    }
                }
            }
        }
    }
}
