//! Products of one party's numbers with the other party's bits.

use channel::Role;
use ring_arith::{BitVec, Bits, slices};

use crate::boolean::RevealBits;
use crate::error::Error;
use crate::party::Party;
use crate::random_products::RandomProducts;
use crate::rounds::Rounds;

/// Products of numbers that one party knows with bits that the other party knows.
///
/// **Functionality.** The sender has numbers x, the other party as many bits b. Both get fresh shares of b·x mod 2^bits.
///
/// **Protocol.** One COT for each product \[ALSZ13\], with a random choice c instead of b, gives shares of c·x; in the same round the
/// other party sends D = b ⊕ c, and b·x is c·x where D = 0, x − c·x where D = 1. So it takes one round, where a chosen bit takes two.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random c, which is used for nothing else.
///
/// **Cost** for n products: a round in which both speak, ceil(n/8) bytes to the sender and ceil(n·bits/8) from it; n COTs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct BitProducts {
    /// The party that has the numbers, and sends in the OTs.
    pub sender: Role,
    /// The ring of the products.
    pub bits: Bits,
}

/// What a party brings to [`BitProducts`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "two parties")]
pub enum Factors<'a> {
    /// The sender's numbers; bits above the ring are ignored.
    Numbers(&'a [u64]),
    /// The other party's bits.
    Bits(&'a BitVec),
}

impl BitProducts {
    /// This party's shares of the products.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the sender brings bits or the other party numbers.
    pub async fn run(self, party: &Party<'_>, factors: Factors<'_>) -> Result<Vec<u64>, Error> {
        let (n, sends) = match factors {
            Factors::Numbers(x) => (x.len(), true),
            Factors::Bits(b) => (b.len(), false),
        };
        assert_eq!(
            party.role() == self.sender,
            sends,
            "the sender has the numbers"
        );
        if n == 0 {
            return Ok(Vec::new());
        }
        let product = RandomProducts::draw(party, self.sender, n, self.bits)?;
        // D: the sender's share of it is nothing.
        let (own, numbers) = match factors {
            Factors::Numbers(x) => (BitVec::zeros(n), x.to_vec()),
            Factors::Bits(b) => (b.xor(product.own()), Vec::new()),
        };
        let product = product.run(party, numbers);
        let differs = self.open().run(party, &own);
        let (mut share, differs) = party.both(product, differs).await?;
        let differs = differs.unwrap_or(own);
        for (share, &differs) in share.chunks_mut(64).zip(differs.words()) {
            for (i, share) in share.iter_mut().enumerate() {
                let flip = mask(differs, i);
                *share = (*share ^ flip).wrapping_sub(flip);
            }
        }
        if let Factors::Numbers(x) = factors {
            for (i, (share, x)) in share.iter_mut().zip(x).enumerate() {
                *share = share.wrapping_add(x & mask(differs.words()[i / 64], i % 64));
            }
        }
        slices::reduce_slice(self.bits, &mut share);
        Ok(std::mem::take(&mut share))
    }

    /// The round of n products.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        RandomProducts::rounds(self.sender, n, self.bits).beside(self.open().rounds(n))
    }

    const fn open(self) -> RevealBits {
        RevealBits { to: self.sender }
    }
}

/// All ones where bit `i` of `word` is set.
const fn mask(word: u64, i: usize) -> u64 {
    (word >> i & 1).wrapping_neg()
}
