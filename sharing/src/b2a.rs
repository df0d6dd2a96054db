//! Boolean to arithmetic.

use channel::Role;
use ring_arith::{BitVec, Bits};

use crate::boolean::OpenBits;
use crate::error::Error;
use crate::party::Party;
use crate::random_products::RandomProducts;
use crate::rounds::Rounds;

/// Arithmetic shares of shared bits.
///
/// **Functionality.** From boolean shares of b, fresh shares mod 2^bits of the number b, 0 or 1.
///
/// **Protocol.** A random bit q = c_S ⊕ c_C becomes a number, c_S + c_C − 2·c_S·c_C \[RRK+20\], by one COT with the server's random
/// bit as correlation and the random choice c_C. The product is doubled, so the COT runs mod 2^(bits−1). (Such bits, shared in both
/// ways, are known as daBits \[RW19\].) In the same round D = b ⊕ q is opened, and b is q where D = 0, 1 − q where D = 1. So it takes
/// one round, where a chosen bit takes two. In a ring of one bit the shares of b are those of the number.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random q, which is used for nothing else.
///
/// **Cost** for n bits: a round in which both speak, ceil(n/8) bytes each way and ceil(n·(bits−1)/8) more from the server; n COTs with
/// the server as sender. Nothing where `bits` is 1.
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
    pub async fn run(self, party: &Party<'_>, b: &BitVec) -> Result<Vec<u64>, Error> {
        let (n, server) = (b.len(), party.role().is_server());
        let Some(half) = self.half().filter(|_| n > 0) else {
            return Ok(b.to_values());
        };
        // c_S·c_C mod 2^(bits−1).
        let product = RandomProducts::draw(party, Role::Server, n, half)?;
        let own = product.own().clone();
        let product = product.run(party, own.to_values());
        let differs = b.xor(&own);
        let differs = OpenBits.run(party, &differs);
        let (product, differs) = party.both(product, differs).await?;

        let mut share = Vec::with_capacity(n);
        let bits = own.words().iter().zip(differs.words());
        for (product, (&own, &differs)) in product.chunks(64).zip(bits) {
            share.extend(product.iter().enumerate().map(|(i, product)| {
                let q = (own >> i & 1).wrapping_sub(product << 1);
                let differs = differs >> i & 1;
                let flip = differs.wrapping_neg();
                // q, or 1 − q.
                let number = (q ^ flip).wrapping_sub(flip);
                self.bits
                    .reduce(number.wrapping_add(differs & u64::from(server)))
            }));
        }
        Ok(share)
    }

    /// The round of n bits.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        match self.half() {
            Some(half) if n > 0 => {
                RandomProducts::rounds(Role::Server, n, half).beside(OpenBits.rounds(n))
            }
            _ => Rounds::none(),
        }
    }

    /// The ring of the product, one bit below the result's.
    const fn half(self) -> Option<Bits> {
        Bits::new(self.bits.get() - 1)
    }
}
