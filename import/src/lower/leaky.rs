//! Rectifiers that let something of negative values through.
//!
//! With n = max(−x, 0), which has no sign, y = x + (1 − slope)·n. So beside a `ReLU` it takes an
//! extension of known sign, one product and its truncation. A public slope is a local factor; a
//! trained one, secret and different from channel to channel, is a weight.

use nets::{
    Algorithm, FloatModel, IntOp, LayerShape, LayerWeights, MAX_WEIGHT_BITS, Op, Operator as _,
    Tensor, Window,
};

use super::Lowering;
use crate::Error;
use crate::options::Preset;
use crate::scales::{APART_BITS, fitting};

/// What keeps such an operation from being lowered.
pub(super) fn problem(model: &FloatModel, op: &Op) -> Result<Option<String>, Error> {
    // An integer factor must have room for 1 − slope.
    let steep = |top: f64| (top > 64.0).then(|| format!("{} with a slope of {top}", op.name()));
    Ok(match op {
        Op::LeakyRelu { slope } => steep(slope.abs()),
        Op::PRelu { slope } => steep(largest(model.tensors.tensor(slope)?, |v| v)),
        _ => None,
    })
}

/// The largest magnitude of a function of the values.
fn largest(tensor: &Tensor, of: impl Fn(f64) -> f64) -> f64 {
    let values = tensor.data().iter().map(|&v| of(f64::from(v)).abs());
    values.fold(0.0, f64::max)
}

impl Lowering<'_> {
    /// The value of a leaky rectifier in a ring of `bits`.
    pub(super) fn leaky(&mut self, node: usize, bits: u32) -> usize {
        let name = self.name(node);
        let x = self.made[&(self.inputs(node)[0], bits)];
        let minus = IntOp::Affine {
            factor: -1,
            add: 0,
            scale: 0,
        };
        let negated = self.push(&format!("{name}.negate"), minus, &[x]);
        let negative = self.push(&format!("{name}.negative"), IntOp::Relu, &[negated]);
        let part = match self.op(node) {
            Op::LeakyRelu { slope } => self.by_constant(node, negative, bits, 1.0 - slope),
            _ => self.by_weights(node, negative, bits),
        };
        self.push(name, IntOp::Add, &[x, part])
    }

    /// A factor times a value without sign, rounded.
    #[expect(clippy::cast_possible_truncation, reason = "slopes are small")]
    fn by_constant(&mut self, node: usize, x: usize, bits: u32, factor: f64) -> usize {
        let width = bits.min(self.options.activation_bits + 1);
        // So many fractional bits that the factor is wrong by at most half a unit of the result.
        let error = |f: &u32| {
            let scaled = factor * 2f64.powi(f.cast_signed());
            (scaled - scaled.round()).abs() * 2f64.powi((width - 1).cast_signed() - f.cast_signed())
        };
        let fraction = (0..width).find(|f| error(f) <= 0.5).unwrap_or(width - 1);
        let op = IntOp::Affine {
            factor: (factor * 2f64.powi(fraction.cast_signed())).round() as i64,
            add: (1_i64 << fraction) >> 1,
            scale: fraction.cast_signed(),
        };
        let name = self.name(node);
        let wide = self.widened(name, x, bits, fraction);
        let made = self.push(&format!("{name}.scale"), op, &[wide]);
        self.truncated(name, made, fraction)
    }

    /// The server's factor of each channel times a value without sign, rounded.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    fn by_weights(&mut self, node: usize, x: usize, bits: u32) -> usize {
        let (op, name) = (self.op(node), self.name(node));
        let channels = self.shape(node).channels;
        let [(slope, _)] = op.parameters(self.shape(node))[..] else {
            unreachable!("it has one parameter")
        };
        let slopes = self.model.tensors.tensor(slope).expect("fold() checked");
        let weight_bits = self.options.weight_bits.bits() + APART_BITS;
        let weight_bits = weight_bits.min(MAX_WEIGHT_BITS).min(bits);
        let shift = fitting(largest(slopes, |v| 1.0 - v), weight_bits);
        // More fractional bits than the value has would change nothing.
        let shift = shift.clamp(0, bits.cast_signed()).cast_unsigned();
        let scale = 2f64.powi(shift.cast_signed());
        let weight = |&v: &f32| ((1.0 - f64::from(v)) * scale).round() as i32;
        let layer = LayerWeights {
            weights: slopes.data().iter().map(weight).collect(),
            bias: vec![(1_i64 << shift) >> 1; channels],
        };
        let op = IntOp::Linear {
            shape: LayerShape::Conv {
                out_channels: channels,
                groups: channels,
                window: Window::square(1, 1, 0),
            },
            weight_bits,
            weight_scale: shift.cast_signed(),
            by: Algorithm::DIRECT,
        };
        let wide = self.widened(name, x, bits, shift);
        let made = self.push(&format!("{name}.scale"), op, &[wide]);
        self.origin.insert(made, node);
        self.weights.insert(made, layer);
        self.truncated(name, made, shift)
    }

    /// A value in a ring with room for so many fractional bits more.
    fn widened(&mut self, name: &str, x: usize, bits: u32, fraction: u32) -> usize {
        if fraction == 0 || self.options.preset != Preset::Mixed {
            return x;
        }
        let to = bits + fraction;
        self.push(&format!("{name}.extend"), IntOp::Extend { to }, &[x])
    }
}
