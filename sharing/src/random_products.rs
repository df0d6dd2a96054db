//! Products of one party's numbers with random bits of the other.

use channel::Role;
use ot::{ReceivingWords, SendingWords};
use rand_core::CryptoRng;
use ring_arith::{BitVec, Bits, packed_len, slices};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// COTs whose choices are random: the sender offers a number x, the other party has a random bit c, and both get shares of c·x.
pub(crate) struct RandomProducts {
    bits: Bits,
    /// The choices; at the sender random bits of its own.
    own: BitVec,
    end: End,
}

enum End {
    Sender(SendingWords),
    Receiver(ReceivingWords),
}

impl RandomProducts {
    /// Draws `n` of them.
    pub(crate) fn draw(
        party: &Party<'_>,
        sender: Role,
        n: usize,
        bits: Bits,
    ) -> Result<Self, Error> {
        if party.role() == sender {
            let words =
                |rng: &mut dyn CryptoRng| (0..n.div_ceil(64)).map(|_| rng.next_u64()).collect();
            let own = BitVec::from_words(n, party.with_rng(words));
            let sending = party.draw(|sender, _| sender.begin_cot_words([(n, bits)]))?;
            let end = End::Sender(sending);
            return Ok(Self { bits, own, end });
        }
        let receiving = party.draw(|_, receiver| receiver.random_cot_words(&[(n, bits)]))?;
        let own = receiving.choices().next().expect("one part").clone();
        let end = End::Receiver(receiving);
        Ok(Self { bits, own, end })
    }

    /// The choices; at the sender random bits of its own.
    pub(crate) const fn own(&self) -> &BitVec {
        &self.own
    }

    /// This party's shares of the products with the sender's `numbers`: one round, in which the sender speaks. What the other party
    /// gives is ignored.
    pub(crate) async fn run(
        self,
        party: &Party<'_>,
        numbers: Vec<u64>,
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        match self.end {
            End::Sender(sending) => {
                let (mut shares, message) = sending.offer(&[(&numbers, self.bits)]);
                let mut share = Zeroizing::new(shares.swap_remove(0));
                slices::neg_assign(self.bits, &mut share);
                party.send(message).await?;
                Ok(share)
            }
            End::Receiver(receiving) => {
                let message = party.recv(receiving.message_len()).await?;
                Ok(Zeroizing::new(receiving.finish(&message).swap_remove(0)))
            }
        }
    }

    /// The round of n products.
    pub(crate) fn rounds(sender: Role, n: usize, bits: Bits) -> Rounds {
        let cots = match sender {
            Role::Server => (n as u64, 0),
            Role::Client => (0, n as u64),
        };
        Rounds::speak(sender, packed_len(n, bits) as u64).with_cots(cots.0, cots.1)
    }
}
