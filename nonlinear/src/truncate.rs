//! Division of shared values by a power of two.

use channel::Cost;
use ring_arith::{BitVec, Bits};
use sharing::{CotPrice, Session};

use crate::wrap::{self, Bit};
use crate::{Error, Millionaire, Range, SplitMillionaire};

/// Faithful truncation: floor(x / 2^shift), in the same ring.
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of floor(x / 2^shift) mod
/// 2^bits, for every x.
///
/// **Protocol.** [RRK+20; RRG+21]. With x' = x + 2^(bits−1), unsigned, and
/// shares S, C of x': floor(x'/2^d) = (S >> d) + (C >> d) + carry − 2^(bits−d)·wrap, where carry =
/// [S mod 2^d + C mod 2^d ≥ 2^d] and wrap = [S + C ≥ 2^bits]. Both come from one
/// [`SplitMillionaire`] with shared leaves. Then they become numbers in the same two flights, of which
/// the wrap is needed mod 2^d only. (The papers take a comparison of its own for the low bits, and a
/// 1-of-4 OT.) Where more is known of x ([`Range`]), x + 0, x + 2^(bits−2) or x − n takes the place of x', and
/// the wrap is the OR of the shares' highest bits [RRG+21; in HLHD22 without the carry].
///
/// **Security.** Semi-honest.
///
/// **Cost.** [`SplitMillionaire`] of `bits` bits split at `shift` (a [`Millionaire`] of `shift`
/// bits, where the range is known), then two COTs each with the server as sender: ceil(2n/8)
/// bytes to the server, ceil(n·(bits−1)/8) + ceil(n·(shift−1)/8) to the client (`shift` in place of
/// `shift` − 1 where the range is known). Nothing where `shift` is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TruncFaithful {
    bits: Bits,
    shift: u32,
    range: Range,
    /// Carry and wrap, where nothing is known of the values.
    both: SplitMillionaire,
    /// The carry alone.
    low: Option<Millionaire>,
}

impl TruncFaithful {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `shift` is not below `bits`.
    #[must_use]
    pub fn new(bits: Bits, shift: u32, cot_price: CotPrice) -> Self {
        assert!(shift < bits.get(), "a shift by {shift} of {bits} bits");
        Self {
            bits,
            shift,
            range: Range::Any,
            both: SplitMillionaire::new(bits, shift, cot_price),
            low: low_comparison(shift, cot_price),
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
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let Some(wrap_bits) = Bits::new(self.shift) else {
            return Ok(x.to_vec());
        };
        let (bits, shift) = (self.bits, self.shift);
        let offset = self.range.offset(bits);
        let x = wrap::add_public(s, x, bits, offset);
        let (carry, wrap) = self.compare(s, &x)?;
        let wanted = [(Bit::Shared(carry), bits), (wrap, wrap_bits)];
        let shares = wrap::to_arithmetic(s, &wanted)?;
        let quotients = x.iter().zip(&shares[0]).zip(&shares[1]);
        let quotients: Vec<u64> = quotients
            .map(|((&x, &carry), &wrap)| {
                let wrap = wrap << (bits.get() - shift);
                (x >> shift).wrapping_add(carry).wrapping_sub(wrap)
            })
            .collect();
        Ok(wrap::add_public(
            s,
            &quotients,
            bits,
            (offset >> shift).wrapping_neg(),
        ))
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        let Some(wrap_bits) = Bits::new(self.shift) else {
            return Cost::none();
        };
        let wrap_is_compared = self.range == Range::Any;
        let compare = if wrap_is_compared {
            self.both.cost(n)
        } else {
            cost_of(self.low, n)
        };
        let wanted = [(true, self.bits), (wrap_is_compared, wrap_bits)];
        compare.then(wrap::to_arithmetic_cost(n, &wanted))
    }

    fn compare(&self, s: &mut Session, x: &[u64]) -> Result<(BitVec, Bit), Error> {
        let operand = wrap::operand(s, x);
        if self.range == Range::Any {
            let bits = self.both.run(s, &operand)?;
            return Ok((bits.low, Bit::Shared(bits.whole)));
        }
        let wrap = BitVec::bit_of(x, self.bits.get() - 1);
        Ok((carry(s, self.low, &operand)?, Bit::Either(wrap)))
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
/// by [`Millionaire`]. Otherwise local: the server adds 2^d − 1 to its share first, and no carry is
/// added. With s and t the shares mod 2^d, the sum exceeds the floor by \[s > 0\] − \[s + t ≥ 2^d\], which is
/// \[(s + t) mod 2^d > t\].
///
/// **Security.** Semi-honest; the local form sends nothing. Its functionality hands t to the client: whoever
/// opens such a quotient to the client, by itself or through later layers, tells it on which side of a threshold
/// that it knows the bits lie that were cut off. The input shares must be fresh and uniform for the law to hold.
///
/// **Cost.** Exact: [`Millionaire`] of `shift` bits, then one COT each with the server as sender:
/// ceil(n/8) bytes to the server, ceil(n·(bits−shift−1)/8) to the client (none of it where bits −
/// shift = 1). Otherwise nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TruncReduce {
    bits: Bits,
    shift: u32,
    /// The ring of the result.
    output: Bits,
    exact: bool,
    compare: Option<Millionaire>,
}

impl TruncReduce {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `shift` is not below `bits`.
    #[must_use]
    pub fn new(bits: Bits, shift: u32, exact: bool, cot_price: CotPrice) -> Self {
        assert!(shift < bits.get(), "a shift by {shift} of {bits} bits");
        Self {
            bits,
            shift,
            output: Bits::of(bits.get() - shift),
            exact,
            compare: low_comparison(shift, cot_price),
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
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let shift = self.shift;
        if !self.exact {
            let last = (1 << shift) - 1;
            let mut x = wrap::add_public(s, x, self.bits, last);
            x.iter_mut().for_each(|x| *x >>= shift);
            return Ok(x);
        }
        if shift == 0 {
            return Ok(x.to_vec());
        }
        let carry = carry(s, self.compare, &wrap::operand(s, x))?;
        let wanted = [(Bit::Shared(carry), self.output)];
        let carries = wrap::to_arithmetic(s, &wanted)?.swap_remove(0);
        let quotients = x.iter().zip(carries);
        let sum = |(&x, carry): (&u64, u64)| self.output.reduce((x >> shift).wrapping_add(carry));
        Ok(quotients.map(sum).collect())
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        if !self.exact || self.shift == 0 {
            return Cost::none();
        }
        cost_of(self.compare, n).then(wrap::to_arithmetic_cost(n, &[(true, self.output)]))
    }
}

fn low_comparison(shift: u32, cot_price: CotPrice) -> Option<Millionaire> {
    Bits::new(shift).map(|low| Millionaire::new(low, cot_price))
}

/// The carry out of the low bits, none where there are no low bits.
fn carry(s: &mut Session, compare: Option<Millionaire>, operand: &[u64]) -> Result<BitVec, Error> {
    match compare {
        Some(compare) => compare.run(s, operand),
        None => Ok(BitVec::zeros(operand.len())),
    }
}

fn cost_of(compare: Option<Millionaire>, n: usize) -> Cost {
    compare.map_or_else(Cost::none, |compare| compare.cost(n))
}
