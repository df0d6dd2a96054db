//! The clear integer executor: the reference that faithful secure runs must equal bit for bit.
//!
//! It shares no code with the protocols, so that it can be an oracle for them.

use rayon::prelude::*;
use ring_arith::{Bits, Word, gemm};

use super::op::{IntGraph, IntOp, LayerShape};
use super::reference::{HardSwish, arg_max, max_pool};
use super::types::TensorType;
use super::weights::{LayerWeights, PrivateWeights};
use crate::Error;
use crate::kernel::{
    im2col, pad_channels, pick, pool_plane, reciprocals, reorder, shuffle, slice, subsample,
    sum_pool,
};
use crate::shape::{Shape, Window};

/// Output positions handled at a time (LOCAL).
const TILE: usize = 256;

/// Runs the graph on clear integers. Input values outside of the input's ring are reduced first.
///
/// # Errors
/// [`Error::InputLength`], [`Error::Weights`].
pub fn run_integer(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
) -> Result<Vec<i64>, Error> {
    run(graph, weights, input, false, |index, _, value| {
        reduce(graph.types()[index].bits(), value);
    })
}

/// What a run on clear integers came across.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Values that wrapped where this does harm.
    pub wrapped: usize,
    /// Values that a clip of the network cut off at its top.
    pub clipped: usize,
}

/// As [`run_integer`], and counts the values that wrapped where this does harm: that an operation reads
/// as the numbers they are, such as a comparison, but that did not fit their ring, and those of which a
/// difference that a maximum compares did not fit. Between such
/// operations only the values modulo the ring matter, and any of them may wrap: an accumulator is often
/// narrower than the activations that it sums.
///
/// # Errors
/// As [`run_integer`].
pub fn run_integer_counting(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
) -> Result<(Vec<i64>, Counts), Error> {
    let mut read = vec![false; graph.len()];
    for (index, node) in graph.nodes().iter().enumerate() {
        if !node.op.is_modular() {
            read[index] = true;
            node.inputs.iter().for_each(|&input| read[input] = true);
        }
    }
    let mut counts = Counts::default();
    let output = run(graph, weights, input, true, |index, values, value| {
        let (node, bits) = (&graph.nodes()[index], graph.types()[index].bits());
        if let IntOp::Clip { top } = node.op {
            let above = values[node.inputs[0]].iter().filter(|&&v| v > top);
            counts.clipped += above.count();
        }
        if let IntOp::MaxPool { window } = node.op {
            let (x, shape) = (&values[node.inputs[0]], graph.input_type(index, 0).shape);
            let largest = largest(x, shape, graph.types()[index].shape, window);
            counts.wrapped += value.iter().zip(&largest).filter(|(v, w)| v != w).count();
        }
        if let (IntOp::ArgMax, Some(&place)) = (&node.op, value.first()) {
            let x = &values[node.inputs[0]];
            let won = usize::try_from(place).ok().and_then(|place| x.get(place));
            counts.wrapped += usize::from(won != x.iter().max());
        }
        if read[index] {
            counts.wrapped += (value.iter())
                .filter(|&&v| bits.to_signed(v.cast_unsigned()) != v)
                .count();
            reduce(bits, value);
        }
    })?;
    Ok((output, counts))
}

/// The largest values under the window, as the numbers they are.
fn largest(x: &[i64], shape: Shape, out: Shape, window: Window) -> Vec<i64> {
    let mut y = vec![i64::MIN; out.len()];
    let planes = y
        .chunks_exact_mut(out.plane())
        .zip(x.chunks_exact(shape.plane()));
    planes.for_each(|(y, x)| pool_plane(x, shape, y, out, window, i64::max));
    y
}

/// Runs the graph. `reduce` is given the number of every node, the values of the nodes before it and its own, and must
/// bring into the ring what an operation reads as numbers. With `wide`, the values before this are the true
/// ones modulo 2^64; without, modulo their ring is enough.
fn run(
    graph: &IntGraph,
    weights: &PrivateWeights,
    input: &[i64],
    wide: bool,
    mut reduce: impl FnMut(usize, &[Vec<i64>], &mut [i64]),
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
        let bits = graph.types()[index].bits();
        let mut value = if let IntOp::Input { .. } = node.op {
            input.to_vec()
        } else {
            let word = if wide { Bits::of(64) } else { bits };
            compute(graph, index, &values, weights.layer(index), word)
        };
        reduce(index, &values, &mut value);
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
) -> Vec<i64> {
    let node = &graph.nodes()[index];
    let out = graph.types()[index].shape;
    let (x, input) = (&values[node.inputs[0]], graph.input_type(index, 0));
    let shape = input.shape;
    let parameters = || layer.expect("check() found the parameters of every node that has some");
    match &node.op {
        IntOp::Linear {
            shape: layer, by, ..
        } => {
            let mut y = linear(parameters(), x, shape, out, *layer, bits);
            y.iter_mut().for_each(|v| *v <<= by.guard_bits());
            y
        }
        IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } => {
            x.iter().map(|&v| v >> shift).collect()
        }
        IntOp::Relu => x.iter().map(|&v| v.max(0)).collect(),
        IntOp::SignedRelu => signed_relu(x, parameters(), *input, bits),
        &IntOp::Clip { top } => x.iter().map(|&v| v.clamp(0, top)).collect(),
        &IntOp::Affine { factor, add, .. } => (x.iter())
            .map(|v| v.wrapping_mul(factor).wrapping_add(add))
            .collect(),
        &IntOp::HardSwish { fraction, .. } => {
            let spec = HardSwish::new(input, fraction, bits).expect("the graph is checked");
            x.iter().map(|&v| spec.value(v)).collect()
        }
        IntOp::Curve { pieces, .. } => {
            #[expect(clippy::cast_possible_truncation, reason = "reduced below")]
            let value = |&v: &i64| pieces.value(v) as i64;
            x.iter().map(value).collect()
        }
        IntOp::Gate => {
            let (gate, plane) = (&values[node.inputs[1]], shape.plane());
            let gated = |(i, v): (usize, &i64)| v.wrapping_mul(gate[i / plane]);
            x.iter().enumerate().map(gated).collect()
        }
        &IntOp::MeanPool {
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
        &IntOp::MaxPool { window } => max_pool(x, shape, out, window, input.bits()),
        IntOp::ArgMax => vec![arg_max(x, input.bits())],
        IntOp::Add => {
            let y = &values[node.inputs[1]];
            x.iter().zip(y).map(|(a, b)| a.wrapping_add(*b)).collect()
        }
        IntOp::Concat => {
            let inputs = node.inputs.iter().map(|&i| values[i].as_slice());
            inputs.collect::<Vec<_>>().concat()
        }
        &IntOp::ChannelShuffle { groups } => shuffle(x, shape, groups),
        &IntOp::Slice { start, channels } => slice(x, shape, start, channels),
        &IntOp::SumPool { window } => sum_pool(x, shape, out, window, i64::wrapping_add),
        &IntOp::Subsample { stride } => subsample(x, shape, stride),
        &IntOp::PadChannels { front, back } => pad_channels(x, shape, front, back),
        IntOp::Pick {
            channels,
            rows,
            columns,
        } => pick(x, shape, [channels, rows, columns], out),
        &IntOp::Reorder { order, .. } => reorder(x, shape, order),
        IntOp::Input { .. }
        | IntOp::Extend { .. }
        | IntOp::Narrow { .. }
        | IntOp::Claim
        | IntOp::Flatten
        | IntOp::Output => x.clone(),
    }
}

/// In words of `bits`. A number beyond the ring stays as it is, so that it can be counted.
fn signed_relu(x: &[i64], layer: &LayerWeights, input: TensorType, bits: Bits) -> Vec<i64> {
    let mut y = x.to_vec();
    let channels = layer.weights.iter().zip(&layer.bias);
    for (plane, (&sign, &shift)) in y.chunks_exact_mut(input.shape.plane()).zip(channels) {
        for v in plane {
            let y = bits.to_signed(v.wrapping_add(shift).cast_unsigned());
            let fits = input.bits().to_signed(y.cast_unsigned()) == y;
            *v = match fits && (y >= 0) == (sign < 0) {
                true => 0,
                false => y,
            };
        }
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
    by: LayerShape,
    bits: Bits,
) -> Vec<i64> {
    if bits.get() <= 32 {
        products::<u32>(layer, x, shape, out, by)
    } else {
        products::<u64>(layer, x, shape, out, by)
    }
}

/// Weights times patches plus bias, modulo the word, in tiles of positions.
fn products<W: Word>(
    layer: &LayerWeights,
    x: &[i64],
    shape: Shape,
    out: Shape,
    by: LayerShape,
) -> Vec<i64> {
    let (groups, window) = by.window();
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
