//! VAES on 256-bit vectors: two blocks each.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and entry into detected features"
)]

use super::aesni::round_keys;
use super::cipher::{Kernels, RoundKeys};
use super::kernels::{ROUND_CONSTANTS, aes_kernels, copy_short};
use super::pair::pair_kernels;
use super::token::token;
use crate::Block;
use core::arch::x86_64::*;
use std::hint::black_box;
use zerocopy::IntoBytes;
use zeroize::Zeroize;

type Vector = __m256i;
const BYTES: usize = 32;

token!(
    /// Proof of VAES and AVX2.
    Vaes, ["vaes", "avx2", "aes"]
);
aes_kernels!("vaes,avx2,aes");
pair_kernels!("vaes,avx2,aes");

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; BYTES]) -> Vector {
    // SAFETY: 32 bytes are readable, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(x: Vector, bytes: &mut [u8; BYTES]) {
    // SAFETY: 32 bytes are writable, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), x) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn block(x: Block) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load needs no alignment.
    unsafe { _mm_loadu_si128(x.as_bytes().as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(x: Block) -> Vector {
    _mm256_broadcastsi128_si256(block(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes() -> Vector {
    _mm256_set_epi64x(0, 1, 0, 0)
}

#[inline]
#[target_feature(enable = "avx2")]
fn pair(x0: Block, x1: Block) -> Vector {
    _mm256_set_m128i(block(x1), block(x0))
}

#[inline]
#[target_feature(enable = "avx2")]
fn pair_lanes() -> Vector {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_halves(x: Vector, low: &mut [u8; BYTES / 2], high: &mut [u8; BYTES / 2]) {
    let x = [_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x)];
    // SAFETY: 16 bytes are writable, and the store needs no alignment.
    unsafe { _mm_storeu_si128(low.as_mut_ptr().cast(), x[0]) }
    // SAFETY: as above.
    unsafe { _mm_storeu_si128(high.as_mut_ptr().cast(), x[1]) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "vaes")]
fn encrypt_round(state: Vector, key: Vector) -> Vector {
    _mm256_aesenc_epi128(state, key)
}

#[inline]
#[target_feature(enable = "vaes")]
fn encrypt_last_round(state: Vector, key: Vector) -> Vector {
    _mm256_aesenclast_epi128(state, key)
}

/// The last word of each block, rotated by one byte, in all four places.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate_last_word(x: Vector) -> Vector {
    _mm256_shuffle_epi8(x, _mm256_set1_epi32(0x0c0f_0e0d))
}

#[inline]
#[target_feature(enable = "avx2")]
fn up_one_word(x: Vector) -> Vector {
    _mm256_bslli_epi128::<4>(x)
}

#[inline]
#[target_feature(enable = "avx2")]
fn up_two_words(x: Vector) -> Vector {
    _mm256_bslli_epi128::<8>(x)
}
