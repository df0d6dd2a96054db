//! The same functions on clear signed integers: what every protocol of this crate computes.
//!
//! Values and results are canonical signed integers of their ring, −2^(l−1) ≤ x < 2^(l−1). The functions
//! agree with the protocols on every input, also where something overflows. They are not constant-time.

use ring_arith::Bits;

use crate::maxpool::larger_clear;
use crate::{Curve, HardSwish, MaxPool, Range};

/// [`crate::Drelu`]: [x ≥ 0].
#[must_use]
pub const fn drelu(x: i64) -> bool {
    x >= 0
}

/// [`crate::Relu`]: max(x, 0).
#[must_use]
pub const fn relu(x: i64) -> i64 {
    if drelu(x) { x } else { 0 }
}

/// [`crate::TruncFaithful`] and the exact [`crate::TruncReduce`]: floor(x / 2^shift).
///
/// # Panics
/// If `shift` is above 63.
#[must_use]
pub const fn truncate(x: i64, shift: u32) -> i64 {
    x >> shift
}

/// [`crate::ZeroExtend`]: the value of the bits of x as an unsigned number, in the ring of `to`.
#[must_use]
pub const fn zero_extend(from: Bits, to: Bits, x: i64) -> i64 {
    to.to_signed(from.from_signed(x))
}

/// [`crate::SignExtend`] and [`crate::ChannelExtend`]: the same number.
#[must_use]
pub const fn sign_extend(x: i64) -> i64 {
    x
}

/// Narrowing, which is local: x mod 2^to in the signed range.
#[must_use]
pub const fn narrow(to: Bits, x: i64) -> i64 {
    to.to_signed(to.from_signed(x))
}

/// Does a value of `bits` bits lie in `range`?
#[must_use]
pub const fn is_within(bits: Bits, range: Range, x: i64) -> bool {
    match range {
        Range::Any => true,
        Range::Nonnegative => x >= 0,
        // The quarter of the ring on either side of zero.
        Range::Half => x >= bits.min_signed() / 2 && x <= bits.max_signed() / 2,
        Range::From(low) => x >= low && x.abs_diff(low) <= bits.max_signed().cast_unsigned(),
    }
}

/// [`HardSwish`]: of h = x + 3·2^scale.
#[must_use]
pub fn hard_swish(spec: &HardSwish, h: &[i64]) -> Vec<i64> {
    spec.clear(h)
}

/// [`Curve`].
#[must_use]
pub fn curve(spec: &Curve, x: i64) -> i64 {
    spec.clear(x)
}

/// [`MaxPool`]: the winners of the protocol's own tournament.
///
/// # Panics
/// If `x` is not a whole number of planes.
#[must_use]
pub fn max_pool(pool: &MaxPool, x: &[i64]) -> Vec<i64> {
    pool.clear(x)
}

/// [`crate::Clip`]: min(max(x, 0), top).
#[must_use]
pub fn clip(top: i64, x: i64) -> i64 {
    x.clamp(0, top)
}

/// [`crate::SignedRelu`] in a channel: x + shift where its sign is the one that is kept, else 0.
#[must_use]
pub const fn signed_relu(bits: Bits, sign: i32, shift: i64, x: i64) -> i64 {
    let y = bits.to_signed(bits.from_signed(x.wrapping_add(shift)));
    if (y >= 0) == (sign < 0) { 0 } else { y }
}

/// [`crate::ArgMax`]: index and value of the winner of the protocol's own tournament.
///
/// # Panics
/// If `row` is empty.
#[must_use]
pub fn arg_max(bits: Bits, row: &[i64]) -> (usize, i64) {
    assert!(!row.is_empty(), "the largest of no values");
    let mut left: Vec<(usize, i64)> = row.iter().copied().enumerate().collect();
    while left.len() > 1 {
        let winner = |pair: &[(usize, i64)]| match *pair {
            [a, b] if larger_clear(bits, a.1, b.1) == a.1 => a,
            [_, b] => b,
            _ => pair[0],
        };
        left = left.chunks(2).map(winner).collect();
    }
    left[0]
}
