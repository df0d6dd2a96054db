//! Eight lanes: AVX-512F.
#![expect(
    unsafe_code,
    reason = "vector instructions need the proof that the processor has them"
)]

use std::arch::x86_64::*;

use super::machine::{Machine, Operation};
use super::tables::Line;

/// Proof that AVX-512F is available.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The token, if the processor has it and the build is not `--cfg blindray_portable`.
    pub(super) fn new() -> Option<Self> {
        let usable = !cfg!(blindray_portable) && is_x86_feature_detected!("avx512f");
        usable.then_some(Self(()))
    }

    #[inline]
    pub(super) fn run<O: Operation>(self, operation: O) {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { run_avx512(self, operation) }
    }
}

#[target_feature(enable = "avx512f")]
fn run_avx512<O: Operation>(machine: Avx512, operation: O) {
    operation.run(machine);
}

impl Machine for Avx512 {
    type Vector = __m512d;

    const PARTS: usize = 1;

    #[inline(always)]
    fn splat(self, x: f64) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    fn load(self, line: &Line, _: usize) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected, and there are eight doubles.
        unsafe { _mm512_loadu_pd(line.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, line: &mut Line, _: usize, x: __m512d) {
        // SAFETY: `self` exists only if AVX-512F was detected, and there are eight doubles.
        unsafe { _mm512_storeu_pd(line.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn add(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_add_pd(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_sub_pd(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_mul_pd(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn mul_sub(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_fmsub_pd(a, b, c) }
    }

    #[inline(always)]
    fn sub_mul(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { _mm512_fnmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn transpose(self, x: [__m512d; 8]) -> [__m512d; 8] {
        // SAFETY: `self` exists only if AVX-512F was detected.
        unsafe { square(x) }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn square(x: [__m512d; 8]) -> [__m512d; 8] {
    // The even 128-bit lanes of two vectors, and the odd ones.
    const EVEN: i32 = 0x88;
    const ODD: i32 = 0xdd;
    let [a, b, c, d, e, f, g, h] = x;
    // Columns 0, 2, 4, 6 of two rows each, then 1, 3, 5, 7.
    let (ab0, cd0) = (_mm512_unpacklo_pd(a, b), _mm512_unpacklo_pd(c, d));
    let (ef0, gh0) = (_mm512_unpacklo_pd(e, f), _mm512_unpacklo_pd(g, h));
    let (ab1, cd1) = (_mm512_unpackhi_pd(a, b), _mm512_unpackhi_pd(c, d));
    let (ef1, gh1) = (_mm512_unpackhi_pd(e, f), _mm512_unpackhi_pd(g, h));
    // Columns 0 and 4 of four rows, 2 and 6, 1 and 5, 3 and 7.
    let (ad0, eh0) = (
        _mm512_shuffle_f64x2::<EVEN>(ab0, cd0),
        _mm512_shuffle_f64x2::<EVEN>(ef0, gh0),
    );
    let (ad2, eh2) = (
        _mm512_shuffle_f64x2::<ODD>(ab0, cd0),
        _mm512_shuffle_f64x2::<ODD>(ef0, gh0),
    );
    let (ad1, eh1) = (
        _mm512_shuffle_f64x2::<EVEN>(ab1, cd1),
        _mm512_shuffle_f64x2::<EVEN>(ef1, gh1),
    );
    let (ad3, eh3) = (
        _mm512_shuffle_f64x2::<ODD>(ab1, cd1),
        _mm512_shuffle_f64x2::<ODD>(ef1, gh1),
    );
    [
        _mm512_shuffle_f64x2::<EVEN>(ad0, eh0),
        _mm512_shuffle_f64x2::<EVEN>(ad1, eh1),
        _mm512_shuffle_f64x2::<EVEN>(ad2, eh2),
        _mm512_shuffle_f64x2::<EVEN>(ad3, eh3),
        _mm512_shuffle_f64x2::<ODD>(ad0, eh0),
        _mm512_shuffle_f64x2::<ODD>(ad1, eh1),
        _mm512_shuffle_f64x2::<ODD>(ad2, eh2),
        _mm512_shuffle_f64x2::<ODD>(ad3, eh3),
    ]
}
