//! Boolean to arithmetic.

use channel::{Cost, Role};
use ot::cot_words_cost;
use ring_arith::{BitVec, Bits};

use crate::error::Error;
use crate::session::Session;

/// The OT sender. The server: the protocol then ends with the server speaking, as the next linear
/// layer begins (there the server is the OT receiver and speaks first), which makes them one flight;
/// and the longer message goes against the linear layers', which the client sends.
const SENDER: Role = Role::Server;

/// Arithmetic shares of shared bits.
///
/// **Functionality.** From boolean shares of b, fresh shares mod 2^bits of the number b, 0 or 1.
///
/// **Protocol.** b = b_S + b_C − 2·b_S·b_C, the product from one COT with correlation b_S and choice
/// b_C \[RRK+20\]. The product is doubled, so the COT runs
/// mod 2^(bits−1): one bit less than there. For one bit b_S and b_C are the shares.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for n bits: n COTs with the server as sender, of bits − 1 bits each: ceil(n/8) bytes
/// to the server, then ceil(n·(bits−1)/8) to the client; nothing where `bits` is 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct B2a {
    /// The ring of the result.
    pub bits: Bits,
}

impl B2a {
    /// Arithmetic shares of the bits `b`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub fn run(self, s: &mut Session, b: &BitVec) -> Result<Vec<u64>, Error> {
        let own = b.to_values();
        let Some(half) = self.half() else {
            return s.attempt(|_| Ok(own));
        };
        s.attempt(|s| {
            let (role, (channel, sender, receiver)) = (s.role(), s.ot());
            // Shares of −b_S·b_C: the sender's is r, the receiver's −(r + b_S·b_C).
            let (product, sign) = if role == SENDER {
                (sender.cot_words(channel, &own, half)?, 1)
            } else {
                (receiver.cot_words(channel, b, half)?, u64::MAX)
            };
            let sum = own.iter().zip(&product).map(|(&own, &p)| {
                let doubled = p.wrapping_mul(sign).wrapping_shl(1);
                self.bits.reduce(own.wrapping_add(doubled))
            });
            Ok(sum.collect())
        })
    }

    /// The cost of n bits.
    #[must_use]
    pub fn cost(self, n: usize) -> Cost {
        self.half()
            .map_or_else(Cost::none, |half| cot_words_cost(n, half, SENDER))
    }

    /// The ring of the product, one bit below the result's.
    const fn half(self) -> Option<Bits> {
        Bits::new(self.bits.get() - 1)
    }
}
