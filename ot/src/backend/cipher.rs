//! AES-128 on batches: what a back-end offers, and a key with its back-end.

use super::Backend;
use crate::Block;
use std::fmt;
use zeroize::ZeroizeOnDrop;

/// The eleven round keys of one key, or, for the portable back-end, the key. Zeroized on drop.
#[derive(ZeroizeOnDrop)]
pub(super) struct RoundKeys(pub(super) [Block; 11]);

/// AES-128 on batches. Outputs are as long as inputs.
pub(super) trait Kernels {
    /// The key schedule.
    fn expand(&self, key: Block) -> RoundKeys;

    /// `out[i] = pi(pi(x[i]) ^ (first + i)) ^ pi(x[i])`; the low 64 bits of `first + i` do not wrap.
    fn tccr(&self, keys: &RoundKeys, first: Block, x: &[Block], out: &mut [Block]);

    /// [`Self::tccr`] of `q` into `out[0]` and of `q ^ delta` into `out[1]`.
    fn tccr_pair(
        &self,
        keys: &RoundKeys,
        first: Block,
        q: &[Block],
        delta: Block,
        out: [&mut [Block]; 2],
    );

    /// `out[i] = pi(x[i]) ^ x[i]`.
    fn mmo(&self, keys: &RoundKeys, x: &[Block], out: &mut [Block]);

    /// The bytes of `pi(first) || pi(first + 1) || …`, with 64-bit counters.
    fn keystream(&self, keys: &RoundKeys, first: u64, out: &mut [u8]);

    /// [`Self::keystream`] of a key used once.
    fn keystream_of_seed(&self, seed: Block, first: u64, out: &mut [u8]);

    /// [`Self::keystream_of_seed`] of two seeds, into outputs of one length. (Two arguments, because an
    /// array would travel through memory in halves and stall the vector load.)
    fn keystream_pair(&self, seed0: Block, seed1: Block, first: u64, out: [&mut [u8]; 2]);
}

/// An AES-128 key expanded for one back-end; zeroized on drop.
pub(crate) struct Cipher {
    backend: Backend,
    keys: RoundKeys,
}

impl Cipher {
    /// Expands `key`.
    pub(crate) fn new(backend: Backend, key: Block) -> Self {
        Self {
            backend,
            keys: backend.kernels(0).expand(key),
        }
    }

    /// `out[i] = pi(x[i])`.
    #[cfg(test)]
    pub(crate) fn encrypt(&self, x: &[Block], out: &mut [Block]) {
        self.mmo(x, out);
        for (out, x) in out.iter_mut().zip(x) {
            *out ^= x;
        }
    }

    /// `out[i] = pi(pi(x[i]) ^ (first + i)) ^ pi(x[i])`; the low 64 bits of `first + i` must not wrap.
    #[inline]
    pub(crate) fn tccr(&self, first: Block, x: &[Block], out: &mut [Block]) {
        self.backend
            .kernels(x.len())
            .tccr(&self.keys, first, x, out);
    }

    /// [`Self::tccr`] of `q` into `out[0]` and of `q ^ delta` into `out[1]`.
    #[inline]
    pub(crate) fn tccr_pair(
        &self,
        first: Block,
        q: &[Block],
        delta: Block,
        out: [&mut [Block]; 2],
    ) {
        self.backend
            .kernels(2 * q.len())
            .tccr_pair(&self.keys, first, q, delta, out);
    }

    /// `out[i] = pi(x[i]) ^ x[i]`.
    #[inline]
    pub(crate) fn mmo(&self, x: &[Block], out: &mut [Block]) {
        self.backend.kernels(x.len()).mmo(&self.keys, x, out);
    }

    /// The bytes of `pi(first) || pi(first + 1) || …`, with 64-bit counters.
    #[inline]
    pub(crate) fn keystream(&self, first: u64, out: &mut [u8]) {
        self.backend
            .kernels(out.len() / 16)
            .keystream(&self.keys, first, out);
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").finish_non_exhaustive()
    }
}
