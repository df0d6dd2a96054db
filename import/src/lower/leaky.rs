//! Rectifiers with a slope for negative values.
//!
//! With n = max(−x, 0), which is never negative, y = x + (1 − slope)·n. So besides a `ReLU` they take an
//! extension of known sign, one product and its truncation. A public slope is a factor that each party
//! multiplies by itself; a trained slope, which is secret and different for each channel, is a weight.

use nets::{
    Algorithm, FloatModel, IntOp, LayerShape, LayerWeights, MAX_WEIGHT_BITS, Op, Operator as _,
    Tensor, Window,
};

use super::Lowering;
use crate::Error;
use crate::options::Preset;
use crate::scales::{DEPTHWISE_BITS, fitting};

/// Why a leaky rectifier cannot be lowered, if it cannot; `None` for other operations.
pub(super) fn problem(model: &FloatModel, op: &Op) -> Result<Option<String>, Error> {
    // The integer factor must have room for 1 − slope.
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
    /// A rectifier with a public slope, in a ring of `bits`.
    pub(super) fn leaky_relu(&mut self, node: usize, bits: u32, slope: f64) -> usize {
        let (x, negative) = self.negative(node, bits);
        let part = self.by_constant(node, negative, bits, 1.0 - slope);
        self.push(self.name(node), IntOp::Add, &[x, part])
    }

    /// A rectifier with a secret slope for each channel, in a ring of `bits`.
    pub(super) fn prelu(&mut self, node: usize, bits: u32, slope: &str) -> usize {
        let (x, negative) = self.negative(node, bits);
        let part = self.by_weights(node, negative, bits, slope);
        self.push(self.name(node), IntOp::Add, &[x, part])
    }

    /// The input x of a node, and max(−x, 0).
    fn negative(&mut self, node: usize, bits: u32) -> (usize, usize) {
        let name = self.name(node);
        let x = self.nodes[&(self.inputs(node)[0], bits)];
        let minus = IntOp::Affine {
            factor: -1,
            add: 0,
            scale: 0,
        };
        let negated = self.push(&format!("{name}.negate"), minus, &[x]);
        let negative = self.push(&format!("{name}.negative"), IntOp::Relu, &[negated]);
        (x, negative)
    }

    /// A public factor times a value that is never negative, rounded.
    #[expect(clippy::cast_possible_truncation, reason = "slopes are small")]
    fn by_constant(&mut self, node: usize, x: usize, bits: u32, factor: f64) -> usize {
        let width = bits.min(self.options.activation_bits + 1);
        // The fewest fractional bits with which the factor makes the result wrong by at most half a unit.
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
        let product = self.push(&format!("{name}.scale"), op, &[wide]);
        self.truncated(name, product, fraction)
    }

    /// The server's factor of each channel times a value that is never negative, rounded.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    fn by_weights(&mut self, node: usize, x: usize, bits: u32, slope: &str) -> usize {
        let (name, channels) = (self.name(node), self.shape(node).channels);
        let slopes = self.model.tensors.tensor(slope).expect("fold() checked");
        let weight_bits = self.options.weight_bits.bits() + DEPTHWISE_BITS;
        let weight_bits = weight_bits.min(MAX_WEIGHT_BITS).min(bits);
        let shift = fitting(largest(slopes, |v| 1.0 - v), weight_bits);
        // The value has `bits` bits: more fractional bits than that would not change the result.
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
        let product = self.push(&format!("{name}.scale"), op, &[wide]);
        self.origin.insert(product, node);
        self.weights.insert(product, layer);
        self.truncated(name, product, shift)
    }

    /// A value in a ring that is wider by `fraction` bits, unless all rings are alike.
    fn widened(&mut self, name: &str, x: usize, bits: u32, fraction: u32) -> usize {
        if fraction == 0 || self.options.preset != Preset::Mixed {
            return x;
        }
        let to = bits + fraction;
        self.push(&format!("{name}.extend"), IntOp::Extend { to }, &[x])
    }
}
