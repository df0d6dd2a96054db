//! Random bits that are shared both as bits and as numbers.

use channel::Role;
use ring_arith::{BitVec, Bits};

use crate::error::Error;
use crate::party::Party;
use crate::random_products::RandomProducts;
use crate::rounds::Rounds;

/// Random bits, shared as bits and mod 2^bits as the numbers 0 and 1: daBits \[RW19\].
///
/// **Functionality.** Fresh boolean shares of random bits q that neither party knows, at once; later, fresh shares mod 2^bits of q.
///
/// **Protocol.** q = c_S ⊕ c_C is c_S + c_C − 2·c_S·c_C \[RRK+20\], and the product is one COT whose choice c_C is random. It is doubled, so
/// the COT runs mod 2^(bits−1). In a ring of one bit the shares of the bit are those of the number.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for n bits: a round in which the server speaks, ceil(n·(bits−1)/8) bytes; n COTs with the server as sender. Nothing where
/// `bits` is 1.
pub struct RandomBits {
    bits: Bits,
    own: BitVec,
    product: Option<RandomProducts>,
}

impl std::fmt::Debug for RandomBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RandomBits")
            .field("bits", &self.bits)
            .finish_non_exhaustive()
    }
}

impl RandomBits {
    /// Draws `n` bits.
    ///
    /// # Errors
    /// When the pools fail.
    pub fn draw(party: &Party<'_>, n: usize, bits: Bits) -> Result<Self, Error> {
        if let Some(half) = half(bits) {
            let product = RandomProducts::draw(party, Role::Server, n, half)?;
            let own = product.own().clone();
            let product = Some(product);
            return Ok(Self { bits, own, product });
        }
        let words = party.with_rng(|rng| (0..n.div_ceil(64)).map(|_| rng.next_u64()).collect());
        let (own, product) = (BitVec::from_words(n, words), None);
        Ok(Self { bits, own, product })
    }

    /// This party's shares of the bits.
    #[must_use]
    pub const fn bits(&self) -> &BitVec {
        &self.own
    }

    /// This party's shares of the numbers.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn numbers(self, party: &Party<'_>) -> Result<Vec<u64>, Error> {
        let mut share = self.own.to_values();
        if let Some(product) = self.product {
            let product = product.run(party, share.clone()).await?;
            for (share, product) in share.iter_mut().zip(product.iter()) {
                *share = self.bits.reduce(share.wrapping_sub(product << 1));
            }
        }
        Ok(share)
    }

    /// The round of n numbers.
    #[must_use]
    pub fn rounds(n: usize, bits: Bits) -> Rounds {
        match half(bits) {
            Some(half) if n > 0 => RandomProducts::rounds(Role::Server, n, half),
            _ => Rounds::none(),
        }
    }
}

/// The ring of the product, one bit below the result's.
const fn half(bits: Bits) -> Option<Bits> {
    Bits::new(bits.get() - 1)
}
