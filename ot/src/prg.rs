//! Pseudorandom generators: AES-128-CTR of a seed, and the doubling step of GGM trees.
//!
//! **Functionality.** [`Prg`] and [`fill_words`] expand a 128-bit seed into a stream of blocks
//! AES(seed, 0), AES(seed, 1), …; [`TreePrg`] maps a seed to two seeds.
//!
//! **Security.** The stream is AES-128 in counter mode (NIST SP 800-38A, section 6.5): under a
//! uniform seed, n blocks are as good as random up to the PRF advantage of AES and the switching term
//! n(n − 1)/2¹²⁹ [BR06]. Several seeds lose one guess each: u seeds and p evaluations of AES
//! add u·p/2¹²⁸. For the tree see [`TreePrg`].
//!
//! **Cost.** One AES call per 16 bytes and one key schedule per seed; two AES calls per doubling.
//!
//! - [BR06] Bellare, Rogaway. *The Security of Triple Encryption and a Framework for Code-Based
//!   Game-Playing Proofs*. EUROCRYPT 2006 (the PRP/PRF switching lemma).
//! - [GKWY20] Guo, Katz, Wang, Yu. *Efficient and Secure Multiparty Computation from Fixed-Key Block
//!   Ciphers*. IEEE S&P 2020, eprint 2019/074.
//!
//! [BR06]: https://eprint.iacr.org/2004/331
//! [GKWY20]: https://eprint.iacr.org/2019/074

use crate::Block;
use crate::backend::{self, Backend, Cipher};
use crate::hash::session_key;
use ring_arith::Word;
use zerocopy::IntoBytes;

/// AES-128 in counter mode: block `j` of the stream is AES(seed, j), all little-endian.
///
/// The expanded seed is zeroized on drop.
#[derive(Debug)]
pub struct Prg {
    cipher: Cipher,
    /// Next byte of the stream.
    position: u64,
}

impl Prg {
    /// The stream of `seed`, from its start.
    #[must_use]
    pub fn new(seed: Block) -> Self {
        Self::with_backend(seed, Backend::detect())
    }

    /// [`Self::new`] on a chosen back-end.
    #[doc(hidden)]
    #[must_use]
    pub fn with_backend(seed: Block, backend: Backend) -> Self {
        Self {
            cipher: Cipher::new(backend, seed),
            position: 0,
        }
    }

    /// The same stream, continued at block `block_offset`.
    ///
    /// # Panics
    /// If the offset is 2⁶⁰ or more.
    #[must_use]
    pub fn at(mut self, block_offset: u64) -> Self {
        self.position = byte_offset(block_offset, size_of::<Block>());
        self
    }

    /// Writes the next `out.len()` bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        fill_from(self.position, out, |first, out| {
            self.cipher.keystream(first, out);
        });
        self.position += out.len() as u64;
    }

    /// Writes the next `out.len()` blocks of the stream.
    pub fn fill_blocks(&mut self, out: &mut [Block]) {
        self.fill(out.as_mut_bytes());
        backend::blocks_from_le(out);
    }
}

/// Writes words `offset_words ..` of the stream of `seed`: full-width little-endian words.
///
/// This is the stream of [`Prg`], for a seed that is used once. Nothing is kept between calls.
///
/// # Panics
/// If the offset is 2⁶⁴ bytes or more.
pub fn fill_words<W: Word>(seed: Block, offset_words: u64, out: &mut [W]) {
    fill_words_with(Backend::detect(), seed, offset_words, out);
}

/// [`fill_words`] on a chosen back-end.
#[doc(hidden)]
pub fn fill_words_with<W: Word>(backend: Backend, seed: Block, offset_words: u64, out: &mut [W]) {
    let position = byte_offset(offset_words, size_of::<W>());
    fill_from(position, out.as_mut_bytes(), |first, out| {
        backend.keystream(seed, first, out);
    });
    backend::words_from_le(out);
}

/// [`fill_words`] of two seeds at once; faster on short rows.
///
/// # Panics
/// If the lengths differ or the offset is 2⁶⁴ bytes or more.
pub fn fill_words_pair<W: Word>(
    seed0: Block,
    seed1: Block,
    offset_words: u64,
    out0: &mut [W],
    out1: &mut [W],
) {
    fill_words_pair_with(Backend::detect(), seed0, seed1, offset_words, [out0, out1]);
}

/// [`fill_words_pair`] on a chosen back-end.
#[doc(hidden)]
#[inline]
pub fn fill_words_pair_with<W: Word>(
    backend: Backend,
    seed0: Block,
    seed1: Block,
    offset_words: u64,
    [out0, out1]: [&mut [W]; 2],
) {
    assert_eq!(out0.len(), out1.len(), "rows of one length");
    let position = byte_offset(offset_words, size_of::<W>());
    if position.is_multiple_of(16) {
        let out = [out0.as_mut_bytes(), out1.as_mut_bytes()];
        backend.keystream_pair(seed0, seed1, position / 16, out);
        backend::words_from_le(out0);
        backend::words_from_le(out1);
    } else {
        fill_words_with(backend, seed0, offset_words, out0);
        fill_words_with(backend, seed1, offset_words, out1);
    }
}

fn byte_offset(count: u64, size: usize) -> u64 {
    count
        .checked_mul(size as u64)
        .expect("a stream has fewer than 2^64 bytes")
}

/// Bytes `position ..` of the stream whose bytes `16 * first ..` are written by `keystream(first, …)`.
#[inline]
fn fill_from(position: u64, mut out: &mut [u8], mut keystream: impl FnMut(u64, &mut [u8])) {
    let mut first = position / 16;
    let skip = (position % 16) as usize;
    if skip != 0 {
        let mut block = [0; 16];
        keystream(first, &mut block);
        let (head, rest) = out.split_at_mut(out.len().min(16 - skip));
        head.copy_from_slice(&block[skip..skip + head.len()]);
        out = rest;
        first += 1;
    }
    keystream(first, out);
}

/// The doubling step of GGM trees: G(s) = (π₀(s) ⊕ s, π₁(s) ⊕ s).
///
/// π₀ and π₁ are AES-128 under two public keys derived from the session id, so the step costs no key
/// schedule. π(s) ⊕ s is the correlation-robust MMO hash of [GKWY20], section 7.2, used here only on
/// uniform seeds.
///
/// **Security.** With π₀, π₁ ideal permutations, G is a pseudorandom generator on uniform seeds: q
/// doublings and p evaluations of π₀, π₁ or their inverses differ from random by at most
/// (2·q·p + 2·q²)/2¹²⁸ up to lower-order terms, the union bound over a seed or the image of a seed
/// meeting an evaluation (2·q·p) or another seed's (2·q²). So about 127 − log2(q) bits. A session has
/// its own π₀, π₁.
///
/// [GKWY20]: https://eprint.iacr.org/2019/074
#[derive(Debug)]
pub struct TreePrg {
    ciphers: [Cipher; 2],
}

/// Seeds doubled under one key before the other; LOCAL, for the first-level cache.
const TREE_TILE: usize = 256;

impl TreePrg {
    /// The doubling step of a session; both parties get the same one.
    #[must_use]
    pub fn new(session_id: &[u8; 16]) -> Self {
        Self::with_backend(session_id, Backend::detect())
    }

    /// [`Self::new`] on a chosen back-end.
    #[doc(hidden)]
    #[must_use]
    pub fn with_backend(session_id: &[u8; 16], backend: Backend) -> Self {
        let cipher = |side| Cipher::new(backend, session_key(session_id, side));
        Self {
            ciphers: [cipher("GGM tree, left"), cipher("GGM tree, right")],
        }
    }

    /// The left and the right child of every seed.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn double(&self, seeds: &[Block], left: &mut [Block], right: &mut [Block]) {
        assert_eq!(seeds.len(), left.len(), "one left child per seed");
        assert_eq!(seeds.len(), right.len(), "one right child per seed");
        let children = left.chunks_mut(TREE_TILE).zip(right.chunks_mut(TREE_TILE));
        for (seeds, (left, right)) in seeds.chunks(TREE_TILE).zip(children) {
            self.ciphers[0].mmo(seeds, left);
            self.ciphers[1].mmo(seeds, right);
        }
    }
}

#[doc(hidden)] // for the bench
pub use crate::kernel::transpose::transpose_128;

/// `dst ^= src`.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn xor_into(dst: &mut [u8], src: &[u8]) {
    assert_eq!(dst.len(), src.len(), "operands of one length");
    backend::xor_masked(dst, src, u8::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cipher;
    use proptest::prelude::*;

    #[test]
    fn stream_is_counter_mode() {
        let seed = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
        let mut expected = [0; 5];
        Cipher::new(Backend::PORTABLE, seed).encrypt(&[0, 1, 2, 3, 4], &mut expected);
        let mut blocks = [0; 5];
        Prg::new(seed).fill_blocks(&mut blocks);
        assert_eq!(blocks, expected);
        let mut words = [0_u32; 4];
        fill_words(seed, 4, &mut words);
        assert_eq!(words[0], (expected[1] & 0xffff_ffff) as u32);
    }

    /// The counter mode of a crate that shares nothing with ours.
    #[test]
    fn stream_is_that_of_ctr() {
        use ctr::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
        proptest!(|(seed: u128, block in 0..1_u64 << 40, len in 0..600_usize)| {
            let mut theirs = vec![0; len];
            let (key, start) = (seed.to_le_bytes(), [0; 16]);
            let mut ctr = ctr::Ctr128LE::<aes::Aes128>::new(&key.into(), &start.into());
            ctr.seek(16 * block);
            ctr.apply_keystream(&mut theirs);
            let mut ours = vec![0; len];
            Prg::new(seed).at(block).fill(&mut ours);
            prop_assert_eq!(ours, theirs);
        });
    }

    #[test]
    fn doubling_is_mmo_under_two_keys() {
        let tree = TreePrg::new(&[7; 16]);
        let seeds: Vec<Block> = (0..700).map(|i| i * i).collect();
        let [mut left, mut right] = [vec![0; 700], vec![0; 700]];
        tree.double(&seeds, &mut left, &mut right);
        for (cipher, children) in tree.ciphers.iter().zip([&left, &right]) {
            let mut encrypted = vec![0; 700];
            cipher.encrypt(&seeds, &mut encrypted);
            assert!(
                children
                    .iter()
                    .zip(&seeds)
                    .map(|(c, s)| c ^ s)
                    .eq(encrypted)
            );
        }
        assert_ne!(left, right);
    }

    #[test]
    fn debug_prints_no_secret() {
        let shown = format!("{:?}", Prg::new(0x0123_4567_89ab_cdef));
        assert_eq!(shown, "Prg { cipher: Cipher { .. }, position: 0 }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_cut_gives_the_same_stream(seed: Block, start in 0_u64..9, cuts in proptest::collection::vec(0_usize..200, 0..9)) {
            let total = cuts.iter().sum();
            let mut whole = vec![0; total];
            Prg::new(seed).at(start).fill(&mut whole);
            let mut prg = Prg::new(seed).at(start);
            let mut pieces = Vec::new();
            for cut in cuts {
                let mut piece = vec![0; cut];
                prg.fill(&mut piece);
                pieces.extend(piece);
            }
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn words_continue_at_any_offset(seeds: [Block; 2], offset in 0_usize..99, length in 0_usize..700) {
            let mut whole = [vec![0_u64; offset + length], vec![0_u64; offset + length]];
            for (seed, whole) in seeds.into_iter().zip(&mut whole) {
                Prg::new(seed).fill(whole.as_mut_bytes());
                backend::words_from_le(whole);
                let mut part = vec![0_u64; length];
                fill_words(seed, offset as u64, &mut part);
                prop_assert_eq!(&part, &whole[offset..]);
                let mut halves = vec![0_u32; 2 * length];
                fill_words(seed, 2 * offset as u64, &mut halves);
                let joined = halves.chunks(2).map(|h| u64::from(h[0]) | u64::from(h[1]) << 32);
                prop_assert!(joined.eq(part));
            }
            let [mut part0, mut part1] = [vec![0_u64; length], vec![0_u64; length]];
            fill_words_pair(seeds[0], seeds[1], offset as u64, &mut part0, &mut part1);
            prop_assert_eq!(&part0, &whole[0][offset..]);
            prop_assert_eq!(&part1, &whole[1][offset..]);
        }
    }
}
