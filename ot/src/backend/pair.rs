//! Two key streams at once, one in each half of the vectors.
//!
//! Short rows are bound by the key schedule, which two keys share this way. Beyond the operations of
//! [`super::kernels::aes_kernels`], the module that expands [`pair_kernels`] supplies `pair`,
//! `pair_lanes`, `store_halves`.

macro_rules! pair_kernels {
    ($features:literal) => {
        type Halves<'a> = &'a mut [[u8; BYTES / 2]];

        /// As `stream_groups`, on two streams.
        #[inline]
        #[target_feature(enable = $features)]
        fn pair_groups<'a, const N: usize>(
            keys: &[Vector; 11],
            first: &mut u64,
            [out0, out1]: [Halves<'a>; 2],
        ) -> [Halves<'a>; 2] {
            let (groups0, rest0) = out0.as_chunks_mut::<N>();
            let (groups1, rest1) = out1.as_chunks_mut::<N>();
            for (out0, out1) in groups0.iter_mut().zip(groups1) {
                let mut state = [broadcast(0); N];
                let mut next = add(broadcast(Block::from(*first)), pair_lanes());
                for vector in &mut state {
                    *vector = next;
                    next = add(next, broadcast(Block::from(BLOCKS / 2)));
                }
                encrypt_vectors(|round| keys[round], &mut state);
                for (vector, (out0, out1)) in state.iter().zip(out0.iter_mut().zip(out1)) {
                    store_halves(*vector, out0, out1);
                }
                *first = first.wrapping_add(N as u64 * BLOCKS / 2);
            }
            [rest0, rest1]
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn pair_stream(keys: &[Vector; 11], mut first: u64, [out0, out1]: [&mut [u8]; 2]) {
            let (halves0, last0) = out0.as_chunks_mut();
            let (halves1, last1) = out1.as_chunks_mut();
            let rest = pair_groups::<WIDTH>(keys, &mut first, [halves0, halves1]);
            let rest = pair_groups::<{ WIDTH / 2 }>(keys, &mut first, rest);
            let rest = pair_groups::<{ WIDTH / 4 }>(keys, &mut first, rest);
            pair_groups::<1>(keys, &mut first, rest);
            if !last0.is_empty() {
                let [mut bytes0, mut bytes1] = [[[0; BYTES / 2]]; 2];
                pair_groups::<1>(keys, &mut first, [&mut bytes0, &mut bytes1]);
                copy_short(last0, &bytes0[0]);
                copy_short(last1, &bytes1[0]);
            }
        }

        #[target_feature(enable = $features)]
        fn keystream_pair(seed0: Block, seed1: Block, first: u64, out: [&mut [u8]; 2]) {
            let mut keys = expand(pair(seed0, seed1));
            pair_stream(&keys, first, out);
            keys.zeroize();
        }
    };
}

pub(super) use pair_kernels;
