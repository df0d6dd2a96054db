//! Products of one party's numbers with the other party's bits.

use channel::{Cost, Role};
use ot::cot_words_batch_cost;
use ring_arith::{BitVec, Bits, slices};

use crate::error::Error;
use crate::session::Session;

/// Products of numbers that one party knows with bits that the other party knows, in several rings at once.
///
/// **Functionality.** The sender has vectors of numbers x, the other party has as many vectors of bits b, of the same
/// lengths. Both get fresh shares of b·x mod 2^l, where every pair of vectors has an l of its own. The lengths and rings are
/// public.
///
/// **Protocol.** One correlated OT for each product \[ALSZ13\]: the share of the sender is −r, that of the other party
/// r + b·x.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for vectors of `n_i` numbers mod `2^l_i`: two flights, ceil(Σ `n_i` / 8) bytes to the sender and then
/// Σ ceil(`n_i`·`l_i` / 8) bytes to the other party; Σ `n_i` COTs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct BitProducts {
    /// The party that has the numbers, and sends in the OTs.
    pub sender: Role,
}

impl BitProducts {
    /// The sender's shares. Bits of a number above its ring are ignored.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When this party is not the sender.
    pub fn run_sender(
        self,
        s: &mut Session,
        numbers: &[(&[u64], Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        assert_eq!(s.role(), self.sender, "the sender has the numbers");
        let mut shares =
            s.attempt(|s| Ok::<_, Error>(s.sender.cot_words_batch(&mut s.online, numbers)?))?;
        for (share, &(_, bits)) in shares.iter_mut().zip(numbers) {
            slices::neg_assign(bits, share);
        }
        Ok(shares)
    }

    /// The shares of the party with the bits.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When this party is the sender.
    pub fn run_receiver(
        self,
        s: &mut Session,
        bits: &[(&BitVec, Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        assert_eq!(s.role(), self.sender.peer(), "the receiver has the bits");
        s.attempt(|s| Ok(s.receiver.cot_words_batch(&mut s.online, bits)?))
    }

    /// The cost for vectors of these lengths and rings.
    #[must_use]
    pub fn cost(self, parts: &[(usize, Bits)]) -> Cost {
        cot_words_batch_cost(parts, self.sender)
    }
}
