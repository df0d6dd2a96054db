//! Sums of products in GF(2^128) with carry-less multiplication, in vectors of three widths.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and entry into detected features"
)]

use super::gf128::Product;
use super::token::detected;
use crate::Block;
use core::arch::x86_64::*;
use zerocopy::IntoBytes;

/// One width: a token that proves its features, and the kernel. The four partial products of every
/// block are summed as they are; [`Product`] puts them together once per sum.
macro_rules! width {
    (
        $(#[$doc:meta])* $token:ident, [$($feature:tt),+], $enable:literal,
        $bytes:literal, $zero:ident, $load:ident, $store:ident, $xor:ident, $multiply:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $token(());

        impl $token {
            #[inline]
            pub(super) fn new() -> Option<Self> {
                detected!($($feature),+).then_some(Self(()))
            }

            /// See [`super::sum_of_products`], which checks the lengths.
            #[inline]
            pub(super) fn sum_of_products(self, a: &[Block], b: &[u8]) -> Product {
                #[target_feature(enable = $enable)]
                fn kernel(a: &[u8], b: &[u8]) -> Product {
                    let mut sums = [$zero(); 4];
                    let vectors = a.as_chunks::<$bytes>().0.iter().zip(b.as_chunks::<$bytes>().0);
                    for (a, b) in vectors {
                        // SAFETY: a vector's bytes are readable, and the load needs no alignment.
                        let a = unsafe { $load(a.as_ptr().cast()) };
                        // SAFETY: as above.
                        let b = unsafe { $load(b.as_ptr().cast()) };
                        sums[0] = $xor(sums[0], $multiply::<0x00>(a, b));
                        sums[1] = $xor(sums[1], $multiply::<0x01>(a, b));
                        sums[2] = $xor(sums[2], $multiply::<0x10>(a, b));
                        sums[3] = $xor(sums[3], $multiply::<0x11>(a, b));
                    }
                    let [low, middle0, middle1, high] = sums.map(|sum| {
                        let mut lanes: [Block; $bytes / 16] = [0; $bytes / 16];
                        // SAFETY: the lanes are as long as the vector, and the store needs no alignment.
                        unsafe { $store(lanes.as_mut_bytes().as_mut_ptr().cast(), sum) };
                        lanes.iter().fold(0, |sum, lane| sum ^ lane)
                    });
                    Product::of_halves(low, middle0 ^ middle1, high)
                }
                // SAFETY: the token proves the features.
                unsafe { kernel(a.as_bytes(), b) }
            }
        }
    };
}

width!(
    /// Proof of PCLMULQDQ: one block per vector.
    Clmul, ["pclmulqdq", "sse2"], "pclmulqdq,sse2",
    16, _mm_setzero_si128, _mm_loadu_si128, _mm_storeu_si128, _mm_xor_si128, _mm_clmulepi64_si128
);
width!(
    /// Proof of VPCLMULQDQ and AVX2: two blocks per vector.
    Clmul256, ["vpclmulqdq", "avx2"], "vpclmulqdq,avx2",
    32, _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_xor_si256,
    _mm256_clmulepi64_epi128
);
width!(
    /// Proof of VPCLMULQDQ and AVX-512 F: four blocks per vector.
    Clmul512, ["vpclmulqdq", "avx512f"], "vpclmulqdq,avx512f",
    64, _mm512_setzero_si512, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_xor_si512,
    _mm512_clmulepi64_epi128
);
