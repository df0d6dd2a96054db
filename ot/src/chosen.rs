//! OT of chosen 128-bit messages.

use channel::Channel;
use ring_arith::BitVec;
use zerocopy::IntoBytes;

use crate::{Block, Error, OtReceiver, OtSender};

impl OtSender {
    /// Chosen-message OT.
    ///
    /// **Functionality.** The receiver gets message b_i of pair i and nothing else; the sender
    /// learns nothing.
    ///
    /// **Protocol.** As in [Bea95], the receiver sends b_i ^ c_i, which says whether the two keys change
    /// places, and the sender sends each message masked by its key.
    ///
    /// **Security.** Semi-honest, see [`OtSender`].
    ///
    /// **Cost.** [`chosen_cost`](crate::chosen_cost): n bits to the sender, rounded up to a byte,
    /// then 32·n bytes back.
    ///
    /// # Errors
    /// The channel or the pool failed.
    ///
    /// [Bea95]: crate#papers
    pub fn chosen(&mut self, chan: &mut Channel, messages: &[[Block; 2]]) -> Result<(), Error> {
        let mut keys = self.blocks(messages.len())?;
        let mut swaps = vec![0; BitVec::byte_len(messages.len())];
        chan.recv(&mut swaps)?;
        let swaps = BitVec::from_bytes(messages.len(), &swaps);
        for ((key, message), swap) in keys.iter_mut().zip(messages).zip(swaps.iter()) {
            let difference = (key[0] ^ key[1]) & Block::from(swap).wrapping_neg();
            key[0] = (key[0] ^ difference ^ message[0]).to_le();
            key[1] = (key[1] ^ difference ^ message[1]).to_le();
        }
        chan.send(keys.as_bytes())?;
        chan.flush()?;
        Ok(())
    }
}

impl OtReceiver {
    /// Chosen-message OT: message b_i of every pair; see [`OtSender::chosen`].
    ///
    /// # Errors
    /// The channel or the pool failed.
    pub fn chosen(&mut self, chan: &mut Channel, choices: &BitVec) -> Result<Vec<Block>, Error> {
        let n = choices.len();
        let (mut swaps, mut out) = self.blocks(n)?;
        swaps.xor_assign(choices);
        chan.send(&swaps.to_bytes())?;
        chan.flush()?;
        let mut message = vec![[0; 2]; n];
        chan.recv(message.as_mut_bytes())?;
        for ((out, [m0, m1]), choice) in out.iter_mut().zip(message).zip(choices.iter()) {
            *out ^= (m0 ^ (m0 ^ m1) & Block::from(choice).wrapping_neg()).to_le();
        }
        Ok(core::mem::take(&mut *out))
    }
}
