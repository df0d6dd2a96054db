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
    /// The token, if the processor has AVX2 and the build is not `--cfg blindray_portable`.
    #[inline]
    pub(crate) fn new() -> Option<Self> {
        #[cfg(test)]
        if super::FORCE_PORTABLE.with(core::cell::Cell::get) {
            return None;
        }
        let usable = !cfg!(blindray_portable) && is_x86_feature_detected!("avx2");
        usable.then_some(Self(()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_there_where_avx2_is_and_never_in_a_portable_build() {
        #[cfg(blindray_portable)]
        assert!(Avx2::new().is_none());
        #[cfg(not(blindray_portable))]
        assert_eq!(Avx2::new().is_some(), is_x86_feature_detected!("avx2"));
        assert!(super::super::portable(Avx2::new).is_none());
    }
}
