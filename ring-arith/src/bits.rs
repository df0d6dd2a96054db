//! The bitwidth l of the ring Z_2^l.

use crate::Error;

/// A bitwidth l in 1..=64, naming the ring Z_2^l.
///
/// Signed values are two's complement in l bits: from -2^(l-1) to 2^(l-1) - 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bits(u8);

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the casts are the two's complement reading of ring elements"
)]
impl Bits {
    /// The width `n`, or `None` outside 1..=64.
    #[must_use]
    pub const fn new(n: u32) -> Option<Self> {
        if n >= 1 && n <= 64 {
            Some(Self(n as u8))
        } else {
            None
        }
    }

    /// The width `n`, for constants and for callers that have checked it.
    ///
    /// # Panics
    /// If `n` is not in 1..=64.
    #[must_use]
    pub const fn of(n: u32) -> Self {
        Self::new(n).expect("a bitwidth must be in 1..=64")
    }

    /// The width as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0 as u32
    }

    /// The word with the low l bits set, 2^l - 1.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.get())
    }

    /// `x` mod 2^l.
    #[must_use]
    pub const fn reduce(self, x: u64) -> u64 {
        x & self.mask()
    }

    /// The signed reading of `x` mod 2^l.
    #[must_use]
    pub const fn to_signed(self, x: u64) -> i64 {
        let unused = 64 - self.get();
        ((x << unused) as i64) >> unused
    }

    /// `x` mod 2^l as a ring element.
    #[must_use]
    pub const fn from_signed(self, x: i64) -> u64 {
        self.reduce(x as u64)
    }

    /// The least signed value, -2^(l-1).
    #[must_use]
    pub const fn min_signed(self) -> i64 {
        i64::MIN >> (64 - self.get())
    }

    /// The greatest signed value, 2^(l-1) - 1.
    #[must_use]
    pub const fn max_signed(self) -> i64 {
        i64::MAX >> (64 - self.get())
    }
}

impl TryFrom<u32> for Bits {
    type Error = Error;

    fn try_from(n: u32) -> Result<Self, Error> {
        Self::new(n).ok_or(Error::BitsOutOfRange { bits: n })
    }
}

impl From<Bits> for u32 {
    fn from(bits: Bits) -> Self {
        bits.get()
    }
}

impl core::fmt::Display for Bits {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_reads_its_boundaries() {
        for n in 1..=64 {
            let bits = Bits::of(n);
            assert_eq!(bits.get(), n);
            assert_eq!(bits.to_signed(bits.mask()), -1);
            for x in [bits.min_signed(), bits.max_signed(), 0, -1] {
                assert_eq!(bits.to_signed(bits.from_signed(x)), x);
            }
            assert_eq!(bits.from_signed(bits.min_signed()), 1 << (n - 1));
            assert_eq!(
                bits.reduce(bits.from_signed(bits.max_signed()).wrapping_add(1)),
                1 << (n - 1)
            );
        }
    }

    #[test]
    fn other_widths_are_refused() {
        for n in [0, 65, u32::MAX] {
            assert_eq!(Bits::new(n), None);
            assert_eq!(Bits::try_from(n), Err(Error::BitsOutOfRange { bits: n }));
        }
    }
}
