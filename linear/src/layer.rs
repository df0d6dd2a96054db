//! A linear layer: what is computed, whichever way.

use ring_arith::Bits;

use crate::products::check_weights;
use crate::{ConvSpec, Error};

/// The shape of a linear layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "back-ends answer for both")]
pub enum LinearShape {
    /// A convolution.
    Conv(ConvSpec),
    /// The product of a matrix, outputs by inputs, with a vector.
    FullyConnected {
        /// Length of the vector.
        inputs: usize,
        /// Length of the result.
        outputs: usize,
    },
}

impl LinearShape {
    /// Values of the input.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.input_len(),
            Self::FullyConnected { inputs, .. } => *inputs,
        }
    }

    /// Values of the output.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.output_len(),
            Self::FullyConnected { outputs, .. } => *outputs,
        }
    }

    /// Channels of the output.
    #[must_use]
    pub const fn channels(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.output_shape()[0],
            Self::FullyConnected { outputs, .. } => *outputs,
        }
    }

    /// Number of weights.
    #[must_use]
    pub const fn weight_len(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.weight_len(),
            Self::FullyConnected { inputs, outputs } => inputs.saturating_mul(*outputs),
        }
    }

    /// Multiplications, those with padding not counted.
    #[must_use]
    pub const fn macs(&self) -> u64 {
        match self {
            Self::Conv(spec) => spec.macs(),
            Self::FullyConnected { inputs, outputs } => {
                (*inputs as u64).saturating_mul(*outputs as u64)
            }
        }
    }
}

/// What a linear layer computes: `W·x + b` modulo 2^bits, all of it public but W and b.
///
/// Tensors are slices, channels by rows by columns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of a layer"
)]
pub struct LinearLayer {
    /// The shapes.
    pub shape: LinearShape,
    /// Width of the weights.
    pub weight_bits: Bits,
    /// The ring of the inputs, and of the outputs once guard bits are removed.
    pub bits: Bits,
}

/// The server's secret parameters of a layer.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct LayerParameters<'a> {
    /// Weights, row-major: `[out, in / groups, rows, columns]` or `[out, in]`.
    pub weights: &'a [i32],
    /// One bias for each output channel, or one for each output value.
    pub bias: &'a [i64],
}

impl std::fmt::Debug for LayerParameters<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerParameters")
            .field("weights", &self.weights.len())
            .field("biases", &self.bias.len())
            .finish()
    }
}

impl LinearLayer {
    /// Refuses parameters that are not this layer's.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a wrong number of weights or biases, [`Error::WeightRange`] for a weight
    /// beyond its width.
    pub fn check_parameters(&self, parameters: LayerParameters<'_>) -> Result<(), Error> {
        let (weights, biases) = (parameters.weights.len(), parameters.bias.len());
        let fits = biases == self.shape.channels() || biases == self.shape.output_len();
        if weights == self.shape.weight_len() && fits {
            return check_weights(self.weight_bits, parameters.weights, 0);
        }
        Err(Error::Parameters { weights, biases })
    }

    /// Refuses a share of another length than this layer's input.
    ///
    /// # Errors
    /// [`Error::Inputs`].
    pub fn check_input(&self, x: &[u64]) -> Result<(), Error> {
        let (expected, actual) = (self.shape.input_len(), x.len());
        if actual == expected {
            return Ok(());
        }
        Err(Error::Inputs { expected, actual })
    }
}
