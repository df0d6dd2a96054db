//! Products of the server's numbers with random bits of the client.

use channel::Role;
use ot::{ReceivingWords, SendingWords};
use rand_core::CryptoRng;
use ring_arith::{BitVec, Bits, packed_len, slices};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// COTs whose choices are random: the server offers a number x, the client has a random bit c, and both get shares of c·x.
pub(crate) struct RandomProducts {
    bits: Bits,
    /// The client's choices; random bits of its own at the server.
    own: BitVec,
    end: End,
}

enum End {
    Server(SendingWords),
    Client(ReceivingWords),
}

impl RandomProducts {
    /// Draws `n` of them.
    pub(crate) fn draw(party: &Party<'_>, n: usize, bits: Bits) -> Result<Self, Error> {
        if party.role() == Role::Server {
            let words = |rng: &mut dyn CryptoRng| (0..n.div_ceil(64)).map(|_| rng.next_u64()).collect();
            let own = BitVec::from_words(n, party.with_rng(words));
            let sending = party.draw(|sender, _| sender.begin_cot_words([n]))?;
            let end = End::Server(sending);
            return Ok(Self { bits, own, end });
        }
        let receiving = party.draw(|_, receiver| receiver.random_cot_words(&[(n, bits)]))?;
        let own = receiving.choices().next().expect("one part").clone();
        let end = End::Client(receiving);
        Ok(Self { bits, own, end })
    }

    /// The client's choices; random bits of its own at the server.
    pub(crate) const fn own(&self) -> &BitVec {
        &self.own
    }

    /// This party's shares of the products with the server's `numbers`: one round, in which the server speaks. What the client gives
    /// is ignored.
    pub(crate) async fn run(
        self,
        party: &Party<'_>,
        numbers: Vec<u64>,
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        match self.end {
            End::Server(sending) => {
                let (mut shares, message) = sending.offer(&[(&numbers, self.bits)]);
                let mut share = Zeroizing::new(shares.swap_remove(0));
                slices::neg_assign(self.bits, &mut share);
                party.send(message).await?;
                Ok(share)
            }
            End::Client(receiving) => {
                let message = party.recv(receiving.message_len()).await?;
                Ok(Zeroizing::new(receiving.finish(&message).swap_remove(0)))
            }
        }
    }

    /// The round of n products.
    pub(crate) fn rounds(n: usize, bits: Bits) -> Rounds {
        Rounds::to_client(packed_len(n, bits) as u64).with_cots(n as u64, 0)
    }
}
