//! Tokens that prove that the processor has the instructions of a module of kernels.

/// Whether the processor has every feature. A build with `--cfg blindray_portable` says that it has none.
macro_rules! detected {
    ($($feature:tt),+) => {
        !cfg!(blindray_portable) $(&& std::arch::is_x86_feature_detected!($feature))+
    };
}

/// A token for the kernels of a module: its existence proves that their features are there.
macro_rules! token {
    ($(#[$doc:meta])* $token:ident, [$($feature:tt),+]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) struct $token(());

        impl $token {
            /// The token, if the processor has every feature.
            #[inline]
            pub(super) fn new() -> Option<Self> {
                let usable = $crate::backend::token::detected!($($feature),+);
                usable.then_some(Self(()))
            }
        }

        impl Kernels for $token {
            fn expand(&self, key: Block) -> RoundKeys {
                // SAFETY: the token proves the features.
                unsafe { round_keys(key) }
            }

            fn tccr(&self, keys: &RoundKeys, first: Block, x: &[Block], out: &mut [Block]) {
                // SAFETY: the token proves the features.
                unsafe { tccr(keys, first, x.as_bytes(), out.as_mut_bytes()) }
            }

            fn tccr_pair(
                &self,
                keys: &RoundKeys,
                first: Block,
                q: &[Block],
                delta: Block,
                out: [&mut [Block]; 2],
            ) {
                let out = out.map(IntoBytes::as_mut_bytes);
                // SAFETY: the token proves the features.
                unsafe { tccr_pair(keys, first, q.as_bytes(), delta, out) }
            }

            fn mmo(&self, keys: &RoundKeys, x: &[Block], out: &mut [Block]) {
                // SAFETY: the token proves the features.
                unsafe { mmo(keys, x.as_bytes(), out.as_mut_bytes()) }
            }

            fn keystream(&self, keys: &RoundKeys, first: u64, out: &mut [u8]) {
                // SAFETY: the token proves the features.
                unsafe { keystream(keys, first, out) }
            }

            fn keystream_of_seed(&self, seed: Block, first: u64, out: &mut [u8]) {
                // SAFETY: the token proves the features.
                unsafe { keystream_of_seed(seed, first, out) }
            }

            fn keystream_pair(&self, seed0: Block, seed1: Block, first: u64, out: [&mut [u8]; 2]) {
                // SAFETY: the token proves the features.
                unsafe { keystream_pair(seed0, seed1, first, out) }
            }
        }
    };
}

pub(super) use detected;
pub(super) use token;
