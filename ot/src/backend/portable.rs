//! The `aes` crate, in batches large enough for its own parallel unit.

use super::cipher::{Kernels, RoundKeys};
use crate::Block;
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

/// Blocks handled per call of the `aes` crate; LOCAL. Its widest parallel unit is 64 blocks.
const BATCH: usize = 64;

/// The back-end of every processor; expands the key anew in each batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Portable;

struct Key(Aes128);

impl Key {
    fn new(key: Block) -> Self {
        Self(Aes128::new(&key.to_le_bytes().into()))
    }

    /// Encrypts at most `BATCH` blocks in place.
    fn encrypt(&self, blocks: &mut [Block]) {
        let mut bytes = [aes::Block::default(); BATCH];
        let bytes = &mut bytes[..blocks.len()];
        for (byte, block) in bytes.iter_mut().zip(&*blocks) {
            *byte = block.to_le_bytes().into();
        }
        self.0.encrypt_blocks(bytes);
        for (block, byte) in blocks.iter_mut().zip(&*bytes) {
            *block = Block::from_le_bytes((*byte).into());
        }
    }
}

impl Kernels for Portable {
    fn expand(&self, key: Block) -> RoundKeys {
        let mut keys = RoundKeys([0; 11]);
        keys.0[0] = key;
        keys
    }

    fn tccr(&self, keys: &RoundKeys, first: Block, x: &[Block], out: &mut [Block]) {
        let key = Key::new(keys.0[0]);
        let mut tweak = first;
        for (x, out) in x.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            let mut inner = [0; BATCH];
            let inner = &mut inner[..x.len()];
            inner.copy_from_slice(x);
            key.encrypt(inner);
            for (out, inner) in out.iter_mut().zip(&*inner) {
                *out = inner ^ tweak;
                tweak = tweak.wrapping_add(1);
            }
            key.encrypt(out);
            for (out, inner) in out.iter_mut().zip(&*inner) {
                *out ^= inner;
            }
        }
    }

    fn tccr_pair(
        &self,
        keys: &RoundKeys,
        first: Block,
        q: &[Block],
        delta: Block,
        [out0, out1]: [&mut [Block]; 2],
    ) {
        self.tccr(keys, first, q, out0);
        let shifted: Vec<_> = q.iter().map(|q| q ^ delta).collect();
        self.tccr(keys, first, &Zeroizing::new(shifted), out1);
    }

    fn mmo(&self, keys: &RoundKeys, x: &[Block], out: &mut [Block]) {
        let key = Key::new(keys.0[0]);
        for (x, out) in x.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            out.copy_from_slice(x);
            key.encrypt(out);
            for (out, x) in out.iter_mut().zip(x) {
                *out ^= x;
            }
        }
    }

    fn keystream(&self, keys: &RoundKeys, first: u64, out: &mut [u8]) {
        self.keystream_of_seed(keys.0[0], first, out);
    }

    fn keystream_of_seed(&self, seed: Block, first: u64, out: &mut [u8]) {
        let key = Key::new(seed);
        let mut counter = first;
        for out in out.chunks_mut(16 * BATCH) {
            let mut blocks = [0; BATCH];
            let blocks = &mut blocks[..out.len().div_ceil(16)];
            for block in &mut *blocks {
                *block = Block::from(counter);
                counter = counter.wrapping_add(1);
            }
            key.encrypt(blocks);
            for (out, block) in out.chunks_mut(16).zip(&*blocks) {
                out.copy_from_slice(&block.to_le_bytes()[..out.len()]);
            }
        }
    }

    fn keystream_pair(&self, seed0: Block, seed1: Block, first: u64, [out0, out1]: [&mut [u8]; 2]) {
        self.keystream_of_seed(seed0, first, out0);
        self.keystream_of_seed(seed1, first, out1);
    }
}
