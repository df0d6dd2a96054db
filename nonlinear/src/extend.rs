//! From a narrow ring to a wide one.

use ring_arith::{BitVec, Bits};
use sharing::{Party, Rounds};
use zeroize::Zeroizing;

use crate::{Error, Millionaire, Prices, wrap};

/// What the caller knows about signed values of l bits. It must be certain: for a value outside of the
/// range, the results are shares of an unrelated number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one")]
pub enum Range {
    /// Nothing.
    #[default]
    Any,
    /// 0 ≤ x < 2^(l−1).
    Nonnegative,
    /// −2^(l−2) ≤ x < 2^(l−2). Needs l ≥ 2.
    Half,
    /// n ≤ x < n + 2^(l−1) for this n, −2^(l−1) ≤ n ≤ 0. A truncation by d bits needs a multiple of 2^d.
    From(i64),
}

/// The wrap of shares mod 2^from: how it is found, and in which ring it is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Extension {
    from: Bits,
    to: Bits,
    /// `None`: the value is below half of the ring.
    compare: Option<Millionaire>,
}

impl Extension {
    /// # Panics
    /// If `to` is below `from`.
    fn new(from: Bits, to: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(from <= to, "an extension from {from} to {to} bits");
        let compare = Some(Millionaire::new(from, prices));
        Self { from, to, compare }
    }

    /// The ring of the wrap: it counts 2^from. `None` where nothing is to be done.
    const fn missing(&self) -> Option<Bits> {
        Bits::new(self.to.get() - self.from.get())
    }

    /// Shares mod 2^to of the unsigned value: S + C − 2^from·wrap.
    async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let Some(missing) = self.missing() else {
            return Ok(x.to_vec());
        };
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let wraps = match &self.compare {
            Some(compare) => wrap::compared(party, compare, x, missing).await?,
            None => {
                let highest = BitVec::bit_of(x, self.from.get() - 1);
                wrap::either(party, &highest, missing).await?
            }
        };
        let wide = x
            .iter()
            .zip(wraps)
            .map(|(&x, wrap)| self.to.reduce(x.wrapping_sub(wrap << self.from.get())));
        Ok(wide.collect())
    }

    fn rounds(&self, n: usize) -> Rounds {
        match (self.missing(), &self.compare) {
            _ if n == 0 => Rounds::none(),
            (None, _) => Rounds::none(),
            (Some(missing), None) => wrap::either_rounds(n, missing),
            (Some(missing), Some(compare)) => wrap::compared_rounds(n, compare, missing),
        }
    }
}

/// Zero-extension: Z_2^from to Z_2^to, values read as unsigned.
///
/// **Functionality.** From shares of x mod 2^from, 0 ≤ x < 2^from, fresh shares of x mod 2^to.
///
/// **Protocol.** [RRG+21]: a [`Millionaire`] finds the wrap, whether S + C ≥ 2^from. [`sharing::B2a`]
/// makes a number mod 2^(to−from) of it, and 2^from times that is subtracted. For values known to be below
/// 2^(from−1) the wrap is the OR of the shares' highest bits, which takes one COT [RRG+21, "MSB-to-wrap"].
///
/// **Security.** Semi-honest.
///
/// **Cost** for n values. [`Millionaire`] of `from` bits, then [`sharing::B2a`] in a ring of to − from bits
/// (where to − from = 1 there is no [`sharing::B2a`]). For values known to be below half of the ring,
/// only one round of [`sharing::BitProducts`], ceil(n/8) bytes to the server and ceil(n·(to−from)/8) to the client. Nothing
/// where `from` = `to`, or for no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZeroExtend {
    inner: Extension,
}

impl ZeroExtend {
    /// From `from` to `to` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `to` is below `from`.
    #[must_use]
    pub fn new(from: Bits, to: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let inner = Extension::new(from, to, prices);
        Self { inner }
    }

    /// For values that are known to be below 2^(from−1).
    #[must_use]
    pub fn known_nonnegative(mut self) -> Self {
        self.inner.compare = None;
        self
    }

    /// Shares of x mod 2^to.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        self.inner.run(party, x).await
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        self.inner.rounds(n)
    }
}

/// Sign-extension: Z_2^from to Z_2^to, values read as signed.
///
/// **Functionality.** From shares of a signed x mod 2^from, fresh shares of x mod 2^to.
///
/// **Protocol.** [RRG+21]: zero-extension of x + 2^(from−1), which is unsigned, from which 2^(from−1)
/// is then subtracted. Where more is known ([`Range`]), 0, 2^(from−2) or −n is added instead, which moves
/// the values into the lower half of the ring, and the wrap costs one COT.
///
/// **Security.** Semi-honest.
///
/// **Cost.** That of [`ZeroExtend`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignExtend {
    inner: Extension,
    range: Range,
}

impl SignExtend {
    /// From `from` to `to` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `to` is below `from`.
    #[must_use]
    pub fn new(from: Bits, to: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        Self {
            inner: Extension::new(from, to, prices),
            range: Range::Any,
        }
    }

    /// For values that are known to lie in `range`.
    ///
    /// # Panics
    /// If `range` is not one of the ring.
    #[must_use]
    pub fn within(mut self, range: Range) -> Self {
        range.check(self.inner.from, 0);
        if range != Range::Any {
            self.inner.compare = None;
        }
        self.range = range;
        self
    }

    /// Shares of x mod 2^to.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let Extension { from, to, .. } = self.inner;
        if from == to {
            return Ok(x.to_vec());
        }
        let offset = self.range.offset(from);
        let shifted = Zeroizing::new(wrap::add_public(party, x, from, offset));
        let wide = self.inner.run(party, &shifted).await?;
        Ok(wrap::add_public(party, &wide, to, offset.wrapping_neg()))
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        self.inner.rounds(n)
    }
}

impl Range {
    /// # Panics
    /// If there is no such range of values of `bits` bits that are cut by `shift`.
    pub(crate) fn check(self, bits: Bits, shift: u32) {
        let fits = match self {
            Self::Any | Self::Nonnegative => true,
            Self::Half => shift + 2 <= bits.get(),
            Self::From(low) => {
                (bits.min_signed()..=0).contains(&low) && low >> shift << shift == low
            }
        };
        assert!(fits, "{self:?} of {bits} bits, cut by {shift}");
    }

    /// What is added so that the values become unsigned; below half of the ring, where anything is
    /// known of them.
    pub(crate) const fn offset(self, bits: Bits) -> u64 {
        match self {
            Self::Any => 1 << (bits.get() - 1),
            Self::Nonnegative => 0,
            Self::Half => 1 << (bits.get() - 2),
            Self::From(low) => low.unsigned_abs(),
        }
    }
}
