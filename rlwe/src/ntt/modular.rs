//! Arithmetic modulo a prime below 2^50, in integers.

use crate::convert::centred;

/// a·b modulo p. Its time depends on the values.
pub(crate) fn mul_mod(a: u64, b: u64, p: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(p);
    u64::try_from(product).expect("below p")
}

/// base^exponent modulo p. Its time depends on the values.
pub(crate) fn pow_mod(base: u64, mut exponent: u64, p: u64) -> u64 {
    let (mut power, mut out) = (base % p, 1 % p);
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = mul_mod(out, power, p);
        }
        power = mul_mod(power, power, p);
        exponent >>= 1;
    }
    out
}

/// The inverse of a modulo the prime p. Its time depends on the values.
pub(crate) fn inverse_mod(a: u64, p: u64) -> u64 {
    debug_assert_ne!(a % p, 0, "zero has no inverse");
    pow_mod(a, p - 2, p)
}

/// Barrett reduction modulo a prime below 2^50, in time that does not depend on the values.
#[derive(Clone, Copy)]
pub(super) struct Barrett {
    p: u64,
    bits: u32,
    /// floor(2^(2·bits) / p).
    reciprocal: u64,
    /// floor(2^64 / p).
    word_reciprocal: u64,
    /// The least multiple of p from 2^53 on.
    offset: u64,
}

impl Barrett {
    pub(super) fn new(p: u64) -> Self {
        let bits = p.ilog2() + 1;
        let reciprocal = (1_u128 << (2 * bits)) / u128::from(p);
        let reciprocal = u64::try_from(reciprocal).expect("at most 2^(bits + 1)");
        Self {
            p,
            bits,
            reciprocal,
            word_reciprocal: u64::try_from((1_u128 << 64) / u128::from(p)).expect("p is not 1"),
            offset: (1_u64 << 53).next_multiple_of(p),
        }
    }

    #[inline]
    pub(super) fn prime(self) -> u64 {
        self.p
    }

    /// x modulo p, for x below 2^(2·bits).
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^64 on purpose")]
    pub(super) fn reduce(self, x: u128) -> u64 {
        debug_assert!(x >> (2 * self.bits) == 0, "too large to reduce");
        let quotient = ((x >> (self.bits - 1)) * u128::from(self.reciprocal)) >> (self.bits + 1);
        // The quotient is too small by two at most.
        let rest = (x as u64).wrapping_sub((quotient as u64).wrapping_mul(self.p));
        self.once(self.once(rest))
    }

    /// x modulo p, for x below 2p.
    #[inline]
    pub(super) fn once(self, x: u64) -> u64 {
        x.min(x.wrapping_sub(self.p))
    }

    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "below 2^50")]
    pub(super) fn residue_of(self, x: i32) -> u64 {
        i64::from(x).rem_euclid(self.p as i64) as u64
    }

    #[inline]
    pub(super) fn mul(self, a: u64, b: u64) -> u64 {
        self.reduce(u128::from(a) * u128::from(b))
    }

    /// The residue of an integer below 2^53.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an integer; half a product"
    )]
    #[expect(clippy::cast_possible_wrap, reason = "below 2^54")]
    #[expect(clippy::cast_sign_loss, reason = "the sum is not negative")]
    pub(super) fn residue(self, x: f64) -> u64 {
        let x = (x as i64 + self.offset as i64) as u64;
        let quotient = ((u128::from(x) * u128::from(self.word_reciprocal)) >> 64) as u64;
        // The quotient is too small by one at most.
        self.once(x - quotient * self.p)
    }

    #[inline]
    pub(super) fn centred(self, x: u64) -> f64 {
        centred(x, self.p)
    }
}
