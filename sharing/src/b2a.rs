//! Boolean to arithmetic.

use channel::{Cost, Role};
use ring_arith::{BitVec, Bits};

use crate::bit_products::BitProducts;
use crate::error::Error;
use crate::session::Session;

/// The product of the parties' own bits. The server sends: the protocol then ends with the server speaking, as the next
/// linear layer begins (there the server is the OT receiver and speaks first), which makes them one flight; and the longer
/// message goes against the linear layers', which the client sends.
const PRODUCT: BitProducts = BitProducts {
    sender: Role::Server,
};

/// Arithmetic shares of shared bits.
///
/// **Functionality.** From boolean shares of b, fresh shares mod 2^bits of the number b, 0 or 1.
///
/// **Protocol.** b = b_S + b_C − 2·b_S·b_C \[RRK+20\], where the product is a [`BitProducts`]: one COT with
/// correlation b_S and choice b_C. The product is doubled, so the COT runs mod 2^(bits−1), one bit less than there. In a
/// ring of one bit b_S and b_C are the shares.
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
        let mut share = b.to_values();
        let Some(half) = self.half() else {
            return s.attempt(|_| Ok(share));
        };
        let products = if s.role() == PRODUCT.sender {
            PRODUCT.run_sender(s, &[(&share, half)])?
        } else {
            PRODUCT.run_receiver(s, &[(b, half)])?
        };
        for (share, product) in share.iter_mut().zip(&products[0]) {
            *share = self.bits.reduce(share.wrapping_sub(product << 1));
        }
        Ok(share)
    }

    /// The cost of n bits.
    #[must_use]
    pub fn cost(self, n: usize) -> Cost {
        self.half()
            .map_or_else(Cost::none, |half| PRODUCT.cost(&[(n, half)]))
    }

    /// The ring of the product, one bit below the result's.
    const fn half(self) -> Option<Bits> {
        Bits::new(self.bits.get() - 1)
    }
}
