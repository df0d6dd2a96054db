//! Products of random bits of the two parties.

use channel::Role;
use rand_core::CryptoRng;
use ring_arith::{BitVec, Bits, packed_len};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// This party's `n` random bits c, and its shares mod 2^bits of the products c_S·c_C: a COT from the server with correlation c_S and the
/// random choice c_C. One round, in which the server speaks: that is the direction in which a linear layer begins.
pub(crate) async fn product(
    party: &Party<'_>,
    n: usize,
    bits: Bits,
) -> Result<(BitVec, Zeroizing<Vec<u64>>), Error> {
    if party.role() == Role::Server {
        let words = |rng: &mut dyn CryptoRng| (0..n.div_ceil(64)).map(|_| rng.next_u64()).collect();
        let own = BitVec::from_words(n, party.with_rng(words));
        let sending = party.draw(|sender, _| sender.begin_cot_words([n]))?;
        let (mut shares, message) = sending.offer(&[(&own.to_values(), bits)]);
        let mut share = Zeroizing::new(shares.swap_remove(0));
        ring_arith::slices::neg_assign(bits, &mut share);
        party.send(message).await?;
        return Ok((own, share));
    }
    let receiving = party.draw(|_, receiver| receiver.random_cot_words(&[(n, bits)]))?;
    let own = receiving.choices().next().expect("one part").clone();
    let message = party.recv(receiving.message_len()).await?;
    Ok((
        own,
        Zeroizing::new(receiving.finish(&message).swap_remove(0)),
    ))
}

/// The round of [`product`].
pub(crate) fn rounds(n: usize, bits: Bits) -> Rounds {
    Rounds::to_client(packed_len(n, bits) as u64).with_cots(n as u64, 0)
}
