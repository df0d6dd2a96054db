//! The options of an import.

use crate::Error;
use crate::accuracy::{Precision, WeightBits};
use crate::ranges::Ranges;

/// How widths are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Preset {
    /// Each tensor has a width of its own.
    #[default]
    Mixed,
    /// One ring for all tensors, as in CrypTFlow2; truncations stay inside it.
    Uniform {
        /// Its number of bits.
        bits: u32,
    },
}

/// How weights are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Rounding {
    /// Such that the errors cancel on the calibration images.
    #[default]
    LeastSquares,
    /// Each to the nearest integer. This is faster and gives the same costs, but less accuracy.
    Nearest,
}

/// The options of [`crate::quantise`].
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct ImportOptions {
    /// What the model is called.
    pub name: String,
    /// Most bits of an activation; [`WeightBits::Auto`] may take more.
    pub activation_bits: u32,
    /// Most fractional bits of an activation, so that tensors of small numbers get fewer bits; but so many that the largest has
    /// all but two of these bits.
    pub fraction_bits: u32,
    /// Bits of a weight.
    pub weight_bits: WeightBits,
    /// How weights are rounded.
    pub rounding: Rounding,
    /// Bits of an input value.
    pub input_bits: u32,
    /// What decides how much room tensors have.
    pub ranges: Ranges,
    /// Every scale leaves room for this many times the largest value seen in calibration, and so does every width unless
    /// [`ImportOptions::ranges`] proves that less will do.
    pub margin: f64,
    /// How widths are chosen.
    pub preset: Preset,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            name: "model".into(),
            activation_bits: 16,
            fraction_bits: 10,
            weight_bits: WeightBits::Auto { accuracy: 0.01 },
            rounding: Rounding::default(),
            input_bits: 14,
            ranges: Ranges::default(),
            margin: 2.0,
            preset: Preset::Mixed,
        }
    }
}

impl ImportOptions {
    /// The same options with a precision that was chosen.
    pub(crate) fn with(&self, precision: Precision) -> Self {
        Self {
            weight_bits: WeightBits::Fixed(precision.weight_bits),
            activation_bits: self.activation_bits + precision.more_bits,
            fraction_bits: self.fraction_bits + precision.more_bits,
            ..self.clone()
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let within = |option, bits: u32, low: u32, high: u32| {
            if (low..=high).contains(&bits) {
                return Ok(());
            }
            Err(Error::Option {
                option,
                problem: format!("{bits} is not in {low}..={high}"),
            })
        };
        within("activation_bits", self.activation_bits, 4, 32)?;
        within("fraction_bits", self.fraction_bits, 1, 32)?;
        self.weight_bits.check()?;
        within("input_bits", self.input_bits, 4, 32)?;
        if let Preset::Uniform { bits } = self.preset {
            within("preset", bits, self.activation_bits, 64)?;
        }
        if !(1.0..=1024.0).contains(&self.margin) {
            let problem = format!("{} is not in 1..=1024", self.margin);
            return Err(Error::Option {
                option: "margin",
                problem,
            });
        }
        Ok(())
    }
}
