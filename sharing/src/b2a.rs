//! Boolean to arithmetic.

use ring_arith::{BitVec, Bits};
use zeroize::Zeroizing;

use crate::boolean::OpenBits;
use crate::error::Error;
use crate::party::Party;
use crate::random_bits;
use crate::rounds::Rounds;

/// Arithmetic shares of shared bits.
///
/// **Functionality.** From boolean shares of b, fresh shares mod 2^bits of the number b, 0 or 1.
///
/// **Protocol.** First a random bit q = c_S ⊕ c_C as a number, which needs no b ([`B2a::prepare`]): q = c_S + c_C − 2·c_S·c_C
/// \[RRK+20\], one COT with the server's random bit as correlation and the random choice c_C. The product is doubled, so the COT
/// runs mod 2^(bits−1). Such bits that are shared in both ways are known as daBits \[RW19\]. Then, when b is there, D = b ⊕ q is opened
/// ([`DaBits::convert`]), and b is q where D = 0, 1 − q where D = 1. In a ring of one bit the shares of b are those of the number.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random q, which is used for nothing else.
///
/// **Cost** for n bits: a round in which the server speaks, ceil(n·(bits−1)/8) bytes, and one in which both do, ceil(n/8)
/// bytes each way; n COTs with the server as sender. Nothing where `bits` is 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct B2a {
    /// The ring of the result.
    pub bits: Bits,
}

/// Random bits, shared as bits and as numbers, between the two steps of a [`B2a`].
///
/// They serve once, since a second opening with the same random bits would tell how the two vectors of bits differ:
///
/// ```compile_fail,E0382
/// # use ring_arith::{BitVec, Bits};
/// # use sharing::{B2a, Error, Party};
/// # async fn twice(party: &Party<'_>, b: &BitVec, c: &BitVec) -> Result<(), Error> {
/// let random = B2a { bits: Bits::of(8) }.prepare(party, b.len()).await?;
/// random.convert(party, b).await?;
/// random.convert(party, c).await?;
/// # Ok(())
/// # }
/// ```
pub struct DaBits {
    bits: Bits,
    /// In a ring of one bit there are none.
    random: Option<(BitVec, Zeroizing<Vec<u64>>)>,
}

impl B2a {
    /// Arithmetic shares of the bits `b`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(self, party: &Party<'_>, b: &BitVec) -> Result<Vec<u64>, Error> {
        self.prepare(party, b.len()).await?.convert(party, b).await
    }

    /// The first step for `n` bits, without the bits: one round in which the server speaks.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn prepare(self, party: &Party<'_>, n: usize) -> Result<DaBits, Error> {
        let Some(half) = self.half() else {
            let random = None;
            return Ok(DaBits {
                bits: self.bits,
                random,
            });
        };
        let (own, product) = random_bits::product(party, n, half).await?;
        let mut number = Zeroizing::new(own.to_values());
        for (number, product) in number.iter_mut().zip(&*product) {
            *number = self.bits.reduce(number.wrapping_sub(product << 1));
        }
        Ok(DaBits {
            bits: self.bits,
            random: Some((own, number)),
        })
    }

    /// The rounds of n bits.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        self.prepare_rounds(n).then(self.convert_rounds(n))
    }

    /// The round of [`B2a::prepare`].
    #[must_use]
    pub fn prepare_rounds(self, n: usize) -> Rounds {
        self.half()
            .map_or_else(Rounds::none, |half| random_bits::rounds(n, half))
    }

    /// The round of [`DaBits::convert`].
    #[must_use]
    pub fn convert_rounds(self, n: usize) -> Rounds {
        self.half()
            .map_or_else(Rounds::none, |_| OpenBits.rounds(n))
    }

    /// The ring of the product, one bit below the result's.
    const fn half(self) -> Option<Bits> {
        Bits::new(self.bits.get() - 1)
    }
}

impl DaBits {
    /// The last step: arithmetic shares of the bits `b`, in one round in which both speak.
    ///
    /// # Errors
    /// When the stream fails.
    ///
    /// # Panics
    /// When there are not as many bits as were prepared.
    pub async fn convert(self, party: &Party<'_>, b: &BitVec) -> Result<Vec<u64>, Error> {
        let Some((random, number)) = self.random else {
            return Ok(b.to_values());
        };
        assert_eq!(b.len(), random.len(), "as many bits as were prepared");
        let differs = OpenBits.run(party, &b.xor(&random)).await?;
        let one = u64::from(party.role().is_server());
        let mut share = Vec::with_capacity(b.len());
        for (number, &differs) in number.chunks(64).zip(differs.words()) {
            share.extend(number.iter().enumerate().map(|(i, number)| {
                let flip = (differs >> i & 1).wrapping_neg();
                // q, or 1 − q.
                let number = (number ^ flip).wrapping_sub(flip);
                self.bits.reduce(number.wrapping_add(one & flip))
            }));
        }
        Ok(share)
    }
}

impl std::fmt::Debug for DaBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DaBits")
            .field("bits", &self.bits)
            .finish_non_exhaustive()
    }
}
