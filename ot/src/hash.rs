//! Tweakable circular correlation-robust hash from fixed-key AES.
//!
//! **Functionality.** H(x, i) for a 128-bit x and a public tweak i behaves, on inputs x ⊕ Δ with an
//! unknown uniform Δ, like a fresh random function: it turns correlated OTs into random ones.
//!
//! **Protocol.** H(x, i) = π(π(x) ⊕ i) ⊕ π(x) [GKWY20], section 7.4, π being AES-128 under a public key
//! derived from the session id. A session has its own π, so evaluations of AES made beforehand or
//! for another session do not help against it.
//!
//! **Security.** Take AES under that key as an ideal permutation. Against q hashes under one uniform Δ
//! with distinct (x, i), p evaluations of π or its inverse distinguish with advantage at most
//! (4·q·p + 3·q²)/2¹²⁸ up to lower-order terms. This is the union bound over the cases in which two
//! inputs or two outputs of π meet: an input x ⊕ Δ or π(x ⊕ Δ) ⊕ i, or its image, meets one of the p
//! evaluations (4·q·p), or one of another hash (3·q²). So a constant advantage costs about 2¹²⁶/q
//! evaluations: about 128 − log2(q) bits less two. Tweaks keep equal inputs apart, therefore no
//! [`Tweak`] may return under the same Δ.
//!
//! **Cost.** Two AES calls per hash, no key schedule.
//!
//! - [GKWY20] Guo, Katz, Wang, Yu. *Efficient and Secure Multiparty Computation from Fixed-Key Block
//!   Ciphers*. IEEE S&P 2020, eprint 2019/074.
//!
//! [GKWY20]: https://eprint.iacr.org/2019/074

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

/// The hash H(x, i) = π(π(x) ⊕ i) ⊕ π(x), with π AES-128 under a public key fixed per session.
#[derive(Debug)]
pub struct TccrHash {
    cipher: Cipher,
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
        Self {
            cipher: Cipher::new(backend, session_key(session_id, "TCCR hash")),
        }
    }

    /// `out[i] = H(x[i], first + i)`.
    ///
    /// # Panics
    /// If the lengths differ or the index leaves 64 bits.
    pub fn hash_range(&self, first: Tweak, x: &[Block], out: &mut [Block]) {
        assert_eq!(x.len(), out.len(), "one output per input");
        let _ = first.advance(x.len() as u64);
        self.cipher.tccr(first.0, x, out);
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
        let _ = first.advance(q.len() as u64);
        self.cipher.tccr_pair(first.0, q, delta, [out0, out1]);
    }
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn definition(index in ..u64::MAX - 300, delta: Block, x in proptest::collection::vec(any::<Block>(), 0..300)) {
            let hash = TccrHash::new(&[3; 16]);
            let first = Tweak::new(1, 9, index);
            let pi = |x: Block| {
                let mut y = [0];
                hash.cipher.encrypt(&[x], &mut y);
                y[0]
            };
            let h = |x, i| pi(pi(x) ^ first.advance(i).0) ^ pi(x);
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
