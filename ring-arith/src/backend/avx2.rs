//! The AVX2 token: owning one proves that the processor has the instructions.
#![expect(
    unsafe_code,
    reason = "calling code compiled for AVX2 needs the proof that AVX2 is there"
)]

use super::Kernel;

/// Proof that AVX2 is available.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(crate) fn new() -> Option<Self> {
        #[cfg(test)]
        if super::FORCE_PORTABLE.with(core::cell::Cell::get) {
            return None;
        }
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: `self` exists only if AVX2 was detected.
        unsafe { run_avx2(kernel) }
    }
}

#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run();
}
