//! r, the part of the channels that sees a neighbourhood.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// r, the part of the channels that goes through the k × k depthwise convolution, as an exact fraction.
///
/// ```
/// use xop::Spatial;
/// let r: Spatial = "1/4".parse()?;
/// assert_eq!((r, r.channels(10)), (Spatial::Quarter, 3));
/// assert_eq!(r.to_string(), "1/4");
/// # Ok::<(), xop::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "the family's members")]
pub enum Spatial {
    /// None: a shuffle and a 1 × 1 convolution.
    Zero,
    /// A quarter.
    Quarter,
    /// Half of them.
    #[default]
    Half,
    /// All: depthwise-separable, after a shuffle.
    One,
}

impl Spatial {
    /// All of them, the smallest first.
    pub const ALL: [Self; 4] = [Self::Zero, Self::Quarter, Self::Half, Self::One];

    /// Numerator and denominator.
    #[must_use]
    pub const fn ratio(self) -> [usize; 2] {
        match self {
            Self::Zero => [0, 1],
            Self::Quarter => [1, 4],
            Self::Half => [1, 2],
            Self::One => [1, 1],
        }
    }

    /// ⌈r·c⌉ of `c` channels.
    #[must_use]
    pub const fn channels(self, c: usize) -> usize {
        match self {
            Self::Zero => 0,
            Self::Quarter => c.div_ceil(4),
            Self::Half => c.div_ceil(2),
            Self::One => c,
        }
    }
}

impl fmt::Display for Spatial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zero => "0",
            Self::Quarter => "1/4",
            Self::Half => "1/2",
            Self::One => "1",
        })
    }
}

impl FromStr for Spatial {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|r| r.to_string() == text)
            .ok_or_else(|| Error::Spatial { found: text.into() })
    }
}
