//! What a correlated OT costs.

use std::fmt;

/// The traffic that making one correlated OT takes, both ways, amortised: what the choice between
/// protocols goes by. Extensions may need less than a bit for one, so it is counted in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CotPrice {
    millibits: u64,
}

impl CotPrice {
    /// Nothing: correlations that are there already.
    pub const FREE: Self = Self::millibits(0);

    /// So many bits.
    #[must_use]
    pub const fn bits(bits: u32) -> Self {
        Self::millibits(bits as u64 * 1000)
    }

    /// So many thousandths of a bit.
    #[must_use]
    pub const fn millibits(millibits: u64) -> Self {
        Self { millibits }
    }

    /// In thousandths of a bit.
    #[must_use]
    pub const fn as_millibits(self) -> u64 {
        self.millibits
    }

    /// In bits.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "prices are small")]
    pub const fn as_bits(self) -> f64 {
        self.millibits as f64 / 1000.0
    }

    /// Thousandths of a bit for so many bits of traffic and so many correlations: what is compared.
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
