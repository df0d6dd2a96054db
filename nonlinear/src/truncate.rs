//! Division of shared values by a power of two.

use ring_arith::{BitVec, Bits};
use sharing::{B2a, Party, Rounds};
use zeroize::Zeroizing;

use crate::{Error, Millionaire, Prices, Range, SplitMillionaire, wrap};

/// Faithful truncation: floor(x / 2^shift), in the same ring.
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of floor(x / 2^shift) mod
/// 2^bits, for every x.
///
/// **Protocol.** [RRK+20; RRG+21]. With x' = x + 2^(bits−1), unsigned, and
/// shares S, C of x': floor(x'/2^d) = (S >> d) + (C >> d) + carry − 2^(bits−d)·wrap, where carry =
/// [S mod 2^d + C mod 2^d ≥ 2^d] and wrap = [S + C ≥ 2^bits]. Both come from one
/// [`SplitMillionaire`] with shared leaves. [`B2a`] makes numbers of both; the
/// wrap is needed mod 2^d only. (The papers take a comparison of its own for the low bits, and a
/// 1-of-4 OT.) Where more is known of x ([`Range`]), x + 0, x + 2^(bits−2) or x − n takes the place of x', and
/// the wrap is the OR of the shares' highest bits [RRG+21; in HLHD22 without the carry], beside the comparison too.
///
/// **Security.** Semi-honest.
///
/// **Cost** for n values. [`SplitMillionaire`] of `bits` bits split at `shift`, then the round of two [`B2a`] in rings
/// of `bits` and of `shift` bits. Where the range is known, a [`Millionaire`] of `shift` bits, then one [`B2a`] in the ring of
/// `bits`; and beside the first round of both, [`sharing::BitProducts`] in a ring of `shift` bits. So one round more than a comparison. Nothing
/// where `shift` is 0, or for no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TruncFaithful {
    bits: Bits,
    shift: u32,
    range: Range,
    /// Carry and wrap, where nothing is known of the values.
    both: SplitMillionaire,
    /// The carry alone. `None` where nothing is shifted out.
    low: Option<Millionaire>,
}

impl TruncFaithful {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `shift` is not below `bits`.
    #[must_use]
    pub fn new(bits: Bits, shift: u32, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(shift < bits.get(), "a shift by {shift} of {bits} bits");
        Self {
            bits,
            shift,
            range: Range::Any,
            both: SplitMillionaire::new(bits, shift, prices),
            low: low_comparison(shift, prices),
        }
    }

    /// For values that are known to lie in `range`.
    ///
    /// # Panics
    /// If `range` is not one of the ring, or begins with a number that is no multiple of 2^`shift`.
    #[must_use]
    pub fn within(mut self, range: Range) -> Self {
        range.check(self.bits, self.shift);
        self.range = range;
        self
    }

    /// Shares of floor(x / 2^shift).
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let (Some(low), Some(wrap_bits)) = (&self.low, Bits::new(self.shift)) else {
            return Ok(x.to_vec());
        };
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let (bits, shift) = (self.bits, self.shift);
        let offset = self.range.offset(bits);
        let x = Zeroizing::new(wrap::add_public(party, x, bits, offset));
        let (carries, wraps) = if self.range == Range::Any {
            self.carry_and_wrap(party, &x, wrap_bits).await?
        } else {
            let highest = BitVec::bit_of(&x, bits.get() - 1);
            let carries = wrap::compared(party, low, &x, bits);
            let wraps = wrap::either(party, &highest, wrap_bits);
            party.both(carries, wraps).await?
        };
        let quotients = x.iter().zip(&carries).zip(&wraps);
        let quotients: Vec<u64> = quotients
            .map(|((&x, &carry), &wrap)| {
                let wrap = wrap << (bits.get() - shift);
                (x >> shift).wrapping_add(carry).wrapping_sub(wrap)
            })
            .collect();
        let back = (offset >> shift).wrapping_neg();
        Ok(wrap::add_public(party, &quotients, bits, back))
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        let (Some(low), Some(wrap_bits)) = (&self.low, Bits::new(self.shift)) else {
            return Rounds::none();
        };
        if n == 0 {
            return Rounds::none();
        }
        if self.range == Range::Any {
            let (carry, wrap) = (B2a { bits: self.bits }, B2a { bits: wrap_bits });
            let numbers = carry.rounds(n).beside(wrap.rounds(n));
            return self.both.rounds(n).then(numbers);
        }
        wrap::compared_rounds(n, low, self.bits).beside(wrap::either_rounds(n, wrap_bits))
    }

    /// The carry mod 2^bits, and the wrap in its own ring.
    async fn carry_and_wrap(
        &self,
        party: &Party<'_>,
        x: &[u64],
        wrap_bits: Bits,
    ) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let (carry, wrap) = (B2a { bits: self.bits }, B2a { bits: wrap_bits });
        let compared = self.both.run(party, &wrap::operand(party, x)).await?;
        let carry = carry.run(party, &compared.low);
        let wrap = wrap.run(party, &compared.whole);
        Ok(party.both(carry, wrap).await?)
    }
}

/// Truncate and reduce: floor(x / 2^shift), in the ring without the bits shifted out.
///
/// **Functionality.** From shares of x mod 2^bits, fresh shares mod 2^(bits−shift) of
///
/// - exact: floor(x / 2^shift), signed and unsigned readings alike, for every x;
/// - otherwise: floor(x / 2^shift) + \[x mod 2^shift > t\], where t is the *client's share* of x mod 2^shift, so that
///   the client knows it. For fresh shares t is uniform, and the result is one above the floor with
///   probability (x mod 2^shift) / 2^shift: exact on multiples of 2^shift, unbiased, error 0 or
///   +1. As a signed number for −2^(bits−1) ≤ x ≤ 2^(bits−1) − 2^shift; above that the +1 wraps to
///   the most negative value. A nonnegative x never becomes negative in that range.
///
/// **Protocol.** (S >> d) + (C >> d) + carry [RRG+21], the carry out of the low d bits
/// by [`Millionaire`], and [`B2a`]. Otherwise local: the server adds 2^d − 1 to its share first, and no carry is
/// added. With s and t the shares mod 2^d, the sum exceeds the floor by \[s > 0\] − \[s + t ≥ 2^d\], which is
/// \[(s + t) mod 2^d > t\].
///
/// **Security.** Semi-honest; the local form sends nothing. Its functionality hands t to the client: whoever
/// opens such a quotient to the client, by itself or through later layers, tells it on which side of a threshold
/// that it knows the bits lie that were cut off. The input shares must be fresh and uniform for the law to hold.
///
/// **Cost.** Exact: [`Millionaire`] of `shift` bits, then [`B2a`] in the ring of the result (where bits − shift = 1 there is no [`B2a`]). Nothing where `shift` is 0, for no values, and
/// in the local form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TruncReduce {
    bits: Bits,
    shift: u32,
    /// The ring of the result.
    output: Bits,
    exact: bool,
    /// `None` where nothing is shifted out.
    compare: Option<Millionaire>,
}

impl TruncReduce {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `shift` is not below `bits`.
    #[must_use]
    pub fn new(bits: Bits, shift: u32, exact: bool, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(shift < bits.get(), "a shift by {shift} of {bits} bits");
        Self {
            bits,
            shift,
            output: Bits::of(bits.get() - shift),
            exact,
            compare: low_comparison(shift, prices),
        }
    }

    /// The ring of the result: `bits` − `shift`.
    #[must_use]
    pub const fn output_bits(&self) -> Bits {
        self.output
    }

    /// Shares of the quotient.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let shift = self.shift;
        if !self.exact {
            let last = (1 << shift) - 1;
            let mut x = wrap::add_public(party, x, self.bits, last);
            x.iter_mut().for_each(|x| *x >>= shift);
            return Ok(x);
        }
        let Some(compare) = &self.compare else {
            return Ok(x.to_vec());
        };
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let carries = wrap::compared(party, compare, x, self.output).await?;
        let quotients = x.iter().zip(carries);
        let sum = |(&x, carry): (&u64, u64)| self.output.reduce((x >> shift).wrapping_add(carry));
        Ok(quotients.map(sum).collect())
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        match &self.compare {
            Some(compare) if self.exact && n > 0 => wrap::compared_rounds(n, compare, self.output),
            _ => Rounds::none(),
        }
    }
}

fn low_comparison(shift: u32, prices: impl Into<Prices>) -> Option<Millionaire> {
    let prices = prices.into();
    Bits::new(shift).map(|low| Millionaire::new(low, prices))
}
