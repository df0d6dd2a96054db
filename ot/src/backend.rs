//! AES-128, bit-matrix and field back-ends, chosen at run time.
//!
//! [`Backend`] is a choice of instruction set that the processor is known to have. [`Cipher`] is a
//! key expanded for one back-end; every operation on it takes a whole batch, so the choice is made
//! once per batch. All back-ends compute the same function; the portable one is the oracle.

use crate::Block;

mod bytes;
mod cipher;
mod gather;
mod gf128;
mod matrix;
mod portable;

#[cfg(target_arch = "x86_64")]
mod aesni;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod clmul;
#[cfg(target_arch = "x86_64")]
mod kernels;
#[cfg(target_arch = "x86_64")]
mod pair;
#[cfg(target_arch = "x86_64")]
mod token;
#[cfg(target_arch = "x86_64")]
mod vaes;
#[cfg(target_arch = "x86_64")]
mod vaes512;

use cipher::Kernels;
use portable::Portable;
#[cfg(target_arch = "x86_64")]
use {aesni::AesNi, vaes::Vaes, vaes512::Vaes512};

pub(crate) use bytes::{blocks_from_le, words_from_le};
pub(crate) use cipher::Cipher;
pub(crate) use gather::{add_entries, add_pairs};
pub(crate) use gf128::sum_of_products;
pub(crate) use matrix::{transpose_128, xor_masked};

/// The instruction set used for AES.
///
/// Results never depend on it: only tests and benches choose one by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backend(Set);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    /// The `aes` crate.
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    AesNi(AesNi),
    #[cfg(target_arch = "x86_64")]
    Vaes(Vaes),
    /// 512-bit vectors for long batches, 256-bit ones for short batches.
    #[cfg(target_arch = "x86_64")]
    Vaes512(Vaes, Vaes512),
}

/// Blocks from which 512-bit vectors pay; LOCAL.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 128;

impl Backend {
    /// The back-end that every processor has.
    pub const PORTABLE: Self = Self(Set::Portable(Portable));

    /// The fastest back-end of this processor.
    #[must_use]
    #[inline]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(vaes) = Vaes::new() {
                return Self(Vaes512::new().map_or(Set::Vaes(vaes), |w| Set::Vaes512(vaes, w)));
            }
            if let Some(aesni) = AesNi::new() {
                return Self(Set::AesNi(aesni));
            }
        }
        Self::PORTABLE
    }

    /// Every back-end of this processor.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let others = [
            AesNi::new().map(Set::AesNi),
            Vaes::new().map(Set::Vaes),
            Vaes::new()
                .zip(Vaes512::new())
                .map(|(vaes, wide)| Set::Vaes512(vaes, wide)),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let others: [Option<Set>; 0] = [];
        let others = others.into_iter().flatten().map(Self);
        std::iter::once(Self::PORTABLE).chain(others).collect()
    }

    /// A short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Set::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::AesNi(_) => "aes-ni",
            #[cfg(target_arch = "x86_64")]
            Set::Vaes(_) => "vaes",
            #[cfg(target_arch = "x86_64")]
            Set::Vaes512(..) => "vaes-512",
        }
    }

    /// The kernels for a batch of so many blocks.
    #[inline]
    fn kernels(&self, blocks: usize) -> &dyn Kernels {
        let _ = blocks;
        match &self.0 {
            Set::Portable(token) => token,
            #[cfg(target_arch = "x86_64")]
            Set::AesNi(token) => token,
            #[cfg(target_arch = "x86_64")]
            Set::Vaes512(_, token) if blocks >= LONG => token,
            #[cfg(target_arch = "x86_64")]
            Set::Vaes(token) | Set::Vaes512(token, _) => token,
        }
    }

    /// [`Cipher::keystream`] of a key used once.
    #[inline]
    pub(crate) fn keystream(self, seed: Block, first: u64, out: &mut [u8]) {
        self.kernels(out.len() / 16)
            .keystream_of_seed(seed, first, out);
    }

    /// [`Self::keystream`] of two seeds, into outputs of one length.
    #[inline]
    pub(crate) fn keystream_pair(
        self,
        seed0: Block,
        seed1: Block,
        first: u64,
        out: [&mut [u8]; 2],
    ) {
        debug_assert_eq!(out[0].len(), out[1].len(), "rows of one length");
        self.kernels(out[0].len() / 16)
            .keystream_pair(seed0, seed1, first, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block from the big-endian hexadecimal of the standards.
    fn block(hex: &str) -> Block {
        Block::from_str_radix(hex, 16).unwrap().swap_bytes()
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_fastest_of_this_processor_is_chosen_and_in_a_portable_build_the_portable_one() {
        let available = Backend::available();
        assert_eq!(Backend::detect(), available[available.len() - 1]);
        #[cfg(blindray_portable)]
        {
            assert_eq!(available, [Backend::PORTABLE]);
            assert!(avx2::Avx2::new().is_none());
        }
        #[cfg(not(blindray_portable))]
        {
            let aes = is_x86_feature_detected!("aes") && is_x86_feature_detected!("ssse3");
            assert_eq!(available.len() > 1, aes);
            let avx2 = is_x86_feature_detected!("avx2");
            assert_eq!(avx2::Avx2::new().is_some(), avx2);
        }
    }

    fn check(key: &str, pairs: &[(&str, &str)]) {
        let plain: Vec<_> = pairs.iter().map(|(plain, _)| block(plain)).collect();
        let expected: Vec<_> = pairs.iter().map(|(_, cipher)| block(cipher)).collect();
        for backend in Backend::available() {
            let mut out = vec![0; plain.len()];
            Cipher::new(backend, block(key)).encrypt(&plain, &mut out);
            assert_eq!(out, expected, "{}", backend.name());
        }
    }

    /// FIPS-197, appendices B and C.1.
    #[test]
    fn fips_197() {
        check(
            "2b7e151628aed2a6abf7158809cf4f3c",
            &[(
                "3243f6a8885a308d313198a2e0370734",
                "3925841d02dc09fbdc118597196a0b32",
            )],
        );
        check(
            "000102030405060708090a0b0c0d0e0f",
            &[(
                "00112233445566778899aabbccddeeff",
                "69c4e0d86a7b0430d8cdb78070b4c55a",
            )],
        );
    }

    /// NIST SP 800-38A, F.5.1: the input and output blocks of CTR-AES128.
    #[test]
    fn sp_800_38a_counter_mode() {
        check(
            "2b7e151628aed2a6abf7158809cf4f3c",
            &[
                (
                    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                    "ec8cdf7398607cb0f2d21675ea9ea1e4",
                ),
                (
                    "f0f1f2f3f4f5f6f7f8f9fafbfcfdff00",
                    "362b7c3c6773516318a077d7fc5073ae",
                ),
                (
                    "f0f1f2f3f4f5f6f7f8f9fafbfcfdff01",
                    "6a2cc3787889374fbeb4c81b17ba6c44",
                ),
                (
                    "f0f1f2f3f4f5f6f7f8f9fafbfcfdff02",
                    "e89c399ff0f198c6d40a31db156cabfe",
                ),
            ],
        );
    }

    /// The last round key of FIPS-197, appendix A.1.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn key_schedule() {
        if let Some(aesni) = AesNi::new() {
            let keys = aesni.expand(block("2b7e151628aed2a6abf7158809cf4f3c"));
            assert_eq!(keys.0[1], block("a0fafe1788542cb123a339392a6c7605"));
            assert_eq!(keys.0[10], block("d014f9a8c9ee2589e13f0cc8b6630ca6"));
        }
    }

    fn blocks(max: usize) -> impl Strategy<Value = Vec<Block>> {
        proptest::collection::vec(any::<Block>(), 0..max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn maps_agree(key: Block, domain: u64, index in ..u64::MAX - 300, delta: Block, x in blocks(300)) {
            let first = Block::from(domain) << 64 | Block::from(index);
            let results = Backend::available().into_iter().map(|backend| {
                let cipher = Cipher::new(backend, key);
                let mut out: [Vec<Block>; 5] = std::array::from_fn(|_| vec![1; x.len()]);
                let [encrypted, hashed, left, right, mmo] = &mut out;
                cipher.encrypt(&x, encrypted);
                cipher.tccr(first, &x, hashed);
                cipher.tccr_pair(first, &x, delta, [left, right]);
                cipher.mmo(&x, mmo);
                (backend.name(), out)
            });
            let results: Vec<_> = results.collect();
            for (name, out) in &results {
                prop_assert_eq!(&out[1], &out[2], "{}", name);
                prop_assert_eq!(out, &results[0].1, "{}", name);
            }
        }

        #[test]
        fn keystreams_agree(seeds: [Block; 2], first in any::<u64>(), bytes in 0_usize..3000) {
            let mut expected = [vec![0; bytes], vec![0; bytes]];
            for (seed, expected) in seeds.into_iter().zip(&mut expected) {
                Backend::PORTABLE.keystream(seed, first, expected);
            }
            for backend in Backend::available() {
                let name = backend.name();
                let mut out = [vec![1; bytes], vec![1; bytes]];
                let [out0, out1] = &mut out;
                backend.keystream(seeds[0], first, out0);
                Cipher::new(backend, seeds[1]).keystream(first, out1);
                prop_assert_eq!(&out, &expected, "{}", name);
                let [out0, out1] = &mut out;
                out0.fill(1);
                out1.fill(1);
                backend.keystream_pair(seeds[0], seeds[1], first, [out0, out1]);
                prop_assert_eq!(&out, &expected, "pair, {}", name);
            }
        }
    }
}
