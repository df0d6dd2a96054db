//! Random OT: keys and bits.

use ring_arith::BitVec;
use zeroize::Zeroizing;

use crate::endpoint::TILE;
use crate::kernel::planes::low_planes;
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
        let mut out = Zeroizing::new(Vec::with_capacity(n));
        self.keys(n, TILE, |_, k0, k1| {
            out.extend(k0.iter().zip(k1).map(|(&k0, &k1)| [k0, k1]));
        })?;
        Ok(core::mem::take(&mut *out))
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
        let mut planes = [vec![BitVec::zeros(n); width], vec![BitVec::zeros(n); width]];
        self.keys(n, TILE, |start, k0, k1| {
            low_planes(k0, start, &mut planes[0]);
            low_planes(k1, start, &mut planes[1]);
        })?;
        Ok(planes)
    }
}

impl OtReceiver {
    /// `n` random choices and the keys they name; see [`OtSender::rot`].
    ///
    /// # Errors
    /// The pool failed.
    pub fn rot(&mut self, n: usize) -> Result<(BitVec, Vec<Block>), Error> {
        let mut out = Zeroizing::new(Vec::with_capacity(n));
        let choices = self.keys(n, TILE, |_, k| out.extend_from_slice(k))?;
        Ok((choices, core::mem::take(&mut *out)))
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
        let mut planes = vec![BitVec::zeros(n); width];
        let choices = self.keys(n, TILE, |start, k| low_planes(k, start, &mut planes))?;
        Ok((choices, planes))
    }
}
