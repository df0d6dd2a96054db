//! Clipping between zero and a public bound.

use ring_arith::Bits;
use sharing::{And, B2a, Mux, Party, Rounds};

use crate::bounds::Bounds;
use crate::{Error, Prices};

/// clip(x, 0, top).
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of min(max(x, 0), top),
/// for every x. The bound is public.
///
/// **Protocol.** With b = \[x ≥ 0\] and t = \[x − top ≥ 0\], two comparisons as in [`Drelu`](crate::Drelu), and
/// c = b ∧ t: the result is x·(b ⊕ c) + top·c, a [`Mux`] and a [`B2a`]. Where x − top wraps, x is negative, so that b and with
/// it c are 0. The bound goes into the server's share, so both comparisons share the client's choices, and below the lowest bit
/// that is set in the bound, one comparison. Compared with one `ReLU` after another this takes about half of the rounds.
///
/// **Security.** Semi-honest.
///
/// **Cost** for n values, exactly [`Clip::rounds`]: two rounds more than a comparison. Nothing for no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clip {
    bits: Bits,
    top: u64,
    bounds: Bounds,
}

impl Clip {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// Unless 0 < `top` <= 2^(bits−1) − 1.
    #[must_use]
    pub fn new(bits: Bits, top: i64, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(
            0 < top && top <= bits.max_signed(),
            "a bound of {top} mod 2^{bits}"
        );
        let top = bits.from_signed(top);
        let bounds = Bounds::new(bits, top, prices);
        Self { bits, top, bounds }
    }

    /// Shares of clip(x, 0, top).
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let bits = self.bits;
        let (mut inside, above) = self.bounds.run(party, x).await?;
        let above = And.run(party, &inside, &above).await?;
        inside.xor_assign(&above);
        let (mux, b2a) = (Mux { bits }, B2a { bits });
        let last = party.both(mux.run(party, &inside, x), b2a.run(party, &above));
        let (mut y, above) = last.await?;
        for (y, above) in y.iter_mut().zip(above) {
            *y = bits.reduce(y.wrapping_add(above.wrapping_mul(self.top)));
        }
        Ok(y)
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let bits = self.bits;
        let (mux, b2a) = (Mux { bits }, B2a { bits });
        (self.bounds.rounds(n))
            .then(And.rounds(n))
            .then(mux.rounds(n).beside(b2a.rounds(n)))
    }
}
