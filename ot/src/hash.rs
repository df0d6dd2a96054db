//! Tweakable circular correlation-robust hash from fixed-key AES.
//!
//! **Functionality.** H(x, i) for a 128-bit x and a public tweak i behaves, on inputs x ⊕ Δ with an
//! unknown uniform Δ, like a fresh random function: it turns correlated OTs into random ones.
//!
//! **Protocol.** H(x, i) = π(π(x) ⊕ i) ⊕ π(x) [GKWY20], section 7.4, π being AES-128 under a public key, that of the
//! tweak's epoch: 4,096 tweaks of one direction and stream whose indices follow each other. The key of an epoch e is
//! K(e) ⊕ e, with K AES-128 under a key derived from the session id. So evaluations of AES made beforehand, for
//! another session or for another epoch do not help.
//!
//! **Security.** Take AES as an ideal cipher. Under one key, against q' hashes under one uniform Δ with distinct (x, i), p'
//! evaluations of π or its inverse distinguish with advantage at most (4·q'·p' + 3·q'²)/2¹²⁸ up to lower-order terms. This is
//! the union bound over the cases in which two inputs or two outputs of π meet: an input x ⊕ Δ or π(x ⊕ Δ) ⊕ i, or its
//! image, meets one of the p' evaluations (4·q'·p'), or one of another hash (3·q'²). Permutations under different keys are
//! independent, so the advantages of the epochs add up, as a sequence of hybrids shows, and each evaluation is under one key.
//! With q' at most 2¹² in an epoch, q hashes in all and p evaluations in all, the sum is at most
//! (2¹⁴·p + 3·2¹²·q)/2¹²⁸, and two epochs have the same key with probability below (q/2¹²)²/2¹²⁸. So a constant advantage takes about 2¹¹⁴
//! evaluations, however many hashes there are: at q = 2²⁹ what does not depend on p is below 2⁻⁸⁵. Sessions add up in the same
//! way. Tweaks keep equal inputs apart, therefore no [`Tweak`] may return under the same Δ.
//!
//! **Cost.** Two AES calls per hash; for each epoch and each call of a function here one more, and a key schedule.
//!
//! - [GKWY20] Guo, Katz, Wang, Yu. *Efficient and Secure Multiparty Computation from Fixed-Key Block
//!   Ciphers*. IEEE S&P 2020, eprint 2019/074.
//!
//! [GKWY20]: https://eprint.iacr.org/2019/074

use std::ops::Range;

use crate::Block;
use crate::backend::{Backend, Cipher};

/// Says which hash call this is; never reused with the same Δ.
///
/// Bits 0 to 63 hold the index, 64 to 95 the stream, 96 to 103 the direction (or any other small
/// domain). Element `i` of a batch has index `first.index() + i`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tweak(u128);

impl Tweak {
    /// The tweak of number `index` of a stream in one direction.
    #[must_use]
    pub const fn new(direction: u8, stream: u32, index: u64) -> Self {
        Self((direction as u128) << 96 | (stream as u128) << 64 | index as u128)
    }

    /// The 64-bit index.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 64 bits are the index"
    )]
    pub const fn index(self) -> u64 {
        self.0 as u64
    }

    /// The number of the epoch, with the stream and the direction.
    const fn epoch(self) -> Block {
        let place = self.0 >> 64 << 64;
        place | (self.index() >> EPOCH_BITS) as Block
    }

    /// The tweak `n` places further on.
    ///
    /// # Panics
    /// If the index leaves 64 bits.
    #[must_use]
    pub const fn advance(self, n: u64) -> Self {
        assert!(
            self.index().checked_add(n).is_some(),
            "tweak index leaves 64 bits"
        );
        Self(self.0 + n as u128)
    }
}

/// Bits of the index that count within an epoch, the tweaks that share a key. AGREEMENT, SECURITY.
pub(crate) const EPOCH_BITS: u32 = 12;

/// The hash H(x, i) = π(π(x) ⊕ i) ⊕ π(x), with π AES-128 under the public key of the tweak's epoch.
#[derive(Debug)]
pub struct TccrHash {
    backend: Backend,
    /// Makes the keys of the epochs.
    keys: Cipher,
}

impl TccrHash {
    /// The hash of a session; both parties get the same one.
    #[must_use]
    pub fn new(session_id: &[u8; 16]) -> Self {
        Self::with_backend(session_id, Backend::detect())
    }

    /// [`Self::new`] on a chosen back-end.
    #[doc(hidden)]
    #[must_use]
    pub fn with_backend(session_id: &[u8; 16], backend: Backend) -> Self {
        let keys = Cipher::new(backend, session_key(session_id, "TCCR hash"));
        Self { backend, keys }
    }

    /// `out[i] = H(x[i], first + i)`.
    ///
    /// # Panics
    /// If the lengths differ or the index leaves 64 bits.
    pub fn hash_range(&self, first: Tweak, x: &[Block], out: &mut [Block]) {
        assert_eq!(x.len(), out.len(), "one output per input");
        for (first, part) in epochs(first, x.len()) {
            self.cipher(first)
                .tccr(first.0, &x[part.clone()], &mut out[part]);
        }
    }

    /// `out0[i] = H(q[i], first + i)` and `out1[i] = H(q[i] ^ delta, first + i)`.
    ///
    /// # Panics
    /// If the lengths differ or the index leaves 64 bits.
    pub fn hash_pair_range(
        &self,
        first: Tweak,
        q: &[Block],
        delta: Block,
        out0: &mut [Block],
        out1: &mut [Block],
    ) {
        assert_eq!(q.len(), out0.len(), "one output per input");
        assert_eq!(q.len(), out1.len(), "one output per input");
        for (first, part) in epochs(first, q.len()) {
            let out = [&mut out0[part.clone()], &mut out1[part.clone()]];
            self.cipher(first).tccr_pair(first.0, &q[part], delta, out);
        }
    }

    /// π of the epoch of a tweak.
    fn cipher(&self, tweak: Tweak) -> Cipher {
        let mut key = [0];
        self.keys.mmo(&[tweak.epoch()], &mut key);
        Cipher::new(self.backend, key[0])
    }
}

/// The parts of `n` tweaks from `first` on that are in one epoch: the first tweak of each, and which of the `n` it has.
fn epochs(first: Tweak, n: usize) -> impl Iterator<Item = (Tweak, Range<usize>)> {
    let _ = first.advance(n as u64);
    let length = 1 << EPOCH_BITS;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is a place within an epoch"
    )]
    let before = (first.index() % length as u64) as usize;
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = n.min(start + length - (before + start) % length);
        let part = (start < end).then_some((first.advance(start as u64), start..end));
        start = end;
        part
    })
}

/// A public AES key for one purpose within a session.
pub(crate) fn session_key(session_id: &[u8; 16], purpose: &str) -> Block {
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026-11-22 fixed AES key");
    hasher.update(session_id).update(purpose.as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    Block::from_le_bytes(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tweak_layout() {
        let tweak = Tweak::new(0xab, 0x1234_5678, 0xffff_ffff_ffff_fff0);
        assert_eq!(tweak.0, 0x0000_00ab_1234_5678_ffff_ffff_ffff_fff0);
        assert_eq!(tweak.advance(15).index(), u64::MAX);
    }

    #[test]
    #[should_panic(expected = "64 bits")]
    fn tweak_never_runs_into_the_stream() {
        let _ = Tweak::new(0, 0, u64::MAX - 1).advance(2);
    }

    #[test]
    fn sessions_have_different_hashes() {
        let hash = |id| {
            let mut out = [0];
            TccrHash::new(&[id; 16]).hash_range(Tweak::new(0, 0, 0), &[5], &mut out);
            out
        };
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn ranges_are_cut_where_epochs_end() {
        let cut = |index, n| -> Vec<_> {
            epochs(Tweak::new(2, 0, index), n)
                .map(|(first, part)| (first.index(), part))
                .collect()
        };
        assert_eq!(cut(0, 0), []);
        assert_eq!(cut(4095, 1), [(4095, 0..1)]);
        assert_eq!(cut(4095, 2), [(4095, 0..1), (4096, 1..2)]);
        let three = [(4090, 0..6), (4096, 6..4102), (8192, 4102..5000)];
        assert_eq!(cut(4090, 5000), three);
    }

    /// Which epoch it is depends on all of the tweak but the place within.
    #[test]
    fn epochs_have_keys_of_their_own() {
        let hash = TccrHash::new(&[1; 16]);
        let key = |tweak: Tweak| {
            let mut key = [0];
            hash.keys.mmo(&[tweak.epoch()], &mut key);
            key[0]
        };
        let first = key(Tweak::new(1, 0, 0));
        assert_eq!(first, key(Tweak::new(1, 0, 4095)));
        for other in [(1, 0, 4096), (2, 0, 0), (1, 1, 0), (1, 0, 1 << 63)] {
            assert_ne!(first, key(Tweak::new(other.0, other.1, other.2)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn definition(index in ..u64::MAX / 4096, at in 0..4096_u64, delta: Block, x in proptest::collection::vec(any::<Block>(), 0..300)) {
            let hash = TccrHash::new(&[3; 16]);
            let index = 4096 * index + at;
            let first = Tweak::new(1, 9, index);
            let pi = |cipher: &Cipher, x: Block| {
                let mut y = [0];
                cipher.encrypt(&[x], &mut y);
                y[0]
            };
            let h = |x, i| {
                let tweak = first.advance(i);
                let epoch = Block::from(tweak.index() / 4096) | 1 << 96 | 9 << 64;
                let cipher = Cipher::new(hash.backend, pi(&hash.keys, epoch) ^ epoch);
                pi(&cipher, pi(&cipher, x) ^ tweak.0) ^ pi(&cipher, x)
            };
            let expected0: Vec<_> = x.iter().zip(0..).map(|(x, i)| h(*x, i)).collect();
            let expected1: Vec<_> = x.iter().zip(0..).map(|(x, i)| h(x ^ delta, i)).collect();
            let mut out = vec![0; x.len()];
            hash.hash_range(first, &x, &mut out);
            prop_assert_eq!(&out, &expected0);
            let mut out1 = vec![0; x.len()];
            hash.hash_pair_range(first, &x, delta, &mut out, &mut out1);
            prop_assert_eq!(out, expected0);
            prop_assert_eq!(out1, expected1);
        }
    }
}
