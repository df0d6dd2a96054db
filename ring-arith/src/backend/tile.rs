//! Register tiles of the matrix product in AVX2: 4 × 16 for `u32`, 4 × 8 for `u64`.
#![expect(
    unsafe_code,
    reason = "vector loads and stores take pointers, and AVX2 code needs the proof of AVX2"
)]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_loadu_si256, _mm256_mul_epi32, _mm256_mullo_epi32, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_shuffle_ps, _mm256_srai_epi32, _mm256_storeu_si256,
    _mm256_sub_epi32, _mm256_unpackhi_epi32, _mm256_unpacklo_epi32,
};

use super::avx2::Avx2;
use crate::Word;
use crate::gemm::{MAX_TILE, MR};

impl Avx2 {
    /// `tile[r][j] += Σ_p strip[p][r] * panel[p][j]`, 16 columns.
    pub(crate) fn tile_u32(self, strip: &[i32], panel: &[u32], tile: &mut [u32; MAX_TILE]) {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { tile_u32(strip, panel, tile) }
    }

    /// `tile[r][j] += Σ_p strip[p][r] * panel[p][j]`, 8 columns.
    pub(crate) fn tile_u64(self, strip: &[i32], panel: &[u64], tile: &mut [u64; MAX_TILE]) {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { tile_u64(strip, panel, tile) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load<T: Word>(x: &[T], at: usize) -> __m256i {
    let lanes = &x[at..at + 32 / size_of::<T>()];
    // SAFETY: `lanes` is 32 readable bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store<T: Word>(x: &mut [T], at: usize, v: __m256i) {
    let lanes = &mut x[at..at + 32 / size_of::<T>()];
    // SAFETY: `lanes` is 32 writable bytes, any of whose values is one of the words; the store
    // needs no alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), v) }
}

#[target_feature(enable = "avx2")]
fn tile_u32(strip: &[i32], panel: &[u32], tile: &mut [u32; MAX_TILE]) {
    let mut acc = [[_mm256_setzero_si256(); 2]; MR];
    for (a, b) in strip
        .as_chunks::<MR>()
        .0
        .iter()
        .zip(panel.as_chunks::<16>().0)
    {
        let (b0, b1) = (load(b, 0), load(b, 8));
        for r in 0..MR {
            let w = _mm256_set1_epi32(a[r]);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_mullo_epi32(w, b0));
            acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_mullo_epi32(w, b1));
        }
    }
    for r in 0..MR {
        for (h, acc) in acc[r].into_iter().enumerate() {
            let at = r * 16 + h * 8;
            let sum = _mm256_add_epi32(load(tile, at), acc);
            store(tile, at, sum);
        }
    }
}

/// With x = lo + 2^32 hi, lo read as signed: w x = w lo + 2^32 (w hi), so the products of the low
/// halves are 64-bit ones and those of the high halves 32-bit ones, eight at a time.
#[target_feature(enable = "avx2")]
fn tile_u64(strip: &[i32], panel: &[u64], tile: &mut [u64; MAX_TILE]) {
    let mut low = [[_mm256_setzero_si256(); 2]; MR];
    let mut high = [_mm256_setzero_si256(); MR];
    for (a, b) in strip
        .as_chunks::<MR>()
        .0
        .iter()
        .zip(panel.as_chunks::<8>().0)
    {
        let (b0, b1) = (load(b, 0), load(b, 4));
        let (f0, f1) = (_mm256_castsi256_ps(b0), _mm256_castsi256_ps(b1));
        let lo = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(f0, f1));
        let hi = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(f0, f1));
        let hi = _mm256_sub_epi32(hi, _mm256_srai_epi32::<31>(lo));
        for r in 0..MR {
            let w = _mm256_set1_epi32(a[r]);
            low[r][0] = _mm256_add_epi64(low[r][0], _mm256_mul_epi32(w, b0));
            low[r][1] = _mm256_add_epi64(low[r][1], _mm256_mul_epi32(w, b1));
            high[r] = _mm256_add_epi32(high[r], _mm256_mullo_epi32(w, hi));
        }
    }
    for r in 0..MR {
        // The shuffle left columns 0 1 4 5 | 2 3 6 7; unpacking pairs them again.
        let zero = _mm256_setzero_si256();
        let highs = [
            _mm256_unpacklo_epi32(zero, high[r]),
            _mm256_unpackhi_epi32(zero, high[r]),
        ];
        for h in 0..2 {
            let at = r * 8 + h * 4;
            let sum = _mm256_add_epi64(low[r][h], highs[h]);
            let sum = _mm256_add_epi64(load(tile, at), sum);
            store(tile, at, sum);
        }
    }
}
