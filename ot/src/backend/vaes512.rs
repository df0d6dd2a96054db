//! VAES on 512-bit vectors: four blocks each.
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

type Vector = __m512i;
const BYTES: usize = 64;

token!(
    /// Proof of VAES and of AVX-512 F and BW.
    Vaes512, ["vaes", "avx512f", "avx512bw", "aes"]
);
aes_kernels!("vaes,avx512f,avx512bw,aes");
pair_kernels!("vaes,avx512f,avx512bw,aes");

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; BYTES]) -> Vector {
    // SAFETY: 64 bytes are readable, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(x: Vector, bytes: &mut [u8; BYTES]) {
    // SAFETY: 64 bytes are writable, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), x) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn block(x: Block) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load needs no alignment.
    unsafe { _mm_loadu_si128(x.as_bytes().as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(x: Block) -> Vector {
    _mm512_broadcast_i32x4(block(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn lanes() -> Vector {
    _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pair(x0: Block, x1: Block) -> Vector {
    _mm512_shuffle_i32x4::<0>(broadcast(x0), broadcast(x1))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pair_lanes() -> Vector {
    _mm512_set_epi64(0, 1, 0, 0, 0, 1, 0, 0)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_halves(x: Vector, low: &mut [u8; BYTES / 2], high: &mut [u8; BYTES / 2]) {
    let x = [_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x)];
    // SAFETY: 32 bytes are writable, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(low.as_mut_ptr().cast(), x[0]) }
    // SAFETY: as above.
    unsafe { _mm256_storeu_si256(high.as_mut_ptr().cast(), x[1]) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "vaes,avx512f")]
fn encrypt_round(state: Vector, key: Vector) -> Vector {
    _mm512_aesenc_epi128(state, key)
}

#[inline]
#[target_feature(enable = "vaes,avx512f")]
fn encrypt_last_round(state: Vector, key: Vector) -> Vector {
    _mm512_aesenclast_epi128(state, key)
}

/// The last word of each block, rotated by one byte, in all four places.
#[inline]
#[target_feature(enable = "avx512bw")]
fn rotate_last_word(x: Vector) -> Vector {
    _mm512_shuffle_epi8(x, _mm512_set1_epi32(0x0c0f_0e0d))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn up_one_word(x: Vector) -> Vector {
    _mm512_bslli_epi128::<4>(x)
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn up_two_words(x: Vector) -> Vector {
    _mm512_bslli_epi128::<8>(x)
}
