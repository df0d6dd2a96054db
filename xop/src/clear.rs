//! The operator on clear integers: what a secure execution of it must give.

use linear::clear::conv2d;
use ndarray::{Array4, ArrayView4, Axis, concatenate, s};
use ring_arith::Bits;

use crate::{Error, Operation, XOp};

/// The weights of an X-operator.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Weights<'a> {
    /// Weights of the depthwise convolution, `[⌈r·c⌉, 1, k, k]`; empty if r = 0.
    pub depthwise: ArrayView4<'a, i32>,
    /// Weights of the 1 × 1 convolution, `[out, in / g, 1, 1]`.
    pub pointwise: ArrayView4<'a, i32>,
}

/// The value of the operator on images mod 2^bits, NCHW. It is an accumulator, at the scale of the input times
/// that of the 1 × 1 weights.
///
/// Depthwise weights have `shift` fractional bits: the rescale of y is ⌊(y + 2^(shift−1)) / 2^shift⌋, where
/// y + 2^(shift−1) is reduced mod 2^bits and read as signed.
///
/// # Errors
/// Those of [`XOp::lower`].
///
/// # Panics
/// If x or the weights do not have the shapes of the operator, or `shift` is not below `bits`.
pub fn evaluate(
    op: &XOp,
    bits: Bits,
    shift: u32,
    weights: Weights<'_>,
    x: ArrayView4<'_, u64>,
) -> Result<Array4<u64>, Error> {
    assert!(shift < bits.get(), "a rescale leaves bits");
    let (_, _, height, width) = x.dim();
    let mut values = vec![x.mapv(|x| bits.reduce(x))];
    for step in op.lower([height, width])? {
        let x = values[step.inputs[0]].view();
        let y = match step.operation {
            Operation::Shuffle { groups } => shuffle(x, groups),
            Operation::Slice { start, channels } => {
                x.slice(s![.., start..start + channels, .., ..]).to_owned()
            }
            Operation::Depthwise(spec) => conv2d(&spec, bits, weights.depthwise, x),
            Operation::Rescale => x.mapv(|x| rescaled(bits, shift, x)),
            Operation::Subsample { stride } => x.slice(s![.., .., ..;stride, ..;stride]).to_owned(),
            Operation::Concat => {
                let parts: Vec<_> = step.inputs.iter().map(|&i| values[i].view()).collect();
                concatenate(Axis(1), &parts).expect("the steps have one size")
            }
            Operation::Pointwise(spec) => conv2d(&spec, bits, weights.pointwise, x),
        };
        values.push(y);
    }
    Ok(values.pop().expect("the input at least"))
}

/// ⌊(x + 2^(shift−1)) / 2^shift⌋ of a value mod 2^bits.
fn rescaled(bits: Bits, shift: u32, x: u64) -> u64 {
    let half = (1 << shift) >> 1;
    let x = bits.to_signed(bits.reduce(x.wrapping_add(half)));
    bits.from_signed(x >> shift)
}

/// Channel shuffle: channels written as `groups` rows and read column by column.
fn shuffle(x: ArrayView4<'_, u64>, groups: usize) -> Array4<u64> {
    let (n, c, h, w) = x.dim();
    let rows = x
        .to_shape((n, groups, c / groups, h, w))
        .expect("groups divide the channels");
    let columns = rows.permuted_axes([0, 2, 1, 3, 4]);
    let columns = columns.as_standard_layout().into_owned();
    columns
        .into_shape_with_order((n, c, h, w))
        .expect("a permutation")
}
