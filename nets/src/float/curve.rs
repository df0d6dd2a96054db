//! Smooth activation functions.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use serde::{Deserialize, Serialize};

/// A smooth function of one number, by which a network acts on each value.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks about functions must answer for all of them"
)]
pub enum Curve {
    /// σ(x) = 1 / (1 + e^−x).
    Sigmoid,
    /// (e^x − e^−x) / (e^x + e^−x).
    Tanh,
    /// x·σ(x), also called swish.
    Silu,
    /// x where x ≥ 0, else alpha·(e^x − 1).
    Elu {
        /// The limit on the left, negated.
        alpha: f64,
    },
    /// x where x ≥ 0, else alpha·(e^(x / alpha) − 1).
    Celu {
        /// The limit on the left, negated; above 0.
        alpha: f64,
    },
    /// 1.0507… times an ELU of 1.6732….
    Selu,
    /// x·Φ(x), with the distribution Φ of a standard normal variable.
    Gelu,
    /// x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2, which is nearly [`Curve::Gelu`].
    GeluTanh,
    /// ln(1 + e^x).
    Softplus,
    /// x·tanh(ln(1 + e^x)).
    Mish,
}

impl Curve {
    /// A SELU is this times an ELU, by which values of mean 0 and deviation 1 keep these [arXiv 1706.02515].
    pub const SELU_FACTOR: f64 = 1.050_700_987_355_480_5;

    /// The alpha of that ELU.
    pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

    /// Its value at a finite number, to within a few units in the last place. The same on every machine: no
    /// function of the platform's library is called.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
            Self::Tanh => libm::tanh(x),
            Self::Silu => x / (1.0 + libm::exp(-x)),
            Self::Elu { alpha } => rectified(x, alpha, x),
            Self::Celu { alpha } => rectified(x, alpha, x / alpha),
            Self::Selu => Self::SELU_FACTOR * rectified(x, Self::SELU_ALPHA, x),
            Self::Gelu => x * libm::erfc(-x * FRAC_1_SQRT_2) / 2.0,
            Self::GeluTanh => {
                // √(2/π) = (2/√π)·√(1/2).
                let inner = FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + 0.044_715 * x * x * x);
                // (1 + tanh z) / 2 = σ(2z).
                x / (1.0 + libm::exp(-2.0 * inner))
            }
            Self::Softplus => softplus(x),
            Self::Mish => x * libm::tanh(softplus(x)),
        }
    }

    /// Its name, in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Silu => "silu",
            Self::Elu { .. } => "elu",
            Self::Celu { .. } => "celu",
            Self::Selu => "selu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu-tanh",
            Self::Softplus => "softplus",
            Self::Mish => "mish",
        }
    }

    /// What is wrong with its parameter, if anything is.
    pub(crate) fn problem(self) -> Option<String> {
        let (alpha, fits) = match self {
            Self::Elu { alpha } => (alpha, alpha.is_finite()),
            Self::Celu { alpha } => (alpha, alpha.is_finite() && alpha > 0.0),
            Self::Sigmoid
            | Self::Tanh
            | Self::Silu
            | Self::Selu
            | Self::Gelu
            | Self::GeluTanh
            | Self::Softplus
            | Self::Mish => return None,
        };
        (!fits).then(|| format!("its alpha is {alpha}"))
    }
}

/// x where x ≥ 0, else alpha·(e^y − 1).
fn rectified(x: f64, alpha: f64, y: f64) -> f64 {
    if x >= 0.0 { x } else { alpha * libm::expm1(y) }
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}
