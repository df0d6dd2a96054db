//! Functions of one integer that are given by public tables.

use ring_arith::Bits;
use serde::{Deserialize, Serialize};

use super::interval::Interval;

/// A function of integers of 2^k linear pieces of width 2^width each, constant outside of them, and perhaps a ramp.
///
/// For a symmetric function the pieces begin at 0, else at `low`. With x read as a signed number, t = x − low, or t = x where x ≥ 0 and
/// −1 − x where x < 0 if the function is symmetric; q is floor(t / 2^width), at least 0 and at most 2^k − 1; c is x mod 2^width, less half of
/// 2^width. Then v and b are value and slope of piece q; in a symmetric function, where x < 0, −1 − v takes the place of v if it is
/// [odd](Symmetry::Odd), and −1 − b that of b if it is [even](Symmetry::Even). The function is
///
/// y = floor(((2b + 1)·c + (2v + 1)·2^(shift − 1 − fraction) + max(x, 0)·2^ramp + 2^(shift − 1)) / 2^shift),
///
/// where a function without a ramp lacks that term. So v counts halves of 2^−fraction and is the value in the middle of a piece. Outside
/// of the pieces c has no meaning, so the pieces at the ends should have a b of 0 or −1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "importers fill it in")]
pub struct Pieces {
    /// Where the first piece begins.
    pub low: i64,
    /// The logarithm of the width of a piece.
    pub width: u32,
    /// What negative numbers have to do with positive ones.
    pub symmetry: Symmetry,
    /// v of each piece.
    pub values: Vec<i64>,
    /// b of each piece.
    pub slopes: Vec<i64>,
    /// Bits of v behind the point of the result.
    pub fraction: u32,
    /// By how many bits a ramp max(x, 0) is shifted, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<u32>,
    /// Bits that are cut off at the end.
    pub shift: u32,
}

/// What a function does on negative numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "importers choose one")]
pub enum Symmetry {
    /// It has pieces of its own there.
    None,
    /// f(−x) = f(x).
    Even,
    /// f(−x) = −f(x).
    Odd,
}

/// The most pieces.
const MAX_PIECES: usize = 128;

/// Values and slopes are below 2^this.
const MAX_BITS: u32 = 59;

impl Pieces {
    /// Whether it is a function from one ring to the other; why not, if it is none.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn check(&self, bits: Bits, to: Bits) -> Result<(), String> {
        let (count, width, shift) = (self.values.len(), self.width, self.shift);
        if !(2..=MAX_PIECES).contains(&count) || !count.is_power_of_two() {
            return Err(format!("it has {count} pieces"));
        }
        if self.slopes.len() != count {
            let slopes = self.slopes.len();
            return Err(format!("it has {count} values and {slopes} slopes"));
        }
        let large = |n: &i64| (n ^ (n >> 63)) >> MAX_BITS != 0;
        if self.values.iter().chain(&self.slopes).any(large) {
            return Err("its table has numbers that are too large".into());
        }
        if width == 0 || width >= bits.get() || self.low.trailing_zeros() < width {
            let low = self.low;
            return Err(format!("its pieces of 2^{width} begin at {low}"));
        }
        if self.symmetry != Symmetry::None && self.low != 0 {
            return Err(format!("it is symmetric and begins at {}", self.low));
        }
        let (first, end) = self.ends();
        let ring = Interval::ring(bits);
        let least = i128::from(ring.low);
        if first < least || end > -least || first > 0 || end < 0 {
            return Err(format!(
                "its pieces go from {first} to {end} in {bits} bits"
            ));
        }
        let total = to.get().checked_add(shift).filter(|&total| total <= 64);
        let (Some(total), true) = (total, self.fraction < shift) else {
            let fraction = self.fraction;
            return Err(format!(
                "it cuts {shift} bits, {fraction} of values, and leaves {to}"
            ));
        };
        let fits = |ramp: u32| ramp < total && ramp + bits.get() >= shift;
        match self.ramp {
            Some(ramp) if !fits(ramp) => Err(format!("its ramp is shifted by {ramp}")),
            _ => Ok(()),
        }
    }

    /// The value at a number, before it is reduced, for pieces that [`Pieces::check`] accepts.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn value(&self, x: i64) -> i128 {
        let mirrored = x < 0 && self.symmetry != Symmetry::None;
        let t = if mirrored {
            -1 - i128::from(x)
        } else {
            i128::from(x) - i128::from(self.low)
        };
        let last = self.values.len() - 1;
        let piece = usize::try_from(t.max(0) >> self.width).map_or(last, |piece| piece.min(last));
        let c = i128::from(x).rem_euclid(1 << self.width) - self.half();
        self.at(piece, mirrored, c, x)
    }

    /// Half of the width of a piece.
    const fn half(&self) -> i128 {
        1 << (self.width - 1)
    }

    /// The value in a piece.
    fn at(&self, piece: usize, mirrored: bool, c: i128, x: i64) -> i128 {
        let flipped = |n: i64, flips: bool| i128::from(if mirrored && flips { -1 - n } else { n });
        let value = flipped(self.values[piece], self.symmetry == Symmetry::Odd);
        let slope = flipped(self.slopes[piece], self.symmetry == Symmetry::Even);
        let ramp = self.ramp.map_or(0, |ramp| i128::from(x.max(0)) << ramp);
        let middle = (2 * value + 1) << (self.shift - 1 - self.fraction);
        ((2 * slope + 1) * c + middle + ramp + (1 << (self.shift - 1))) >> self.shift
    }

    /// Where its pieces begin and end, on both sides of 0 if it is symmetric.
    fn ends(&self) -> (i128, i128) {
        let reach = self.values.len() as i128 * (1_i128 << self.width.min(64));
        let low = i128::from(self.low);
        match self.symmetry {
            Symmetry::None => (low, low + reach),
            Symmetry::Even | Symmetry::Odd => (-reach, reach),
        }
    }

    /// The least and the greatest value on an interval, before it is reduced; outside of the pieces those that their slopes permit.
    pub(super) fn bounds(&self, x: Interval) -> (i128, i128) {
        let mut found: Option<(i128, i128)> = None;
        let mut see = |y: i128| {
            let (low, high) = found.unwrap_or((y, y));
            found = Some((low.min(y), high.max(y)));
        };
        let (first, end) = self.ends();
        let step = 1_i128 << self.width;
        let (low, high) = (i128::from(x.low), i128::from(x.high));
        let number = |x: i128| i64::try_from(x).expect("between the ends of an interval");
        // In a piece the function is monotonic, or a sum of such.
        let mut begin = first;
        while begin < end {
            let (from, to) = (low.max(begin), high.min(begin + step - 1));
            if from <= to {
                see(self.value(number(from)));
                see(self.value(number(to)));
            }
            begin += step;
        }
        let last = self.values.len() - 1;
        let below = (low, high.min(first - 1));
        let above = (low.max(end), high);
        for (from, to) in [below, above].into_iter().filter(|(from, to)| from <= to) {
            let mirrored = from < 0 && self.symmetry != Symmetry::None;
            let piece = if from < 0 && !mirrored { 0 } else { last };
            for c in [-self.half(), self.half() - 1] {
                for x in [from, to] {
                    see(self.at(piece, mirrored, c, number(x)));
                }
            }
        }
        found.unwrap_or((i128::MIN, i128::MAX))
    }
}
