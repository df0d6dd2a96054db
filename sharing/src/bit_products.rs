//! Products of one party's numbers with the other party's bits.

use channel::Role;
use ring_arith::{BitVec, Bits, packed_len, slices};

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

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
/// **Cost** for vectors of `n_i` numbers mod `2^l_i`: two rounds, ceil(Σ `n_i` / 8) bytes to the sender and then
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
    pub async fn run_sender(
        self,
        party: &Party<'_>,
        numbers: &[(&[u64], Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        assert_eq!(party.role(), self.sender, "the sender has the numbers");
        let lengths = numbers.iter().map(|part| part.0.len());
        let sending = party.draw(|sender, _| sender.begin_cot_words(lengths))?;
        let flips = party.recv(BitVec::byte_len(sending.len())).await?;
        let (mut shares, message) = sending.answer(&flips, numbers);
        party.send(message).await?;
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
    pub async fn run_receiver(
        self,
        party: &Party<'_>,
        bits: &[(&BitVec, Bits)],
    ) -> Result<Vec<Vec<u64>>, Error> {
        assert_eq!(
            party.role(),
            self.sender.peer(),
            "the receiver has the bits"
        );
        let (receiving, flips) = party.draw(|_, receiver| receiver.begin_cot_words(bits))?;
        party.send(flips).await?;
        let message = party.recv(receiving.message_len()).await?;
        Ok(receiving.finish(&message))
    }

    /// The rounds for vectors of these lengths and rings.
    #[must_use]
    pub fn rounds(self, parts: &[(usize, Bits)]) -> Rounds {
        let n: usize = parts.iter().map(|part| part.0).sum();
        let bytes: usize = parts.iter().map(|&(n, bits)| packed_len(n, bits)).sum();
        let cots = match self.sender {
            Role::Server => (n as u64, 0),
            Role::Client => (0, n as u64),
        };
        Rounds::speak(self.sender.peer(), BitVec::byte_len(n) as u64)
            .then(Rounds::speak(self.sender, bytes as u64))
            .with_cots(cots.0, cots.1)
    }
}
