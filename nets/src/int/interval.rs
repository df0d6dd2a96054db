//! What integers a tensor can hold, whatever the input of the network is.
//!
//! Interval arithmetic over the operations. Whatever may leave its ring can be anything that the ring holds. So an
//! interval holds for every input, not for those only that calibration saw, and protocols may rest on it.

use ring_arith::Bits;

use super::op::{IntGraph, IntOp, LayerShape};
use super::reference;
use super::types::TensorType;
use super::weights::{LayerWeights, PrivateWeights};
use crate::shape::Window;

/// All integers from `low` to `high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an interval has two ends")]
pub struct Interval {
    /// The least.
    pub low: i64,
    /// The greatest.
    pub high: i64,
}

impl Interval {
    /// All signed numbers of a ring.
    #[must_use]
    pub const fn ring(bits: Bits) -> Self {
        Self {
            low: bits.min_signed(),
            high: bits.max_signed(),
        }
    }

    /// What [`IntOp::Claim`] says of a tensor: −2^(l−2) ≤ x < 2^(l−2).
    #[must_use]
    pub const fn half(bits: Bits) -> Self {
        Self {
            low: bits.min_signed() >> 1,
            high: bits.max_signed() >> 1,
        }
    }

    /// Whether no number in it is negative.
    #[must_use]
    pub const fn is_nonnegative(self) -> bool {
        self.low >= 0
    }

    /// Whether every number in it is in the other.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    /// A number n, a multiple of 2^step, such that every x in the interval has n ≤ x < n + 2^(l−1): 0 if that is
    /// possible, else the largest. `None` if the interval is wider than half of the ring. Where there is one, the
    /// highest bits of the shares of x − n tell whether their sum wraps.
    #[must_use]
    pub const fn half_from(self, bits: Bits, step: u32) -> Option<i64> {
        let from = if self.low >= 0 {
            0
        } else {
            self.low >> step << step
        };
        if self.high.abs_diff(from) <= bits.max_signed().cast_unsigned() {
            Some(from)
        } else {
            None
        }
    }
}

/// What is proved of a tensor for given weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Proved {
    /// What it can hold.
    pub values: Interval,
    /// Bits that hold its values before they are reduced modulo its ring.
    pub bits: u32,
}

/// What each tensor can hold, given the weights and an interval of the network's input. The weights are those of the
/// graph. Claims of the graph are not used.
///
/// # Panics
/// If the weights are not those of the graph.
#[must_use]
pub fn proved(graph: &IntGraph, weights: &PrivateWeights, input: Interval) -> Vec<Proved> {
    let mut proofs: Vec<Proved> = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let given = node.inputs.iter().map(|&i| TensorType {
            values: proofs[i].values,
            ..graph.types()[i]
        });
        let inputs: Vec<TensorType> = given.collect();
        let bounds = match node.op {
            IntOp::Input { .. } => Some(Bounds::of(input)),
            _ => bounds(&node.op, &inputs, weights.layer(index)),
        };
        proofs.push(Proved {
            values: reduced(bounds, graph.types()[index].bits()),
            bits: bounds.map_or(i128::BITS, Bounds::bits),
        });
    }
    proofs
}

/// What the result of an operation can hold, of whose weights nothing is known.
pub(super) fn values(op: &IntOp, inputs: &[TensorType], out: Bits) -> Interval {
    reduced(bounds(op, inputs, None), out)
}

/// Where the values may leave the ring, all that it holds.
fn reduced(bounds: Option<Bounds>, bits: Bits) -> Interval {
    let ring = Interval::ring(bits);
    let ends = bounds.and_then(|b| Some((b.low.try_into().ok()?, b.high.try_into().ok()?)));
    ends.map(|(low, high)| Interval { low, high })
        .filter(|values| values.is_within(ring))
        .unwrap_or(ring)
}

/// An interval of numbers before reduction. Operations give `None` where one would not fit.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: i128,
    high: i128,
}

impl Bounds {
    fn of(values: Interval) -> Self {
        Self::new(values.low.into(), values.high.into())
    }

    const fn new(low: i128, high: i128) -> Self {
        Self { low, high }
    }

    fn hull(self, other: Self) -> Self {
        Self::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// With 0, if `also`.
    fn and_zero(self, also: bool) -> Self {
        if also {
            self.hull(Self::new(0, 0))
        } else {
            self
        }
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self::new(
            self.low.checked_add(other.low)?,
            self.high.checked_add(other.high)?,
        ))
    }

    fn times(self, other: Self) -> Option<Self> {
        let ends = [
            self.low.checked_mul(other.low)?,
            self.low.checked_mul(other.high)?,
            self.high.checked_mul(other.low)?,
            self.high.checked_mul(other.high)?,
        ];
        let hull = |all: Self, &end: &i128| all.hull(Self::new(end, end));
        Some(ends.iter().fold(Self::new(ends[0], ends[0]), hull))
    }

    fn scaled(self, factor: impl Into<i128>) -> Option<Self> {
        let factor = factor.into();
        self.times(Self::new(factor, factor))
    }

    fn clamped(self, low: i128, high: i128) -> Self {
        Self::new(self.low.clamp(low, high), self.high.clamp(low, high))
    }

    /// Bits that hold every number in it.
    const fn bits(self) -> u32 {
        let (low, high) = (sign_free(self.low), sign_free(self.high));
        if low > high { low + 1 } else { high + 1 }
    }
}

/// Bits of a number in two's complement, without its sign.
const fn sign_free(v: i128) -> u32 {
    i128::BITS - (v ^ (v >> (i128::BITS - 1))).leading_zeros()
}

/// What the result of an operation can be before it is reduced modulo its ring; `None` for anything. `secret` are
/// its weights, where they are known.
fn bounds(op: &IntOp, inputs: &[TensorType], secret: Option<&LayerWeights>) -> Option<Bounds> {
    let x = inputs.first()?;
    let of = |k: usize| Bounds::of(inputs[k].values);
    match *op {
        IntOp::Input { .. } => None,
        IntOp::Linear { shape, ref by, .. } => {
            let product = linear(secret?, shape, of(0));
            product.scaled(1_i128.checked_shl(by.guard_bits())?)
        }
        IntOp::TruncReduce { shift, rounded } => reduced_quotient(x, shift, rounded),
        IntOp::Trunc { shift, .. } => Some(Bounds::new(of(0).low >> shift, of(0).high >> shift)),
        IntOp::Relu => Some(of(0).clamped(0, i128::MAX)),
        IntOp::SignedRelu => Some(signed_relu(secret?, x)),
        IntOp::Clip { top } => Some(of(0).clamped(0, top.into())),
        IntOp::Affine { factor, add, .. } => {
            let add = Bounds::new(add.into(), add.into());
            of(0).scaled(factor)?.plus(add)
        }
        IntOp::HardSwish { fraction, .. } => hard_swish(x, fraction),
        IntOp::Curve { ref pieces, .. } => {
            let (low, high) = pieces.bounds(x.values);
            Some(Bounds::new(low, high))
        }
        IntOp::Gate => of(0).times(of(1)),
        IntOp::MeanPool {
            window,
            counts_padding,
            divisor,
            fraction,
        } => of(0).and_zero(window.is_padded()).times(weight_of_mean(
            window,
            counts_padding,
            divisor,
            fraction,
        )?),
        IntOp::SumPool { window } => {
            let area = i128::try_from(window.area()).ok()?;
            of(0).and_zero(window.is_padded()).scaled(area)
        }
        IntOp::Add => of(0).plus(of(1)),
        IntOp::Concat => (0..inputs.len()).map(of).reduce(Bounds::hull),
        IntOp::PadChannels { front, back } => Some(of(0).and_zero(front + back > 0)),
        IntOp::Pick {
            ref channels,
            ref rows,
            ref columns,
        } => {
            let has_zeros = [channels, rows, columns].iter().any(|p| p.has_zeros());
            Some(of(0).and_zero(has_zeros))
        }
        IntOp::ArgMax => Some(Bounds::new(0, i128::try_from(x.shape.len()).ok()? - 1)),
        IntOp::Extend { .. }
        | IntOp::Narrow { .. }
        | IntOp::Claim
        | IntOp::MaxPool { .. }
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::Subsample { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten
        | IntOp::Output => Some(of(0)),
    }
}

/// Of floor(x / 2^shift), and of what a fast run gives in its place: floor(x' / 2^shift) or one more, exact on
/// multiples of 2^shift, where x' is x without the rounding constant. A fast run promises nothing of an x above
/// 2^(l−1) − 2^shift, whose quotient plus one leaves the ring.
fn reduced_quotient(x: &TensorType, shift: u32, rounded: bool) -> Option<Bounds> {
    let Bounds { low, high } = Bounds::of(x.values);
    let (one, ring) = (1_i128 << shift, Bounds::of(Interval::ring(x.bits())));
    let less = if rounded { one >> 1 } else { 0 };
    if low - less < ring.low {
        return None;
    }
    let above = (high - less + one - 1) >> shift;
    let high = (high >> shift).max(above).min(ring.high >> shift);
    Some(Bounds::new((low - less) >> shift, high))
}

/// Of a product with weights and biases that are known.
fn linear(layer: &LayerWeights, shape: LayerShape, x: Bounds) -> Bounds {
    let x = x.and_zero(shape.window().1.is_padded());
    let outputs = shape.outputs();
    let rows = layer
        .weights
        .chunks_exact(layer.weights.len() / outputs)
        .zip(layer.bias.chunks_exact(layer.bias.len() / outputs));
    let of_row = |(row, bias): (&[i32], &[i64])| {
        let up: i128 = row.iter().map(|&w| i128::from(w.max(0))).sum();
        let down: i128 = row.iter().map(|&w| i128::from(w.min(0))).sum();
        let (least, most) = (bias.iter().min(), bias.iter().max());
        let [least, most] = [least, most].map(|b| i128::from(b.copied().unwrap_or(0)));
        // At most 2^28 weights of 31 bits times numbers of 64.
        Bounds::new(
            up * x.low + down * x.high + least,
            up * x.high + down * x.low + most,
        )
    };
    let all = rows.map(of_row).reduce(Bounds::hull);
    all.unwrap_or(Bounds::new(0, 0))
}

/// Of a `ReLU` with signs and shifts that are known.
fn signed_relu(layer: &LayerWeights, x: &TensorType) -> Bounds {
    let ring = Bounds::of(Interval::ring(x.bits()));
    let x = Bounds::of(x.values);
    let of_channel = |(&sign, &shift): (&i32, &i64)| {
        let (low, high) = (x.low + i128::from(shift), x.high + i128::from(shift));
        let fits = low >= ring.low && high <= ring.high;
        let y = if fits { Bounds::new(low, high) } else { ring };
        if sign < 0 {
            y.clamped(ring.low, 0)
        } else {
            y.clamped(0, ring.high)
        }
    };
    let channels = layer.weights.iter().zip(&layer.bias).map(of_channel);
    channels.fold(Bounds::new(0, 0), Bounds::hull)
}

/// Of hard-swish, which falls, rises from half of its threshold on, and is the sum of a square and a ramp that is 0
/// where the square is not at its largest.
fn hard_swish(h: &TensorType, fraction: u32) -> Option<Bounds> {
    let scale = u32::try_from(h.fixed.scale).ok()?;
    let three = 3_i128 << scale;
    let sixth = i128::from(reference::sixth(fraction));
    let h = Bounds::of(h.values);
    let clipped = h.clamped(0, 2 * three);
    let square = |c: i128| (c * (c - three)).checked_mul(sixth);
    let least = (three / 2).clamp(clipped.low, clipped.high);
    let ramp = |h: i128| {
        (h - 2 * three)
            .max(0)
            .checked_mul(1_i128 << (scale + fraction))
    };
    let low = square(least)?.checked_add(ramp(h.low)?)?;
    let high = square(clipped.low)?.max(square(clipped.high)?);
    Some(Bounds::new(low, high.checked_add(ramp(h.high)?)?))
}

/// Of the sum, over the inputs under a window, of the factor that they are multiplied by.
fn weight_of_mean(
    window: Window,
    counts_padding: bool,
    divisor: u64,
    fraction: u32,
) -> Option<Bounds> {
    let (area, two) = (i128::try_from(window.area()).ok()?, 2_i128 << fraction);
    let divisor = i128::from(divisor);
    // For a count n the factor is that nearest to 2^fraction / (n·divisor), half up, and so n times the factor is
    // at most this.
    let most = |n: i128| Some((two + n.checked_mul(divisor)?) / (2 * divisor));
    let whole = area.checked_mul(divisor)?;
    let exact = area * ((two + whole) / (2 * whole));
    Some(match (window.is_padded(), counts_padding) {
        (false, _) => Bounds::new(exact, exact),
        (true, true) => Bounds::new(0, exact),
        (true, false) => Bounds::new(0, most(area)?),
    })
}
