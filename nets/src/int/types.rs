//! Types in the integer graph: what is known of a tensor, and what follows for the result of an operation.

use ring_arith::{Bits, Fixed};

use super::algorithm::Algorithm;
use super::op::{IntGraph, IntOp, LayerShape};
use super::reference;
use crate::Error;
use crate::shape::{Shape, Window, conv_output, joined, padded, shuffled, sliced, subsampled};

/// The most weights one layer may have.
const MAX_WEIGHTS: usize = 1 << 28;
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
    /// Whether no value is negative, whatever the input of the network is. Extension is then cheaper.
    pub nonneg: bool,
    /// A bound that no value exceeds, whatever the input of the network is.
    pub max: i64,
}

impl TensorType {
    pub(crate) const fn new(shape: Shape, bits: Bits, scale: i32, nonneg: bool) -> Self {
        Self {
            shape,
            fixed: Fixed { bits, scale },
            nonneg,
            max: bits.max_signed(),
        }
    }

    /// Its ring.
    #[must_use]
    pub const fn bits(&self) -> Bits {
        self.fixed.bits
    }
}

/// Checks what concerns the graph as a whole: where input and output are, and the memory of a run.
pub(super) fn check_graph(graph: &IntGraph) -> Result<(), Error> {
    let last = graph.len() - 1;
    for (index, node) in graph.nodes().iter().enumerate() {
        if matches!(node.op, IntOp::Output) != (index == last) || last == 0 {
            let problem = "the input is first, the output last, and each is there once";
            return Err(Error::width(&node.name, problem));
        }
    }
    if graph.live(|t| t.shape.len()) > MAX_LIVE {
        let problem = format!("it keeps more than {MAX_LIVE} values");
        return Err(Error::shape("graph", problem));
    }
    Ok(())
}

/// The type of the output of one operation.
pub(super) fn infer(op: &IntOp, inputs: &[TensorType]) -> Result<TensorType, String> {
    let Some(&x) = inputs.first() else {
        let IntOp::Input { shape, bits, scale } = *op else {
            return Err("it has no input".into());
        };
        return checked(TensorType::new(shape, ring(bits)?, scale, false));
    };
    let (l, scale) = (x.bits().get(), x.fixed.scale);
    let shaped = |shape: Shape| TensorType { shape, ..x };
    let pooled = |window| pooled(x.shape, window);
    checked(match *op {
        IntOp::Input { .. } => return Err("it takes no input".into()),
        IntOp::Extend { to } if to > l => TensorType {
            max: x.max,
            ..TensorType::new(x.shape, ring(to)?, scale, x.nonneg)
        },
        IntOp::Extend { to } => return Err(format!("it extends from {l} to {to} bits")),
        IntOp::Narrow { to } if to < l => narrow_type(x, ring(to)?),
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
            truncated(x, ring(bits)?, shift)?
        }
        IntOp::Trunc { shift, .. } if shift > 0 && shift < l => truncated(x, x.bits(), shift)?,
        IntOp::Trunc { shift, .. } => return Err(format!("it cuts {shift} of {l} bits")),
        IntOp::Relu if l >= 2 => TensorType { nonneg: true, ..x },
        IntOp::Relu => return Err("it needs at least 2 bits".into()),
        IntOp::SignedRelu if l >= 2 => TensorType::new(x.shape, x.bits(), scale, false),
        IntOp::SignedRelu => return Err("it needs at least 2 bits".into()),
        IntOp::Clip { top } if l >= 2 && top > 0 && top <= x.bits().max_signed() => TensorType {
            nonneg: true,
            max: x.max.min(top),
            ..x
        },
        IntOp::Clip { top } => return Err(format!("it clips at {top} in {l} bits")),
        IntOp::Affine { factor, add, scale } => affine_type(x, factor, add, scale)?,
        IntOp::HardSwish { fraction, to } => {
            reference::HardSwish::new(&x, fraction, ring(to)?)?;
            TensorType::new(x.shape, ring(to)?, grown(2 * scale, fraction)?, false)
        }
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
            TensorType::new(pooled(window)?, x.bits(), grown(scale, fraction)?, false)
        }
        IntOp::MaxPool { window } if l >= 2 => shaped(pooled(window)?),
        IntOp::MaxPool { .. } => return Err("it needs at least 2 bits".into()),
        IntOp::ArgMax => arg_max_type(x)?,
        IntOp::Add => sum_type(x, inputs[1])?,
        IntOp::Concat => concat_type(inputs)?,
        IntOp::ChannelShuffle { groups } => shaped(shuffled(x.shape, groups)?),
        IntOp::Slice { start, channels } => shaped(sliced(x.shape, start, channels)?),
        IntOp::SumPool { window } => TensorType::new(pooled(window)?, x.bits(), scale, false),
        IntOp::Subsample { stride } => shaped(subsampled(x.shape, stride)?),
        IntOp::PadChannels { front, back } => shaped(padded(x.shape, front, back)?),
        IntOp::Flatten => shaped(Shape::vector(x.shape.len())),
        IntOp::Output => x,
    })
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
    let nonneg = inputs.iter().all(|x| x.nonneg);
    let max = inputs.iter().map(|x| x.max).fold(i64::MIN, i64::max);
    let joined = TensorType::new(shape, fixed.bits, fixed.scale, nonneg);
    Ok(TensorType { max, ..joined })
}

/// A number that is not negative and fits the narrow ring is the same there.
fn narrow_type(x: TensorType, to: Bits) -> TensorType {
    let same = x.nonneg && x.max <= to.max_signed();
    let narrow = TensorType::new(x.shape, to, x.fixed.scale, same);
    let max = narrow.max.min(x.max);
    if same {
        TensorType { max, ..narrow }
    } else {
        narrow
    }
}

/// A fast truncation may give one more than the floor, so the bound is one more.
fn truncated(x: TensorType, to: Bits, shift: u32) -> Result<TensorType, String> {
    let y = TensorType::new(x.shape, to, shrunk(x.fixed.scale, shift)?, x.nonneg);
    let max = ((x.max >> shift) + 1).min(y.max);
    Ok(TensorType { max, ..y })
}

fn affine_type(x: TensorType, factor: i64, add: i64, scale: i32) -> Result<TensorType, String> {
    let scale = x.fixed.scale.checked_add(scale);
    let y = TensorType::new(
        x.shape,
        x.bits(),
        scale.ok_or("its scale is out of range")?,
        false,
    );
    let max = factor.checked_mul(x.max).and_then(|m| m.checked_add(add));
    Ok(match max.filter(|&max| max <= y.max) {
        Some(max) if x.nonneg && factor >= 0 && add >= 0 => TensorType {
            nonneg: true,
            max,
            ..y
        },
        _ => y,
    })
}

fn gate_type(x: TensorType, gate: TensorType) -> Result<TensorType, String> {
    if gate.shape != Shape::vector(x.shape.channels) {
        return Err(format!("it gates {} by {}", x.shape, gate.shape));
    }
    let (bits, gate_bits) = (x.bits(), gate.bits());
    if gate_bits > bits || (gate_bits < bits && !gate.nonneg) {
        return Err(format!("it gates {bits} bits by {gate_bits} of any sign"));
    }
    let scale = x.fixed.scale.checked_add(gate.fixed.scale);
    let scale = scale.ok_or("its scale is out of range")?;
    Ok(TensorType::new(x.shape, bits, scale, false))
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
    let max = last.cast_signed();
    let index = TensorType::new(Shape::vector(1), bits, 0, true);
    Ok(TensorType { max, ..index })
}

/// A sum of terms that are not negative may wrap and be negative.
fn sum_type(x: TensorType, y: TensorType) -> Result<TensorType, String> {
    if (x.shape, x.fixed) == (y.shape, y.fixed) {
        return Ok(TensorType::new(x.shape, x.bits(), x.fixed.scale, false));
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
            conv_output(x.shape, out_channels, groups, window)?
        }
        LayerShape::FullyConnected { .. } if x.shape.plane() != 1 => {
            return Err(format!("it takes a vector, not {}", x.shape));
        }
        LayerShape::FullyConnected { out_features } => Shape::vector(out_features),
    };
    let (ring, count) = (x.bits().get(), layer.weights(x.shape));
    if count == 0 || count > MAX_WEIGHTS {
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
    Ok(TensorType::new(shape, wide, scale, false))
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
