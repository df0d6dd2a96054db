//! A linear layer: what is computed, by whatever algorithm.

use ring_arith::Bits;

use crate::products::check_weights;
use crate::{ConvSpec, Error};

/// The shape of a linear layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every back-end decides for each shape"
)]
pub enum LinearShape {
    /// A convolution.
    Conv(ConvSpec),
    /// The product of a matrix of `outputs` rows and `inputs` columns with a vector.
    FullyConnected {
        /// Length of the vector.
        inputs: usize,
        /// Length of the result.
        outputs: usize,
    },
}

impl LinearShape {
    /// Number of elements of the input.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.input_len(),
            Self::FullyConnected { inputs, .. } => *inputs,
        }
    }

    /// Number of elements of the output.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        match self {
            Self::Conv(spec) => spec.output_len(),
            Self::FullyConnected { outputs, .. } => *outputs,
        }
    }

    /// Number of channels of the output; a fully connected layer has one for each output.
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

    /// Number of multiplications, not counting those with padding.
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

/// What a linear layer computes: `W·x + b` modulo 2^bits. All of this is public; W, b and x are not
/// part of it.
///
/// Tensors are slices in the order channels, rows, columns.
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
    /// Width of the ring of the inputs, and of the outputs without guard bits.
    pub bits: Bits,
}

/// The secret parameters of a layer, which the server holds. `Debug` prints only how many there are.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct LayerParameters<'a> {
    /// Weights, row-major: `[out, in / groups, rows, columns]` or `[out, in]`.
    pub weights: &'a [i32],
    /// One bias for each channel of the output, or one for each element of it.
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
    /// Checks that there is the right number of parameters, and that the weights keep to their width.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a wrong number of weights or biases, [`Error::WeightRange`] for a weight
    /// that exceeds its width.
    pub fn check_parameters(&self, parameters: LayerParameters<'_>) -> Result<(), Error> {
        let (weights, biases) = (parameters.weights.len(), parameters.bias.len());
        let fits = biases == self.shape.channels() || biases == self.shape.output_len();
        if weights == self.shape.weight_len() && fits {
            return check_weights(self.weight_bits, parameters.weights, 0);
        }
        Err(Error::Parameters { weights, biases })
    }

    /// Checks that a share has the length of the layer's input.
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
