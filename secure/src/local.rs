//! Operations that each party computes on its own share, without traffic.

use channel::Role;
use nets::kernel::{pad_channels, pick, reciprocals, reorder, shuffle, slice, subsample, sum_pool};
use nets::{IntOp, Places, Shape, TensorType, Window};
use ring_arith::{Bits, slices};

/// A local operation. Values are shares modulo 2^l, where l bits is the ring of the result.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Local {
    /// The share as it is.
    Keep,
    /// Reduction to a narrower ring.
    Narrow,
    /// The sum of two tensors.
    Add,
    /// factor·x + add, both public.
    Affine { factor: i64, add: i64 },
    /// Sums under a window.
    SumPool(Window),
    /// Sums under a window, each times a public factor that depends on its position; see
    /// [`nets::IntOp::MeanPool`].
    MeanPool {
        window: Window,
        counts_padding: bool,
        divisor: u64,
        fraction: u32,
    },
    /// Tensors, one after the other.
    Concat,
    /// Channel shuffle with this number of groups.
    ChannelShuffle(usize),
    /// Some of the channels, from this one on.
    Slice(usize),
    /// Every n-th row and column.
    Subsample(usize),
    /// Channels of zeros before and after.
    PadChannels([usize; 2]),
    /// The values at these channels, rows and columns, and zeros where there is none.
    Pick([Places; 3]),
    /// Axes in another order.
    Reorder([usize; 3]),
}

impl Local {
    /// The local operation that an operation is, if it is one.
    pub(crate) fn of(op: &IntOp) -> Option<Self> {
        Some(match *op {
            IntOp::Claim | IntOp::Flatten => Self::Keep,
            IntOp::Narrow { .. } => Self::Narrow,
            IntOp::Add => Self::Add,
            IntOp::Affine { factor, add, .. } => Self::Affine { factor, add },
            IntOp::SumPool { window } => Self::SumPool(window),
            IntOp::MeanPool {
                window,
                counts_padding,
                divisor,
                fraction,
            } => Self::MeanPool {
                window,
                counts_padding,
                divisor,
                fraction,
            },
            IntOp::Concat => Self::Concat,
            IntOp::ChannelShuffle { groups } => Self::ChannelShuffle(groups),
            IntOp::Slice { start, .. } => Self::Slice(start),
            IntOp::Subsample { stride } => Self::Subsample(stride),
            IntOp::PadChannels { front, back } => Self::PadChannels([front, back]),
            IntOp::Pick {
                ref channels,
                ref rows,
                ref columns,
            } => Self::Pick([channels, rows, columns].map(Clone::clone)),
            IntOp::Reorder { order, .. } => Self::Reorder(order),
            IntOp::Input { .. }
            | IntOp::Extend { .. }
            | IntOp::Linear { .. }
            | IntOp::TruncReduce { .. }
            | IntOp::Trunc { .. }
            | IntOp::Relu
            | IntOp::SignedRelu
            | IntOp::Clip { .. }
            | IntOp::HardSwish { .. }
            | IntOp::Curve { .. }
            | IntOp::Gate
            | IntOp::MaxPool { .. }
            | IntOp::ArgMax
            | IntOp::Output => return None,
        })
    }

    /// The share of the result, which has the type `out`. `shape` is that of the first input.
    pub(crate) fn run(
        &self,
        role: Role,
        inputs: &[&[u64]],
        shape: Shape,
        out: &TensorType,
    ) -> Vec<u64> {
        let (x, bits) = (inputs[0], out.bits());
        match self {
            Self::Keep => x.to_vec(),
            Self::Narrow => x.iter().map(|&x| bits.reduce(x)).collect(),
            Self::Add => slices::add(bits, x, inputs[1]),
            Self::Affine { factor, add } => affine(role, bits, x, *factor, *add),
            Self::SumPool(window) => {
                let add = |a: u64, b: u64| bits.reduce(a.wrapping_add(b));
                sum_pool(x, shape, out.shape, *window, add)
            }
            &Self::MeanPool {
                window,
                counts_padding,
                divisor,
                fraction,
            } => {
                let factors =
                    reciprocals(shape, out.shape, window, counts_padding, divisor, fraction);
                let mut means = sum_pool(x, shape, out.shape, window, u64::wrapping_add);
                for plane in means.chunks_exact_mut(out.shape.plane()) {
                    let scaled = plane.iter_mut().zip(&factors);
                    scaled.for_each(|(v, factor)| *v = bits.reduce(v.wrapping_mul(*factor)));
                }
                means
            }
            Self::Concat => inputs.concat(),
            Self::ChannelShuffle(groups) => shuffle(x, shape, *groups),
            Self::Slice(start) => slice(x, shape, *start, out.shape.channels),
            Self::Subsample(stride) => subsample(x, shape, *stride),
            Self::PadChannels([front, back]) => pad_channels(x, shape, *front, *back),
            Self::Pick(places) => pick(x, shape, places.each_ref(), out.shape),
            Self::Reorder(order) => reorder(x, shape, *order),
        }
    }
}

fn affine(role: Role, bits: Bits, x: &[u64], factor: i64, add: i64) -> Vec<u64> {
    let mut y = x.to_vec();
    slices::scale(bits, &mut y, bits.from_signed(factor));
    if role.is_server() {
        slices::add_constant(bits, &mut y, bits.from_signed(add));
    }
    y
}
