//! Fixed point numbers.

use crate::Bits;

/// A fixed-point format: the signed l-bit integer `v` stands for `v / 2^scale`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// The ring.
    pub bits: Bits,
    /// The number of fractional bits; negative for multiples of a power of two.
    pub scale: i32,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "float to integer casts saturate, which is what encode promises"
)]
impl Fixed {
    /// The nearest integer to `x * 2^scale`, halves away from zero, saturated to the signed range
    /// of the ring; NaN gives 0.
    #[must_use]
    pub fn encode(self, x: f64) -> i64 {
        let scaled = (x * 2f64.powi(self.scale)).round();
        (scaled as i64).clamp(self.bits.min_signed(), self.bits.max_signed())
    }

    /// The number for which `v` stands.
    #[must_use]
    pub fn decode(self, v: i64) -> f64 {
        v as f64 * 2f64.powi(-self.scale)
    }

    /// `floor((x + 2^(d-1)) / 2^d)` where the sum wraps mod 2^l into the signed range first; `x`
    /// itself, reduced, for d = 0. Halves round towards plus infinity.
    ///
    /// # Panics
    /// If `d` is not below l.
    #[must_use]
    pub const fn rounded_shift(self, x: i64, d: u32) -> i64 {
        assert!(d < self.bits.get(), "the shift must be below the bitwidth");
        let half = (1 << d) >> 1;
        self.bits.to_signed(x.wrapping_add(half).cast_unsigned()) >> d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: Fixed = Fixed {
        bits: Bits::of(8),
        scale: 4,
    };

    #[test]
    fn encode_rounds_and_saturates() {
        assert_eq!(F.encode(1.0), 16);
        assert_eq!(F.encode(0.03125), 1);
        assert_eq!(F.encode(-0.03125), -1);
        assert_eq!(F.encode(1e300), 127);
        assert_eq!(F.encode(-1e300), -128);
        assert_eq!(F.encode(f64::NAN), 0);
        for v in -128..=127 {
            assert_eq!(F.encode(F.decode(v)), v);
        }
    }

    #[test]
    fn rounded_shift_wraps_like_the_ring() {
        for x in -128..=127i64 {
            for d in 0..8 {
                let sum = F.bits.to_signed((x + (1 << d >> 1)).cast_unsigned());
                assert_eq!(F.rounded_shift(x, d), sum.div_euclid(1 << d), "x={x} d={d}");
            }
        }
        assert_eq!(F.rounded_shift(-1, 1), 0);
        assert_eq!(F.rounded_shift(127, 1), -64);
    }
}
