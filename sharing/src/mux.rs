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
/// **Protocol.** With a random bit q = c_S ⊕ c_C in place of b, for either party P with peer Q, x_P·(c_P ⊕ c_Q) = x_P·c_P +
/// c_Q·x_P·(1 − 2·c_P): a COT from P whose choice c_Q is random \[RRK+20, with chosen bits\]. In the same round D = b ⊕ q is
/// opened, and x·b is q·x where D = 0, x − q·x where D = 1. So it takes one round, where chosen bits take two.
///
/// **Security.** Semi-honest, by the security of COT. D is masked by the random q, which is used for nothing else.
///
/// **Cost** for n values: a round in which both speak, of ceil(n·bits/8) + ceil(n/8) bytes each way; n COTs in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Mux {
    /// The ring of the values.
    pub bits: Bits,
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
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let random = Random::draw(party, x.len(), self.bits)?;
        let masks = random.choices();
        let correlations = Zeroizing::new(signed(&masks, x));
        let products = random.offer(party, &correlations, self.bits);
        let differs = choice.xor(&masks);
        let differs = OpenBits.run(party, &differs);
        let (Terms { received, sent }, differs) = party.both(products, differs).await?;

        let (received, sent) = (Zeroizing::new(received), Zeroizing::new(sent));
        let terms = received.chunks(64).zip(sent.chunks(64)).zip(x.chunks(64));
        let bits = masks.words().iter().zip(differs.words());
        let mut out = Vec::with_capacity(x.len());
        for (((received, sent), x), (&masks, &differs)) in terms.zip(bits) {
            for (i, ((received, sent), &x)) in received.iter().zip(sent).zip(x).enumerate() {
                let masked = (x & mask(masks, i)).wrapping_add(received.wrapping_sub(*sent));
                let other = mask(differs, i);
                // q·x, or x − q·x.
                let selected = (x & other).wrapping_add((masked ^ other).wrapping_sub(other));
                out.push(self.bits.reduce(selected));
            }
        }
        Ok(out)
    }

    /// The round of n values.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let bytes = packed_len(n, self.bits) as u64;
        Rounds::exchange(bytes, bytes)
            .with_cots(n as u64, n as u64)
            .beside(OpenBits.rounds(n))
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
