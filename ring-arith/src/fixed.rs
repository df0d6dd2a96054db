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
}
