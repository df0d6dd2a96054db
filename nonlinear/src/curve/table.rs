//! The tables of functions.

/// A function of integers of 2^k linear pieces of width 2^width each, constant outside of them, and perhaps a ramp.
///
/// For a symmetric function the pieces begin at 0, else at `low`. With x read as a signed number, t = x − low, or t = x where x ≥ 0 and
/// −1 − x where x < 0 if the function is symmetric; q is floor(t / 2^width), at least 0 and at most 2^k − 1; c is x mod 2^width, less half of
/// 2^width. Then v and b are value and slope of piece q; in a symmetric function, where x < 0, −1 − v takes the place of v if it is
/// [odd](Symmetry::Odd), and −1 − b that of b if it is [even](Symmetry::Even). The function is
///
/// y = floor(((2b + 1)·c + (2v + 1)·2^(shift − 1 − fraction) + max(x, 0)·2^ramp + 2^(shift − 1)) / 2^shift),
///
/// where a function without a ramp lacks that term. So v counts halves of 2^−fraction and is the value in the middle of a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
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
    pub ramp: Option<u32>,
    /// Bits that are cut off at the end.
    pub shift: u32,
}

/// What a function does on negative numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one")]
pub enum Symmetry {
    /// It has pieces of its own there.
    None,
    /// f(−x) = f(x).
    Even,
    /// f(−x) = −f(x).
    Odd,
}

/// Numbers of a table, of which `base` is subtracted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) base: i64,
    /// For each bit, where it is set.
    pub(super) planes: Vec<u128>,
    /// Whether the complement of all bits takes their place where x < 0.
    pub(super) mirrored: bool,
}

impl Column {
    /// `None` unless every number fits into 60 bits.
    pub(super) fn new(numbers: &[i64], mirrored: bool) -> Option<Self> {
        let (low, high) = (*numbers.iter().min()?, *numbers.iter().max()?);
        if low < -(1 << 59) || high >= 1 << 59 {
            return None;
        }
        let (base, width) = if mirrored {
            // −1 − n is as far from the middle as n.
            let width = 65 - low.max(!low).max(high).max(!high).leading_zeros();
            (-(1 << (width - 1)), width)
        } else {
            (low, 64 - (high - low).leading_zeros())
        };
        let plane = |j| {
            let bit = |n: &i64| u128::from((n - base).cast_unsigned() >> j & 1);
            let bits = numbers.iter().enumerate();
            bits.fold(0, |plane, (i, n)| plane | bit(n) << i)
        };
        Some(Self {
            base,
            planes: (0..width).map(plane).collect(),
            mirrored,
        })
    }

    /// Bits of a number.
    pub(super) fn width(&self) -> u32 {
        u32::try_from(self.planes.len()).expect("at most 61")
    }
}
