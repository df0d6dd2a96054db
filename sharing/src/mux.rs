//! Selection by a shared bit.

use ring_arith::{BitVec, Bits, packed_len};
use zeroize::Zeroizing;

use crate::boolean::OpenBits;
use crate::cross::{Random, Terms};
use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// Products of shared values with shared bits: x·b.
///
/// **Functionality.** From arithmetic shares of x mod 2^bits and boolean shares of b, fresh shares
/// of x where b = 1 and of 0 where b = 0.
///
/// **Protocol.** First the product with a random bit q = c_S ⊕ c_C, which needs no b ([`Mux::prepare`]). For either party P
/// with peer Q, x_P·(c_P ⊕ c_Q) = x_P·c_P + c_Q·x_P·(1 − 2·c_P): a COT from P whose choice c_Q is random \[RRK+20, with chosen
/// bits\]. Then, when b is there, D = b ⊕ q is opened ([`MaskedValues::select`]), and x·b is q·x where D = 0, x − q·x where D = 1. So
/// the values travel while b is still computed, and b costs one flight more instead of two.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random q, which is used for nothing else.
///
/// **Cost** for n values: a round in which both speak, of ceil(n·bits/8) bytes each way, and another one of ceil(n/8)
/// bytes each way; n COTs in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Mux {
    /// The ring of the values.
    pub bits: Bits,
}

/// Shared values and their products with random shared bits, between the two steps of a [`Mux`].
///
/// They serve once, since a second opening with the same random bits would tell how the two choices differ:
///
/// ```compile_fail,E0382
/// # use ring_arith::{BitVec, Bits};
/// # use sharing::{Error, Mux, Party};
/// # async fn twice(party: &Party<'_>, x: &[u64], b: &BitVec, c: &BitVec) -> Result<(), Error> {
/// let masked = Mux { bits: Bits::of(8) }.prepare(party, x).await?;
/// masked.select(party, b).await?;
/// masked.select(party, c).await?;
/// # Ok(())
/// # }
/// ```
pub struct MaskedValues {
    bits: Bits,
    values: Zeroizing<Vec<u64>>,
    /// This party's share of the random bits q.
    masks: BitVec,
    /// Shares of q·x.
    masked: Zeroizing<Vec<u64>>,
}

impl Mux {
    /// Shares of `x·choice`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the lengths differ.
    pub async fn run(
        self,
        party: &Party<'_>,
        choice: &BitVec,
        x: &[u64],
    ) -> Result<Vec<u64>, Error> {
        assert_eq!(choice.len(), x.len(), "one bit per value");
        self.prepare(party, x).await?.select(party, choice).await
    }

    /// The first step, without the bits: one round in which both speak.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn prepare(self, party: &Party<'_>, x: &[u64]) -> Result<MaskedValues, Error> {
        let random = Random::draw(party, x.len(), self.bits)?;
        let masks = random.choices();
        let correlations = Zeroizing::new(signed(&masks, x));
        let Terms { received, sent } = random.offer(party, &correlations, self.bits).await?;
        let mut masked = Zeroizing::new(received);
        let inputs = sent.chunks(64).zip(x.chunks(64)).zip(masks.words());
        for (masked, ((sent, x), &masks)) in masked.chunks_mut(64).zip(inputs) {
            for (i, (masked, (sent, x))) in masked.iter_mut().zip(sent.iter().zip(x)).enumerate() {
                let own = (x & mask(masks, i)).wrapping_sub(*sent);
                *masked = self.bits.reduce(masked.wrapping_add(own));
            }
        }
        Ok(MaskedValues {
            bits: self.bits,
            values: Zeroizing::new(x.to_vec()),
            masks,
            masked,
        })
    }

    /// The rounds of n values.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        self.prepare_rounds(n).then(self.select_rounds(n))
    }

    /// The round of [`Mux::prepare`].
    #[must_use]
    pub fn prepare_rounds(self, n: usize) -> Rounds {
        let bytes = packed_len(n, self.bits) as u64;
        Rounds::exchange(bytes, bytes).with_cots(n as u64, n as u64)
    }

    /// The round of [`MaskedValues::select`].
    #[must_use]
    pub fn select_rounds(self, n: usize) -> Rounds {
        OpenBits.rounds(n)
    }
}

impl MaskedValues {
    /// The last step: shares of `x·choice`, in one round in which both speak.
    ///
    /// # Errors
    /// When the stream fails.
    ///
    /// # Panics
    /// When there is not one bit per value.
    pub async fn select(self, party: &Party<'_>, choice: &BitVec) -> Result<Vec<u64>, Error> {
        assert_eq!(choice.len(), self.values.len(), "one bit per value");
        let differs = OpenBits.run(party, &choice.xor(&self.masks)).await?;
        let values = self.values.chunks(64).zip(self.masked.chunks(64));
        let mut out = Vec::with_capacity(self.values.len());
        for ((x, masked), &differs) in values.zip(differs.words()) {
            out.extend(x.iter().zip(masked).enumerate().map(|(i, (x, masked))| {
                let other = mask(differs, i);
                // q·x, or x − q·x.
                let selected = (x & other).wrapping_add((masked ^ other).wrapping_sub(other));
                self.bits.reduce(selected)
            }));
        }
        Ok(out)
    }
}

impl std::fmt::Debug for MaskedValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MaskedValues")
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

/// x·(1 − 2·b).
fn signed(choices: &BitVec, x: &[u64]) -> Vec<u64> {
    let mut signed = x.to_vec();
    for (signed, &choices) in signed.chunks_mut(64).zip(choices.words()) {
        for (i, x) in signed.iter_mut().enumerate() {
            let negate = mask(choices, i);
            *x = (*x ^ negate).wrapping_sub(negate);
        }
    }
    signed
}

/// All ones where bit `i` of `word` is set.
const fn mask(word: u64, i: usize) -> u64 {
    (word >> i & 1).wrapping_neg()
}
