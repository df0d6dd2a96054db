//! The clear integer executor: the reference that faithful secure runs equal bit for bit.
//!
//! It shares no code with the secure path except where the outcome of an overflow depends on the
//! order of operations (max-pool), so it is an oracle for the protocols' layers too.

use nonlinear::{MaxPool, Pool2d, clear};
use rayon::prelude::*;
use ring_arith::{Bits, Word, gemm};

use crate::igraph::{IntGraph, IntOp};
use crate::infer::hard_swish;
use crate::kernel::{im2col, pad_channels, pool_plane, shuffle, slice, subsample};
use crate::shape::{Shape, Window};
use crate::{Error, LayerWeights, PrivateWeights};

/// Output positions handled at a time (LOCAL).
const TILE: usize = 256;

/// Runs the graph on clear integers. Inputs beyond the input's ring are reduced first.
///
/// # Errors
/// [`Error::InputLength`], [`Error::Weights`].
pub fn run_integer(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
) -> Result<Vec<i64>, Error> {
    run_observed(graph, weights, input, &mut |_, _| {}, false)
}

/// As [`run_integer`], showing every node's output; with `full`, the outputs of linear layers and
/// additions are shown as they are before their reduction.
pub(crate) fn run_observed(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
    observe: &mut dyn FnMut(usize, &[i64]),
    full: bool,
) -> Result<Vec<i64>, Error> {
    weights.check(graph)?;
    let expected = graph.input().shape.len();
    if input.len() != expected {
        return Err(Error::InputLength {
            expected,
            found: input.len(),
        });
    }
    let last_use = graph.last_use();
    let mut values: Vec<Vec<i64>> = Vec::with_capacity(graph.nodes().len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let out = graph.types()[index];
        let wide = if full { Bits::of(64) } else { out.bits() };
        let mut value = match node.op {
            IntOp::Input { .. } => input.to_vec(),
            _ => compute(graph, index, &values, weights.layer(index), wide)?,
        };
        observe(index, &value);
        reduce(out.bits(), &mut value);
        values.push(value);
        for &input in node.inputs.iter().filter(|&&i| last_use[i] == index) {
            values[input] = Vec::new();
        }
    }
    Ok(values.pop().unwrap_or_default())
}

fn compute(
    graph: &IntGraph,
    index: usize,
    values: &[Vec<i64>],
    layer: Option<&LayerWeights>,
    bits: Bits,
) -> Result<Vec<i64>, Error> {
    let node = &graph.nodes()[index];
    let out = graph.types()[index].shape;
    let (x, input) = (&values[node.inputs[0]], graph.input_type(index, 0));
    let shape = input.shape;
    Ok(match node.op {
        IntOp::Conv { groups, window, .. } => {
            let layer = layer.expect("check() found weights for every linear node");
            linear(layer, x, shape, out, groups, window, bits)
        }
        IntOp::Winograd {
            groups,
            window,
            tile,
            ..
        } => {
            let layer = layer.expect("check() found weights for every linear node");
            let y = linear(layer, x, shape, out, groups, window, bits);
            y.iter().map(|v| v << tile.guard_bits()).collect()
        }
        IntOp::FullyConnected { .. } => {
            let layer = layer.expect("check() found weights for every linear node");
            linear(layer, x, shape, out, 1, Window::square(1, 1, 0), bits)
        }
        IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } => {
            x.iter().map(|&v| clear::truncate(v, shift)).collect()
        }
        IntOp::Relu => x.iter().map(|&v| clear::relu(v)).collect(),
        IntOp::SignedRelu => {
            let layer = layer.expect("check() found signs for every node that needs them");
            signed_relu(x, layer, shape, bits)
        }
        IntOp::Clip { top } => x.iter().map(|&v| v.clamp(0, top)).collect(),
        IntOp::Affine { factor, add, .. } => (x.iter())
            .map(|v| v.wrapping_mul(factor).wrapping_add(add))
            .collect(),
        IntOp::HardSwish { fraction, .. } => {
            let spec = hard_swish(input, fraction, bits, 1).expect("infer() checked it");
            clear::hard_swish(&spec, x)
        }
        IntOp::Gate => {
            let (gate, plane) = (&values[node.inputs[1]], shape.plane());
            let gated = |(i, v): (usize, &i64)| v.wrapping_mul(gate[i / plane]);
            x.iter().enumerate().map(gated).collect()
        }
        IntOp::MeanPool {
            window,
            counts_padding,
            divisor,
            fraction,
        } => {
            let mut means = sum_pool(x, shape, out, window, i64::wrapping_add);
            let factors = reciprocals(shape, out, window, counts_padding, divisor, fraction);
            for plane in means.chunks_exact_mut(out.plane()) {
                let scaled = plane.iter_mut().zip(&factors);
                scaled.for_each(|(v, &factor)| *v = v.wrapping_mul(factor.cast_signed()));
            }
            means
        }
        IntOp::MaxPool { window } => {
            // The price chooses between protocols with one outcome.
            let spec = MaxPool::new(pool2d(shape, window)?, input.bits(), 1);
            clear::max_pool(&spec, x)
        }
        IntOp::Add => {
            let y = &values[node.inputs[1]];
            x.iter().zip(y).map(|(a, b)| a.wrapping_add(*b)).collect()
        }
        IntOp::Concat => (node.inputs.iter())
            .flat_map(|&i| values[i].iter().copied())
            .collect(),
        IntOp::ChannelShuffle { groups } => shuffle(x, shape, groups),
        IntOp::Slice { start, channels } => slice(x, shape, start, channels),
        IntOp::SumPool { window } => sum_pool(x, shape, out, window, i64::wrapping_add),
        IntOp::Subsample { stride } => subsample(x, shape, stride),
        IntOp::PadChannels { front, back } => pad_channels(x, shape, front, back),
        IntOp::Input { .. }
        | IntOp::Extend { .. }
        | IntOp::Narrow { .. }
        | IntOp::Flatten
        | IntOp::Output => x.clone(),
    })
}

fn signed_relu(x: &[i64], layer: &LayerWeights, shape: Shape, bits: Bits) -> Vec<i64> {
    let plane = shape.plane();
    let value = |(i, &x): (usize, &i64)| {
        let y = x.wrapping_add(layer.bias[i / plane]);
        let y = bits.to_signed(y.cast_unsigned());
        if (y >= 0) == (layer.weights[i / plane] < 0) {
            0
        } else {
            y
        }
    };
    x.iter().enumerate().map(value).collect()
}

/// The geometry as `nonlinear` takes it.
pub(crate) fn pool2d(shape: Shape, window: Window) -> Result<Pool2d, Error> {
    let Window {
        kernel,
        stride,
        padding,
    } = window;
    Ok(Pool2d::new(
        shape.height,
        shape.width,
        kernel,
        stride,
        padding,
    )?)
}

/// The factor of [`IntOp::MeanPool`] at every output position.
#[expect(clippy::cast_possible_truncation, reason = "at most 2^fraction")]
pub(crate) fn reciprocals(
    shape: Shape,
    out: Shape,
    window: Window,
    counts_padding: bool,
    divisor: u64,
    fraction: u32,
) -> Vec<u64> {
    let one = 1_u128 << fraction;
    let reciprocal = |count: usize| {
        let count = if counts_padding { window.area() } else { count };
        let count = count as u128 * u128::from(divisor);
        ((2 * one + count) / (2 * count)) as u64
    };
    let counts = window.covered(shape, out).into_iter();
    counts.map(reciprocal).collect()
}

/// Sums under the window, plane by plane.
pub(crate) fn sum_pool<T: Copy + Default>(
    x: &[T],
    shape: Shape,
    out: Shape,
    window: Window,
    add: impl Fn(T, T) -> T,
) -> Vec<T> {
    let mut y = vec![T::default(); out.len()];
    for (y, x) in y
        .chunks_exact_mut(out.plane())
        .zip(x.chunks_exact(shape.plane()))
    {
        pool_plane(x, shape, y, out, window, &add);
    }
    y
}

fn reduce(bits: Bits, values: &mut [i64]) {
    values
        .iter_mut()
        .for_each(|v| *v = bits.to_signed(v.cast_unsigned()));
}

fn linear(
    layer: &LayerWeights,
    x: &[i64],
    shape: Shape,
    out: Shape,
    groups: usize,
    window: Window,
    bits: Bits,
) -> Vec<i64> {
    if bits.get() <= 32 {
        products::<u32>(layer, x, shape, out, groups, window)
    } else {
        products::<u64>(layer, x, shape, out, groups, window)
    }
}

/// Weights times patches plus bias, modulo the word, in tiles of positions.
fn products<W: Word>(
    layer: &LayerWeights,
    x: &[i64],
    shape: Shape,
    out: Shape,
    groups: usize,
    window: Window,
) -> Vec<i64> {
    let x: Vec<W> = x.iter().map(|&v| W::from_u64(v.cast_unsigned())).collect();
    let (m, plane) = (out.channels / groups, out.plane());
    let input = Shape {
        channels: shape.channels / groups,
        ..shape
    };
    let k = input.channels * window.area();
    let tiles = plane.div_ceil(TILE);
    let tile = |job: usize| {
        let (group, tile) = (job / tiles, job % tiles);
        let positions = tile * TILE..plane.min((tile + 1) * TILE);
        let n = positions.len();
        let mut patches = vec![W::default(); k * n];
        let x = &x[group * input.len()..][..input.len()];
        im2col(x, input, out, window, positions.clone(), &mut patches);
        let (first, is_map) = (group * m, layer.bias.len() != out.channels);
        let bias = |channel: usize, p: usize| match is_map {
            true => layer.bias[channel * plane + p],
            false => layer.bias[channel],
        };
        let mut y: Vec<W> = (first..first + m)
            .flat_map(|c| positions.clone().map(move |p| (c, p)))
            .map(|(c, p)| W::from_u64(bias(c, p).cast_unsigned()))
            .collect();
        gemm(
            m,
            k,
            n,
            &layer.weights[group * m * k..][..m * k],
            &patches,
            &mut y,
        );
        (group, positions.start, n, y)
    };
    let results: Vec<_> = (0..groups * tiles).into_par_iter().map(tile).collect();
    let mut y = vec![0; out.len()];
    for (group, start, n, tile) in results {
        for (i, line) in tile.chunks_exact(n).enumerate() {
            let target = &mut y[(group * m + i) * plane + start..][..n];
            target
                .iter_mut()
                .zip(line)
                .for_each(|(y, v)| *y = v.to_u64().cast_signed());
        }
    }
    y
}
