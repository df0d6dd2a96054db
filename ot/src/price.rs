//! What a correlated OT costs.

use std::fmt;

/// The traffic of making one correlated OT, in both directions together and averaged over many.
/// Whoever chooses between protocols compares their costs by it. Some extensions need less than a bit
/// for one, so it is counted in thousandths of a bit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CotPrice {
    millibits: u64,
}

impl CotPrice {
    /// The price of correlations that are there already: nothing.
    pub const FREE: Self = Self::millibits(0);

    /// A price of so many bits.
    #[must_use]
    pub const fn bits(bits: u32) -> Self {
        Self::millibits(bits as u64 * 1000)
    }

    /// A price of so many thousandths of a bit.
    #[must_use]
    pub const fn millibits(millibits: u64) -> Self {
        Self { millibits }
    }

    /// The price in thousandths of a bit.
    #[must_use]
    pub const fn as_millibits(self) -> u64 {
        self.millibits
    }

    /// The price in bits.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "prices are small")]
    pub const fn as_bits(self) -> f64 {
        self.millibits as f64 / 1000.0
    }

    /// The whole cost of `bits` of traffic and `cots` correlations, in thousandths of a bit.
    #[must_use]
    pub const fn total(self, bits: u64, cots: u64) -> u128 {
        bits as u128 * 1000 + cots as u128 * self.millibits as u128
    }
}

impl fmt::Display for CotPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bits", self.as_bits())
    }
}
