//! Integers as doubles and back, by additions that the vector unit has.

use ring_arith::{Kernel, dispatch};

/// 1.5·2^52: doubles near it are a unit apart, so that adding it moves an integer into the low bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// The integer of a double that is one, below 2^51 in absolute value; others are rounded, halves to even.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "bits as a number, on purpose")]
pub(crate) fn to_int(x: f64) -> i64 {
    (x + SHIFT).to_bits() as i64 - SHIFT.to_bits() as i64
}

/// An integer below 2^51 in absolute value as a double.
#[inline(always)]
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a number as bits, on purpose"
)]
pub(crate) fn to_double(x: i64) -> f64 {
    f64::from_bits((x + SHIFT.to_bits() as i64) as u64) - SHIFT
}

/// The residue in [0, p) of a centred double.
#[inline(always)]
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "p is below 2^50, and the sum is not negative"
)]
pub(crate) fn canonical(x: f64, p: u64) -> u64 {
    let x = to_int(x);
    (x + (x >> 63 & p as i64)) as u64
}

/// The centred double of a residue in [0, p).
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "p is below 2^50")]
pub(crate) fn centred(x: u64, p: u64) -> f64 {
    let (x, p) = (x as i64, p as i64);
    to_double(x - (((p >> 1) - x) >> 63 & p))
}

/// A loop that is compiled for AVX2 as well. The closure must be `#[inline(always)]`.
struct Loop<F>(F);

impl<F: FnOnce()> Kernel for Loop<F> {
    #[inline(always)]
    fn run(self) {
        (self.0)();
    }
}

/// Runs the best copy of a loop. The closure must be `#[inline(always)]`, or it is compiled once, for any processor.
#[inline(always)]
pub(crate) fn vectorised(work: impl FnOnce()) {
    dispatch(Loop(work));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_become_doubles_and_come_back() {
        let p = 1_125_899_906_826_241_u64;
        for x in [
            0,
            1,
            -1,
            12345,
            -(1_i64 << 50),
            (1 << 50) + 1,
            (1 << 51) - 1,
            1 - (1 << 51),
        ] {
            assert_eq!(to_int(to_double(x)), x);
            assert_eq!(to_double(x), x as f64);
        }
        for x in [0, 1, p / 2, p / 2 + 1, p - 1] {
            let double = centred(x, p);
            assert!(double.abs() <= (p / 2) as f64);
            assert_eq!(canonical(double, p), x);
        }
        assert_eq!(centred(p / 2 + 1, p), -((p / 2) as f64));
    }
}
