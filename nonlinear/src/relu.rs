//! The rectifier.

use ring_arith::Bits;
use sharing::{Mux, Party, Rounds};

use crate::{Drelu, Error, Prices};

/// max(x, 0).
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of max(x, 0).
///
/// **Protocol.** [RRK+20]: [`Drelu`], then [`Mux`].
///
/// **Security.** Semi-honest.
///
/// **Cost.** [`Drelu`], then [`Mux`]: one round more than the comparison. Nothing for no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relu {
    bits: Bits,
    sign: Drelu,
}

impl Relu {
    /// Values of `bits` bits, where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let sign = Drelu::new(bits, prices);
        Self { bits, sign }
    }

    /// Shares of max(x, 0).
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let positive = self.sign.run(party, x).await?;
        Ok(self.mux().run(party, &positive, x).await?)
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        self.sign.rounds(n).then(self.mux().rounds(n))
    }

    const fn mux(&self) -> Mux {
        Mux { bits: self.bits }
    }
}
