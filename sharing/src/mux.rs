//! Selection by a shared bit.

use channel::Cost;
use ot::SUPER_TILE;
use ring_arith::{BitVec, Bits};

use crate::cross::{Part, Terms, cross, cross_cost};
use crate::error::Error;
use crate::session::Session;

/// Products of shared values with shared bits: x·b.
///
/// **Functionality.** From arithmetic shares of x mod 2^bits and boolean shares of b, fresh shares
/// of x where b = 1 and of 0 where b = 0.
///
/// **Protocol.** For either party P with peer Q, x_P·(b_P ⊕ b_Q) = x_P·b_P + b_Q·x_P·(1 − 2·b_P):
/// a COT from P with Q's choice b_Q \[RRK+20\]. The COTs of the two directions run side by side. COTs
/// rather than OTs of chosen messages, because each then sends `bits` bits instead of twice as many.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for n values: per super-tile of m ≤ 2^20 values (`ot::SUPER_TILE`) two flights in which
/// both speak, of ceil(m/8) and of ceil(m·bits/8) bytes each way; n COTs in each direction.
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
    pub fn run(self, s: &mut Session, choice: &BitVec, x: &[u64]) -> Result<Vec<u64>, Error> {
        assert_eq!(choice.len(), x.len(), "one bit per value");
        s.attempt(|s| {
            if x.len() <= SUPER_TILE {
                return self.tile(s, choice, x);
            }
            let mut out = Vec::with_capacity(x.len());
            for (tile, x) in x.chunks(SUPER_TILE).enumerate() {
                let choices = choice.slice(tile * SUPER_TILE, x.len());
                out.extend(self.tile(s, &choices, x)?);
            }
            Ok(out)
        })
    }

    fn tile(self, s: &mut Session, choices: &BitVec, x: &[u64]) -> Result<Vec<u64>, Error> {
        let part = Part {
            choices,
            correlations: &signed(choices, x),
            bits: self.bits,
        };
        let terms = cross(s, &[part])?.pop().expect("the terms of one part");
        let Terms { received, sent } = terms;
        let mut share = received;
        let inputs = sent.chunks(64).zip(x.chunks(64)).zip(choices.words());
        for (share, ((sent, x), &choices)) in share.chunks_mut(64).zip(inputs) {
            for (i, (share, (sent, x))) in share.iter_mut().zip(sent.iter().zip(x)).enumerate() {
                let own = (x & mask(choices, i)).wrapping_sub(*sent);
                *share = self.bits.reduce(share.wrapping_add(own));
            }
        }
        Ok(share)
    }

    /// The cost of n values.
    #[must_use]
    pub fn cost(self, n: usize) -> Cost {
        let tile = |m| cross_cost([(m, self.bits)]);
        tile(SUPER_TILE)
            .repeat(n / SUPER_TILE)
            .then(tile(n % SUPER_TILE))
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
