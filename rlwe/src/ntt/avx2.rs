//! Four lanes: AVX2 and FMA.
#![expect(
    unsafe_code,
    reason = "vector instructions need the proof that the processor has them"
)]

use std::arch::x86_64::*;

use super::machine::{Machine, Operation};
use super::tables::Line;

/// Proof that AVX2 and FMA are available.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The token, if the processor has both and the build is not `--cfg blindray_portable`.
    pub(super) fn new() -> Option<Self> {
        let usable = !cfg!(blindray_portable)
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        usable.then_some(Self(()))
    }

    #[inline]
    pub(super) fn run<O: Operation>(self, operation: O) {
        // SAFETY: `self` exists only if AVX2 and FMA were detected.
        unsafe { run_avx2(self, operation) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn run_avx2<O: Operation>(machine: Avx2, operation: O) {
    operation.run(machine);
}

/// The four doubles of this part of a line.
#[inline(always)]
fn quarter(line: &Line, part: usize) -> &[f64; 4] {
    &line.as_chunks().0[part]
}

impl Machine for Avx2 {
    type Vector = __m256d;

    const PARTS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f64) -> __m256d {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { _mm256_set1_pd(x) }
    }

    #[inline(always)]
    fn load(self, line: &Line, part: usize) -> __m256d {
        let from = quarter(line, part).as_ptr();
        // SAFETY: `self` exists only if AVX2 was detected, and there are four doubles.
        unsafe { _mm256_loadu_pd(from) }
    }

    #[inline(always)]
    fn store(self, line: &mut Line, part: usize, x: __m256d) {
        let to: &mut [f64; 4] = &mut line.as_chunks_mut().0[part];
        // SAFETY: `self` exists only if AVX2 was detected, and there are four doubles.
        unsafe { _mm256_storeu_pd(to.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn add(self, a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { _mm256_add_pd(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { _mm256_sub_pd(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { _mm256_mul_pd(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        // SAFETY: `self` exists only if FMA was detected.
        unsafe { _mm256_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn mul_sub(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        // SAFETY: `self` exists only if FMA was detected.
        unsafe { _mm256_fmsub_pd(a, b, c) }
    }

    #[inline(always)]
    fn sub_mul(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        // SAFETY: `self` exists only if FMA was detected.
        unsafe { _mm256_fnmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn transpose(self, x: [__m256d; 8]) -> [__m256d; 8] {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { squares(x) }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn squares([a, b, c, d, e, f, g, h]: [__m256d; 8]) -> [__m256d; 8] {
    let [a, b, c, d] = square(a, b, c, d);
    let [e, f, g, h] = square(e, f, g, h);
    [a, b, c, d, e, f, g, h]
}

#[target_feature(enable = "avx2")]
#[inline]
fn square(a: __m256d, b: __m256d, c: __m256d, d: __m256d) -> [__m256d; 4] {
    let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(ab0, cd0),
        _mm256_permute2f128_pd::<0x20>(ab1, cd1),
        _mm256_permute2f128_pd::<0x31>(ab0, cd0),
        _mm256_permute2f128_pd::<0x31>(ab1, cd1),
    ]
}
