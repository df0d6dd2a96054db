//! Products of the server's numbers with the client's bits.

use ring_arith::{BitVec, Bits, slices};
use zeroize::Zeroizing;

use crate::boolean::RevealBits;
use crate::error::Error;
use crate::party::Party;
use crate::random_products::RandomProducts;
use crate::rounds::Rounds;
use channel::Role;

/// Products of numbers that the server knows with bits that the client knows.
///
/// **Functionality.** The server has numbers x, the client as many bits b. Both get fresh shares of b·x mod 2^bits.
///
/// **Protocol.** One COT for each product \[ALSZ13\], with a random choice c instead of b, gives shares of c·x; in the same round the
/// client sends D = b ⊕ c, and b·x is c·x where D = 0, x − c·x where D = 1. So it takes one round, where a chosen bit takes two.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random c, which is used for nothing else.
///
/// **Cost** for n products: a round in which both speak, ceil(n/8) bytes to the server and ceil(n·bits/8) to the client; n COTs with the
/// server as sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct BitProducts {
    /// The ring of the products.
    pub bits: Bits,
}

/// What a party brings to [`BitProducts`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "two parties")]
pub enum Factors<'a> {
    /// The server's numbers; bits above the ring are ignored.
    Numbers(&'a [u64]),
    /// The client's bits.
    Bits(&'a BitVec),
}

impl BitProducts {
    /// This party's shares of the products.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the server brings bits or the client numbers.
    pub async fn run(self, party: &Party<'_>, factors: Factors<'_>) -> Result<Vec<u64>, Error> {
        let to_server = RevealBits { to: Role::Server };
        match factors {
            Factors::Numbers(x) => {
                assert_eq!(party.role(), Role::Server, "the server has the numbers");
                if x.is_empty() {
                    return Ok(Vec::new());
                }
                let product = RandomProducts::draw(party, x.len(), self.bits)?;
                let product = product.run(party, x.to_vec());
                // Its own share of D is nothing.
                let nothing = BitVec::zeros(x.len());
                let differs = to_server.run(party, &nothing);
                let (mut share, differs) = party.both(product, differs).await?;
                let differs = differs.expect("the server learns it");
                flip(&mut share, &differs, Some(x));
                slices::reduce_slice(self.bits, &mut share);
                Ok(std::mem::take(&mut share))
            }
            Factors::Bits(b) => {
                assert_eq!(party.role(), Role::Client, "the client has the bits");
                if b.is_empty() {
                    return Ok(Vec::new());
                }
                let product = RandomProducts::draw(party, b.len(), self.bits)?;
                let differs = b.xor(product.own());
                let product = product.run(party, Vec::new());
                let (mut share, _) = party.both(product, to_server.run(party, &differs)).await?;
                flip(&mut share, &differs, None);
                slices::reduce_slice(self.bits, &mut share);
                Ok(std::mem::take(&mut share))
            }
        }
    }

    /// The round of n products.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let to_server = RevealBits { to: Role::Server };
        RandomProducts::rounds(n, self.bits).beside(to_server.rounds(n))
    }
}

/// Where D is set, x − the product in place of the product; the server adds its x.
fn flip(share: &mut Zeroizing<Vec<u64>>, differs: &BitVec, x: Option<&[u64]>) {
    for (i, share) in share.iter_mut().enumerate() {
        let differs = (differs.words()[i / 64] >> (i % 64) & 1).wrapping_neg();
        *share = (*share ^ differs).wrapping_sub(differs);
        if let Some(x) = x {
            *share = share.wrapping_add(x[i] & differs);
        }
    }
}
