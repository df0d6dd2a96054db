//! Random OT: keys and bits.

use ring_arith::BitVec;

use crate::{Block, Error, OtReceiver, OtSender};

impl OtSender {
    /// `n` pairs of random keys.
    ///
    /// **Functionality** of this and of [`Self::rot_bits`]. For each OT the sender gets two random
    /// messages, and the receiver gets a random choice bit and the message that it names. How many OTs
    /// there are and how long their messages are is public.
    ///
    /// **Protocol.** Both parties hash their side of a correlation, see [`OtSender`]. The bits are the
    /// lowest bits of the key.
    ///
    /// **Security.** Semi-honest, see [`OtSender`].
    ///
    /// **Cost.** [`rot_cost`](crate::rot_cost): one correlation per OT, no traffic.
    ///
    /// # Errors
    /// The pool failed.
    pub fn rot(&mut self, n: usize) -> Result<Vec<[Block; 2]>, Error> {
        Ok(core::mem::take(&mut *self.blocks(n)?))
    }

    /// `n` random OTs of messages of `width` bits; see [`Self::rot`]. The result is `width` planes of
    /// `n` bits for the messages 0, and as many for the messages 1.
    ///
    /// # Errors
    /// The pool failed.
    ///
    /// # Panics
    /// If `width` exceeds 128.
    pub fn rot_bits(&mut self, n: usize, width: usize) -> Result<[Vec<BitVec>; 2], Error> {
        self.planes(n, width)
    }
}

impl OtReceiver {
    /// `n` random choices and the keys they name; see [`OtSender::rot`].
    ///
    /// # Errors
    /// The pool failed.
    pub fn rot(&mut self, n: usize) -> Result<(BitVec, Vec<Block>), Error> {
        let (choices, mut keys) = self.blocks(n)?;
        Ok((choices, core::mem::take(&mut *keys)))
    }

    /// `n` random choices and the messages they name, as `width` planes of `n` bits; see
    /// [`OtSender::rot`].
    ///
    /// # Errors
    /// The pool failed.
    ///
    /// # Panics
    /// If `width` exceeds 128.
    pub fn rot_bits(&mut self, n: usize, width: usize) -> Result<(BitVec, Vec<BitVec>), Error> {
        self.planes(n, width)
    }
}
