//! The sign of a shared value.

use ring_arith::{BitVec, Bits};
use sharing::{Party, Rounds};

use crate::{Error, Millionaire, Prices, wrap};

/// The derivative of `ReLU`: is a shared value at least 0?
///
/// **Functionality.** From arithmetic shares of a signed x mod 2^bits, boolean shares of [x ≥ 0].
/// Bits of the shares above `bits` are ignored. So a value of a wider ring that is known to fit `bits`
/// bits can be given as it is; the result is 1 − (bit `bits` − 1 of x).
///
/// **Protocol.** [RRK+20, Algorithm 2]: msb(x) is the XOR of the shares' highest bits and of the
/// carry out of the bits below, and the carry is a comparison of `bits` − 1 bits: S' > 2^(bits−1)
/// − 1 − C'. (The paper finds the carry with "less than", and has the offset on the other side.)
///
/// **Security.** That of [`Millionaire`].
///
/// **Cost.** That of a [`Millionaire`] of `bits` − 1 bits; nothing where `bits` is 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drelu {
    bits: Bits,
    carry: Option<Millionaire>,
}

impl Drelu {
    /// Values of `bits` bits, where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let carry = Bits::new(bits.get() - 1).map(|low| Millionaire::new(low, prices));
        Self { bits, carry }
    }

    /// Shares of [x ≥ 0].
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<BitVec, Error> {
        let mut sign = BitVec::bit_of(x, self.bits.get() - 1);
        if let Some(carry) = &self.carry {
            sign.xor_assign(&carry.run(party, &wrap::operand(party, x)).await?);
        }
        if party.role().is_server() {
            sign.not_assign();
        }
        Ok(sign)
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        let carry = self.carry.as_ref();
        carry.map_or_else(Rounds::none, |carry| carry.rounds(n))
    }
}
