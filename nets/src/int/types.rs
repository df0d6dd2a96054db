//! Types in the integer graph: what is known of a tensor, and what follows for the result of an operation.

use ring_arith::{Bits, Fixed};

use super::algorithm::Algorithm;
use super::interval::{self, Interval};
use super::op::{IntGraph, IntOp, LayerShape};
use super::pieces::Pieces;
use super::reference;
use crate::Error;
use crate::shape::{
    MAX_PARAMETERS, Shape, Window, conv_output, joined, padded, picked, reordered, shuffled,
    sliced, subsampled,
};

/// The most inputs under a convolution's window, all groups together.
const MAX_PATCH: usize = 1 << 22;
/// The most values all windows of a pool may cover together.
const MAX_POOLED: usize = 1 << 27;
/// The most values of which the largest is sought.
const MAX_CLASSES: usize = 1 << 16;
/// The most values that a run may have to keep at one time: the memory that a hostile graph can ask for.
const MAX_LIVE: usize = 1 << 27;
/// The largest magnitude of a scale.
const MAX_SCALE: i32 = 128;
/// The most bits of a weight.
pub const MAX_WEIGHT_BITS: u32 = 31;

/// What is known of a tensor before any run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TensorType {
    /// Its shape.
    pub shape: Shape,
    /// Its width and scale: an integer n stands for n / 2^scale.
    pub fixed: Fixed,
    /// What its values can be, whatever the input of the network is. Extension and truncation are cheaper where
    /// these do not span more than half of the ring. It is proved from what both parties know, and from claims
    /// ([`IntOp::Claim`]).
    pub values: Interval,
}

impl TensorType {
    /// A tensor of which no more is known.
    const fn new(shape: Shape, bits: Bits, scale: i32) -> Self {
        Self {
            shape,
            fixed: Fixed { bits, scale },
            values: Interval::ring(bits),
        }
    }

    /// Its ring.
    #[must_use]
    pub const fn bits(&self) -> Bits {
        self.fixed.bits
    }
}

/// Checks what concerns the graph as a whole: where input and output are, what claims rest on, and the memory of a
/// run.
pub(super) fn check_graph(graph: &IntGraph) -> Result<(), Error> {
    let last = graph.len() - 1;
    for (index, node) in graph.nodes().iter().enumerate() {
        if matches!(node.op, IntOp::Output) != (index == last) || last == 0 {
            let problem = "the input is first, the output last, and each is there once";
            return Err(Error::width(&node.name, problem));
        }
    }
    check_claims(graph)?;
    if graph.live(|t| t.shape.len()) > MAX_LIVE {
        let problem = format!("it keeps more than {MAX_LIVE} values");
        return Err(Error::shape("graph", problem));
    }
    Ok(())
}

/// Refuses claims that no weights could prove: of values that do not depend on any, and are not proved without.
fn check_claims(graph: &IntGraph) -> Result<(), Error> {
    let mut secret = vec![false; graph.len()];
    for (index, node) in graph.nodes().iter().enumerate().skip(1) {
        let x = graph.input_type(index, 0);
        let proved = x.values.is_within(Interval::half(x.bits()));
        secret[index] =
            node.op.parameters(x.shape).is_some() || node.inputs.iter().any(|&input| secret[input]);
        if matches!(node.op, IntOp::Claim) && !secret[index] && !proved {
            let problem = "it claims of values without secrets what is not so";
            return Err(Error::width(&node.name, problem));
        }
    }
    Ok(())
}

/// The type of the output of one operation.
pub(super) fn infer(op: &IntOp, inputs: &[TensorType]) -> Result<TensorType, String> {
    let out = checked(shaped(op, inputs)?)?;
    let values = match op {
        IntOp::Claim => claimed(&inputs[0])?,
        _ => interval::values(op, inputs, out.bits()),
    };
    Ok(TensorType { values, ..out })
}

/// Shape, ring and scale of the output.
fn shaped(op: &IntOp, inputs: &[TensorType]) -> Result<TensorType, String> {
    let Some(&x) = inputs.first() else {
        let IntOp::Input { shape, bits, scale } = *op else {
            return Err("it has no input".into());
        };
        return Ok(TensorType::new(shape, ring(bits)?, scale));
    };
    let (l, scale) = (x.bits().get(), x.fixed.scale);
    let shaped = |shape: Shape| TensorType { shape, ..x };
    let pooled = |window| pooled(x.shape, window);
    Ok(match *op {
        IntOp::Input { .. } => return Err("it takes no input".into()),
        IntOp::Extend { to } if to > l => TensorType::new(x.shape, ring(to)?, scale),
        IntOp::Extend { to } => return Err(format!("it extends from {l} to {to} bits")),
        IntOp::Narrow { to } if to < l => TensorType::new(x.shape, ring(to)?, scale),
        IntOp::Narrow { to } => return Err(format!("it narrows from {l} to {to} bits")),
        IntOp::Linear {
            shape,
            weight_bits,
            weight_scale,
            ref by,
        } => linear_type(x, shape, weight_bits, weight_scale, by)?,
        IntOp::TruncReduce { shift, .. } => {
            // A result of one bit would have no room for a sign.
            let bits = l.checked_sub(shift).filter(|&rest| shift > 0 && rest >= 2);
            let bits = bits.ok_or_else(|| format!("it cuts {shift} of {l} bits"))?;
            TensorType::new(x.shape, ring(bits)?, shrunk(scale, shift)?)
        }
        IntOp::Trunc { shift, .. } if shift > 0 && shift < l => {
            TensorType::new(x.shape, x.bits(), shrunk(scale, shift)?)
        }
        IntOp::Trunc { shift, .. } => return Err(format!("it cuts {shift} of {l} bits")),
        IntOp::Relu | IntOp::SignedRelu | IntOp::Claim if l >= 2 => x,
        IntOp::Relu | IntOp::SignedRelu | IntOp::Claim => {
            return Err("it needs at least 2 bits".into());
        }
        IntOp::Clip { top } if l >= 2 && top > 0 && top <= x.bits().max_signed() => x,
        IntOp::Clip { top } => return Err(format!("it clips at {top} in {l} bits")),
        IntOp::Affine { scale: by, .. } => {
            let scale = scale.checked_add(by).ok_or("its scale is out of range")?;
            TensorType::new(x.shape, x.bits(), scale)
        }
        IntOp::HardSwish { fraction, to } => {
            reference::HardSwish::new(&x, fraction, ring(to)?)?;
            TensorType::new(x.shape, ring(to)?, grown(2 * scale, fraction)?)
        }
        IntOp::Curve {
            ref pieces,
            to,
            scale,
        } => curve_type(x, pieces, ring(to)?, scale)?,
        IntOp::Gate => gate_type(x, inputs[1])?,
        IntOp::MeanPool {
            window,
            divisor,
            fraction,
            ..
        } => {
            if divisor == 0 || fraction >= l {
                return Err(format!("a mean by {divisor} with {fraction} of {l} bits"));
            }
            TensorType::new(pooled(window)?, x.bits(), grown(scale, fraction)?)
        }
        IntOp::MaxPool { window } if l >= 2 => shaped(pooled(window)?),
        IntOp::MaxPool { .. } => return Err("it needs at least 2 bits".into()),
        IntOp::ArgMax => arg_max_type(x)?,
        IntOp::Add => sum_type(x, inputs[1])?,
        IntOp::Concat => concat_type(inputs)?,
        IntOp::ChannelShuffle { groups } => shaped(shuffled(x.shape, groups)?),
        IntOp::Slice { start, channels } => shaped(sliced(x.shape, start, channels)?),
        IntOp::SumPool { window } => shaped(pooled(window)?),
        IntOp::Subsample { stride } => shaped(subsampled(x.shape, stride)?),
        IntOp::PadChannels { front, back } => shaped(padded(x.shape, front, back)?),
        IntOp::Pick {
            ref channels,
            ref rows,
            ref columns,
        } => shaped(picked(x.shape, [channels, rows, columns])?),
        IntOp::Reorder { order, shape } => shaped(reordered(x.shape, order, shape)?),
        IntOp::Flatten => shaped(Shape::vector(x.shape.len())),
        IntOp::Output => x,
    })
}

fn curve_type(x: TensorType, pieces: &Pieces, to: Bits, scale: i32) -> Result<TensorType, String> {
    pieces.check(x.bits(), to)?;
    Ok(TensorType::new(x.shape, to, scale))
}

/// What is known of a tensor and claimed of it.
fn claimed(x: &TensorType) -> Result<Interval, String> {
    let half = Interval::half(x.bits());
    let (low, high) = (x.values.low.max(half.low), x.values.high.min(half.high));
    if low > high {
        return Err("it claims what cannot be".into());
    }
    Ok(Interval { low, high })
}

fn pooled(x: Shape, window: Window) -> Result<Shape, String> {
    let out = window.pooled(x)?;
    let covered = out.plane().saturating_mul(window.area());
    if covered.saturating_mul(x.channels) > MAX_POOLED {
        return Err(format!("its windows cover more than {MAX_POOLED} inputs"));
    }
    Ok(out)
}

fn concat_type(inputs: &[TensorType]) -> Result<TensorType, String> {
    let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape).collect();
    let (shape, fixed) = (joined(&shapes)?, inputs[0].fixed);
    if let Some(other) = inputs.iter().find(|x| x.fixed != fixed) {
        let [a, b] = [fixed, other.fixed].map(|f| format!("{} bits at scale {}", f.bits, f.scale));
        return Err(format!("it joins {a} and {b}"));
    }
    Ok(TensorType::new(shape, fixed.bits, fixed.scale))
}

fn gate_type(x: TensorType, gate: TensorType) -> Result<TensorType, String> {
    if gate.shape != Shape::vector(x.shape.channels) {
        return Err(format!("it gates {} by {}", x.shape, gate.shape));
    }
    let (bits, gate_bits) = (x.bits(), gate.bits());
    if gate_bits > bits || (gate_bits < bits && !gate.values.is_nonnegative()) {
        return Err(format!("it gates {bits} bits by {gate_bits} of any sign"));
    }
    let scale = x.fixed.scale.checked_add(gate.fixed.scale);
    let scale = scale.ok_or("its scale is out of range")?;
    Ok(TensorType::new(x.shape, bits, scale))
}

/// The numbers of `classes` values and a sign: one bit more than the last number has.
fn arg_max_type(x: TensorType) -> Result<TensorType, String> {
    let classes = x.shape.len();
    if x.shape.plane() != 1 || classes > MAX_CLASSES || x.bits().get() < 2 {
        let bits = x.bits();
        return Err(format!(
            "it takes a vector of at most {MAX_CLASSES} values of 2 bits or more, not {} of {bits}",
            x.shape
        ));
    }
    let last = classes as u64 - 1;
    let bits = ring((u64::BITS - last.leading_zeros()).max(1) + 1)?;
    Ok(TensorType::new(Shape::vector(1), bits, 0))
}

fn sum_type(x: TensorType, y: TensorType) -> Result<TensorType, String> {
    if (x.shape, x.fixed) == (y.shape, y.fixed) {
        return Ok(x);
    }
    let named = |t: TensorType| {
        let (bits, scale) = (t.fixed.bits, t.fixed.scale);
        format!("{} in {bits} bits at scale {scale}", t.shape)
    };
    Err(format!("it adds {} and {}", named(x), named(y)))
}

fn linear_type(
    x: TensorType,
    layer: LayerShape,
    weight_bits: u32,
    weight_scale: i32,
    by: &Algorithm,
) -> Result<TensorType, String> {
    let shape = match layer {
        LayerShape::Conv {
            out_channels,
            groups,
            window,
        } => {
            if x.shape.channels.saturating_mul(window.area()) > MAX_PATCH {
                return Err(format!("its window covers more than {MAX_PATCH} inputs"));
            }
            conv_output(x.shape, out_channels, groups, window.output(x.shape))?
        }
        LayerShape::FullyConnected { .. } if x.shape.plane() != 1 => {
            return Err(format!("it takes a vector, not {}", x.shape));
        }
        LayerShape::FullyConnected { out_features } => Shape::vector(out_features),
    };
    let (ring, count) = (x.bits().get(), layer.weights(x.shape));
    if count == 0 || count > MAX_PARAMETERS {
        return Err(format!("it has {count} weights"));
    }
    if weight_bits < 2 || weight_bits > ring.min(MAX_WEIGHT_BITS) {
        return Err(format!(
            "weights of {weight_bits} bits in a ring of {ring} bits"
        ));
    }
    by.check()?;
    let guard = by.guard_bits();
    let wide = ring.checked_add(guard).and_then(Bits::new);
    let wide = wide.ok_or_else(|| format!("{ring} bits and {guard} guard bits exceed 64"))?;
    let scale = x.fixed.scale.checked_add(weight_scale);
    let scale = scale.and_then(|scale| scale.checked_add(guard.cast_signed()));
    let scale = scale.ok_or("its scale is out of range")?;
    Ok(TensorType::new(shape, wide, scale))
}

fn checked(t: TensorType) -> Result<TensorType, String> {
    t.shape.check()?;
    if t.fixed.scale.abs() > MAX_SCALE {
        return Err(format!("scale {} is out of range", t.fixed.scale));
    }
    Ok(t)
}

fn ring(bits: u32) -> Result<Bits, String> {
    Bits::new(bits).ok_or_else(|| format!("{bits} is no bitwidth"))
}

fn shrunk(scale: i32, shift: u32) -> Result<i32, String> {
    let shift = i32::try_from(shift).map_err(|_| "its shift is out of range")?;
    scale
        .checked_sub(shift)
        .ok_or_else(|| "its scale is out of range".into())
}

fn grown(scale: i32, fraction: u32) -> Result<i32, String> {
    let fraction = i32::try_from(fraction).map_err(|_| "its fraction is out of range")?;
    scale
        .checked_add(fraction)
        .ok_or_else(|| "its scale is out of range".into())
}
