//! AES-NI: one block per vector.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and entry into detected features"
)]

use super::cipher::{Kernels, RoundKeys};
use super::kernels::{ROUND_CONSTANTS, aes_kernels, copy_short};
use super::token::token;
use crate::Block;
use core::arch::x86_64::*;
use std::hint::black_box;
use zerocopy::IntoBytes;
use zeroize::Zeroize;

type Vector = __m128i;
const BYTES: usize = 16;

token!(
    /// Proof of AES-NI and SSSE3.
    AesNi, ["aes", "ssse3"]
);
aes_kernels!("aes,ssse3");

#[target_feature(enable = "aes,ssse3")]
pub(super) fn round_keys(key: Block) -> RoundKeys {
    let mut keys = RoundKeys([0; 11]);
    let mut vectors = expand(broadcast(key));
    for (key, vector) in keys.0.iter_mut().zip(&vectors) {
        store(
            *vector,
            key.as_mut_bytes()
                .first_chunk_mut()
                .expect("a block has 16 bytes"),
        );
    }
    vectors.zeroize();
    keys
}

#[target_feature(enable = "aes,ssse3")]
fn keystream_pair(seed0: Block, seed1: Block, first: u64, [out0, out1]: [&mut [u8]; 2]) {
    keystream_of_seed(seed0, first, out0);
    keystream_of_seed(seed1, first, out1);
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(bytes: &[u8; BYTES]) -> Vector {
    // SAFETY: 16 bytes are readable, and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(x: Vector, bytes: &mut [u8; BYTES]) {
    // SAFETY: 16 bytes are writable, and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), x) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn broadcast(x: Block) -> Vector {
    load(&x.to_le_bytes())
}

#[inline]
#[target_feature(enable = "sse2")]
fn lanes() -> Vector {
    _mm_setzero_si128()
}

#[inline]
#[target_feature(enable = "sse2")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm_add_epi64(a, b)
}

#[inline]
#[target_feature(enable = "sse2")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm_xor_si128(a, b)
}

#[inline]
#[target_feature(enable = "aes")]
fn encrypt_round(state: Vector, key: Vector) -> Vector {
    _mm_aesenc_si128(state, key)
}

#[inline]
#[target_feature(enable = "aes")]
fn encrypt_last_round(state: Vector, key: Vector) -> Vector {
    _mm_aesenclast_si128(state, key)
}

/// The last word, rotated by one byte, in all four places.
#[inline]
#[target_feature(enable = "ssse3")]
fn rotate_last_word(x: Vector) -> Vector {
    _mm_shuffle_epi8(x, _mm_set1_epi32(0x0c0f_0e0d))
}

#[inline]
#[target_feature(enable = "sse2")]
fn up_one_word(x: Vector) -> Vector {
    _mm_slli_si128::<4>(x)
}

#[inline]
#[target_feature(enable = "sse2")]
fn up_two_words(x: Vector) -> Vector {
    _mm_slli_si128::<8>(x)
}
