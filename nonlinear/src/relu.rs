//! The rectifier.

use channel::Cost;
use ring_arith::Bits;
use sharing::{CotPrice, Mux, Session};

use crate::{Drelu, Error};

/// max(x, 0).
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of max(x, 0).
///
/// **Protocol.** [RRK+20]: [`Drelu`], then [`Mux`].
///
/// **Security.** Semi-honest.
///
/// **Cost.** [`Drelu`] then [`Mux`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relu {
    bits: Bits,
    sign: Drelu,
}

impl Relu {
    /// Values of `bits` bits, where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, cot_price: CotPrice) -> Self {
        let sign = Drelu::new(bits, cot_price);
        Self { bits, sign }
    }

    /// Shares of max(x, 0).
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let positive = self.sign.run(s, x)?;
        Ok(self.mux().run(s, &positive, x)?)
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        self.sign.cost(n).then(self.mux().cost(n))
    }

    const fn mux(self) -> Mux {
        Mux { bits: self.bits }
    }
}
