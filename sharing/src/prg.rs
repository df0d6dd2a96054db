//! The seeded generator of a session.

use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use ring_arith::Bits;
use zeroize::Zeroizing;

/// A cryptographic generator (`ChaCha20`) with numbered independent children, for what is drawn again from a seed in place of being
/// kept.
///
/// Its state is overwritten on drop and never printed.
pub struct Prg(ChaCha20Rng);

impl Prg {
    /// Child `number` of `seed`: the seed is the `ChaCha20` key, the number its nonce, so
    /// children are independent streams and the order in which they are made does not matter.
    #[must_use]
    pub fn child(seed: &[u8; 32], number: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(*seed);
        rng.set_stream(number);
        Self(rng)
    }

    /// A fresh seed.
    pub(crate) fn seed(&mut self) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new([0; 32]);
        self.0.fill_bytes(&mut *seed);
        seed
    }

    /// `n` uniform elements of `Z_2^bits`.
    pub fn elements(&mut self, n: usize, bits: Bits) -> Vec<u64> {
        (0..n).map(|_| bits.reduce(self.0.next_u64())).collect()
    }
}

impl TryRng for Prg {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(out);
        Ok(())
    }
}

impl TryCryptoRng for Prg {}

impl Drop for Prg {
    fn drop(&mut self) {
        // `ChaCha20Rng` does not zeroize; overwriting it and showing the result to the outside
        // world keeps the store from being removed.
        self.0 = ChaCha20Rng::from_seed([0; 32]);
        black_box(&self.0);
    }
}

impl fmt::Debug for Prg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prg(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_differ_and_repeat() {
        let seed = [7; 32];
        let word = |number| Prg::child(&seed, number).next_u64();
        assert_eq!(word(0), word(0));
        assert_ne!(word(0), word(1));
    }

    #[test]
    fn prints_nothing() {
        assert_eq!(format!("{:?}", Prg::child(&[1; 32], 0)), "Prg(..)");
    }

    #[test]
    fn elements_are_reduced() {
        let bits = Bits::of(5);
        let all = Prg::child(&[1; 32], 0).elements(1000, bits);
        assert!(all.iter().all(|&x| x < 32));
        assert!(all.contains(&31));
    }
}
