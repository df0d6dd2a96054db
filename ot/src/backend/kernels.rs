//! The AES kernels, written once and instantiated for each vector width.
//!
//! A vector holds one or more blocks and every operation acts on each block alone. The module that
//! expands [`aes_kernels`] supplies `Vector`, `BYTES`, `load`, `store`, `broadcast`, `lanes`, `add`,
//! `xor`, `encrypt_round`, `encrypt_last_round`, `rotate_last_word`, `up_one_word`, `up_two_words`.

/// Round constants of the AES-128 key schedule (FIPS-197, section 5.2).
pub(super) const ROUND_CONSTANTS: [u32; 10] =
    [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];

/// Copies the start of `src` to all of `dst`, which is shorter than 64 bytes, without a call.
#[inline]
pub(super) fn copy_short(dst: &mut [u8], src: &[u8]) {
    #[inline]
    fn step<'a, const N: usize>(dst: &'a mut [u8], src: &mut &[u8]) -> &'a mut [u8] {
        if dst.len() & N == 0 {
            return dst;
        }
        let (part, rest) = dst
            .split_first_chunk_mut::<N>()
            .expect("the length has this bit");
        let (bytes, more) = src.split_first_chunk::<N>().expect("a source as long");
        *part = *bytes;
        *src = more;
        rest
    }
    let mut src = src;
    let dst = step::<32>(dst, &mut src);
    let dst = step::<16>(dst, &mut src);
    let dst = step::<8>(dst, &mut src);
    let dst = step::<4>(dst, &mut src);
    let dst = step::<2>(dst, &mut src);
    step::<1>(dst, &mut src);
}

macro_rules! aes_kernels {
    ($features:literal) => {
        /// Vectors in flight: two rounds start per cycle and each takes four cycles.
        const WIDTH: usize = 8;
        /// Blocks per vector.
        const BLOCKS: u64 = (BYTES / 16) as u64;

        /// The key schedule of every block of `key` (FIPS-197, section 5.2).
        #[inline]
        #[target_feature(enable = $features)]
        fn expand(key: Vector) -> [Vector; 11] {
            let mut keys = [key; 11];
            for round in 0..10 {
                let old = keys[round];
                let constant = Block::from(ROUND_CONSTANTS[round]);
                let constant =
                    broadcast(constant | constant << 32 | constant << 64 | constant << 96);
                // Four equal columns: ShiftRows changes nothing and SubBytes remains.
                let word = encrypt_last_round(rotate_last_word(old), constant);
                let sums = xor(old, up_one_word(old));
                keys[round + 1] = xor(xor(sums, up_two_words(sums)), word);
            }
            keys
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn broadcast_keys(keys: &RoundKeys) -> [Vector; 11] {
            let mut wide = [broadcast(0); 11];
            for (wide, key) in wide.iter_mut().zip(&keys.0) {
                *wide = broadcast(*key);
            }
            wide
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn encrypt_vectors(key: impl Fn(usize) -> Vector, state: &mut [Vector]) {
            let first = key(0);
            for s in &mut *state {
                *s = xor(*s, first);
            }
            for round in 1..10 {
                let key = key(round);
                for s in &mut *state {
                    *s = encrypt_round(*s, key);
                }
            }
            let last = key(10);
            for s in state {
                *s = encrypt_last_round(*s, last);
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn xor_vectors(a: &mut [Vector], b: &[Vector]) {
            for (a, b) in a.iter_mut().zip(b) {
                *a = xor(*a, *b);
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load_vectors<const N: usize>(bytes: &[u8]) -> [Vector; N] {
            let mut vectors = [broadcast(0); N];
            for (vector, bytes) in vectors.iter_mut().zip(bytes.as_chunks().0) {
                *vector = load(bytes);
            }
            vectors
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn store_vectors(vectors: &[Vector], bytes: &mut [[u8; BYTES]]) {
            for (vector, bytes) in vectors.iter().zip(bytes) {
                store(*vector, bytes);
            }
        }

        /// `first`, `first + 1`, … with a 64-bit carry, one per block.
        #[inline]
        #[target_feature(enable = $features)]
        fn counters<const N: usize>(first: Block) -> [Vector; N] {
            let mut vectors = [broadcast(0); N];
            let mut next = add(broadcast(first), lanes());
            for vector in &mut vectors {
                *vector = next;
                next = add(next, broadcast(Block::from(BLOCKS)));
            }
            vectors
        }

        /// Fills as many groups of `N` vectors as there are, and returns the rest.
        #[inline]
        #[target_feature(enable = $features)]
        fn stream_groups<'a, const N: usize>(
            key: impl Fn(usize) -> Vector,
            first: &mut u64,
            out: &'a mut [[u8; BYTES]],
        ) -> &'a mut [[u8; BYTES]] {
            let (groups, rest) = out.as_chunks_mut::<N>();
            for out in groups {
                let mut state = counters::<N>(Block::from(*first));
                encrypt_vectors(&key, &mut state);
                store_vectors(&state, out);
                *first = first.wrapping_add(N as u64 * BLOCKS);
            }
            rest
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn stream(key: impl Fn(usize) -> Vector, mut first: u64, out: &mut [u8]) {
            let (vectors, last) = out.as_chunks_mut();
            let rest = stream_groups::<WIDTH>(&key, &mut first, vectors);
            let rest = stream_groups::<{ WIDTH / 2 }>(&key, &mut first, rest);
            let rest = stream_groups::<{ WIDTH / 4 }>(&key, &mut first, rest);
            stream_groups::<1>(&key, &mut first, rest);
            if !last.is_empty() {
                let mut bytes = [[0; BYTES]];
                stream_groups::<1>(&key, &mut first, &mut bytes);
                copy_short(last, &bytes[0]);
            }
        }

        /// The last blocks of a batch, padded with zeros to a whole pass.
        #[inline]
        #[target_feature(enable = $features)]
        fn padded<const N: usize>(rest: &[u8]) -> [u8; N] {
            let mut bytes = [0; N];
            bytes[..rest.len()].copy_from_slice(rest);
            bytes
        }

        /// The hash of `x ^ shift` for every shift.
        #[inline]
        #[target_feature(enable = $features)]
        fn tccr_vectors<const N: usize, const SHIFTS: usize>(
            keys: &[Vector; 11],
            tweaks: &[Vector; N],
            x: &[Vector; N],
            shifts: &[Vector; SHIFTS],
        ) -> [[Vector; N]; SHIFTS] {
            let mut inner = [*x; SHIFTS];
            for (inner, shift) in inner.iter_mut().zip(shifts) {
                xor_vectors(inner, &[*shift; N]);
            }
            encrypt_vectors(|round| keys[round], inner.as_flattened_mut());
            let mut state = inner;
            for state in &mut state {
                xor_vectors(state, tweaks);
            }
            // Opaque, so that the keys are read again and the state stays in registers.
            let keys = black_box(keys);
            encrypt_vectors(|round| keys[round], state.as_flattened_mut());
            xor_vectors(state.as_flattened_mut(), inner.as_flattened());
            state
        }

        #[target_feature(enable = $features)]
        fn tccr(keys: &RoundKeys, mut first: Block, x: &[u8], out: &mut [u8]) {
            const PASS: usize = WIDTH * BYTES;
            let wide = &broadcast_keys(keys);
            let (whole, rest) = x.as_chunks::<PASS>();
            let (whole_out, rest_out) = out.as_chunks_mut::<PASS>();
            for (x, out) in whole.iter().zip(whole_out) {
                let x: [Vector; WIDTH] = load_vectors(x);
                let [y] = tccr_vectors(wide, &counters(first), &x, &[broadcast(0)]);
                store_vectors(&y, out.as_chunks_mut().0);
                first = first.wrapping_add((PASS / 16) as Block);
            }
            if !rest.is_empty() {
                let mut y = [0; PASS];
                tccr(keys, first, &padded::<PASS>(rest), &mut y);
                rest_out.copy_from_slice(&y[..rest.len()]);
            }
        }

        #[target_feature(enable = $features)]
        fn tccr_pair(
            keys: &RoundKeys,
            mut first: Block,
            q: &[u8],
            delta: Block,
            [out0, out1]: [&mut [u8]; 2],
        ) {
            const PASS: usize = WIDTH / 2 * BYTES;
            let wide = &broadcast_keys(keys);
            let shifts = [broadcast(0), broadcast(delta)];
            let (whole, rest) = q.as_chunks::<PASS>();
            let (whole0, rest0) = out0.as_chunks_mut::<PASS>();
            let (whole1, rest1) = out1.as_chunks_mut::<PASS>();
            for ((q, out0), out1) in whole.iter().zip(whole0).zip(whole1) {
                let q: [Vector; WIDTH / 2] = load_vectors(q);
                let [y0, y1] = tccr_vectors(wide, &counters(first), &q, &shifts);
                store_vectors(&y0, out0.as_chunks_mut().0);
                store_vectors(&y1, out1.as_chunks_mut().0);
                first = first.wrapping_add((PASS / 16) as Block);
            }
            if !rest.is_empty() {
                let [mut y0, mut y1] = [[0; PASS]; 2];
                tccr_pair(
                    keys,
                    first,
                    &padded::<PASS>(rest),
                    delta,
                    [&mut y0, &mut y1],
                );
                rest0.copy_from_slice(&y0[..rest.len()]);
                rest1.copy_from_slice(&y1[..rest.len()]);
            }
        }

        #[target_feature(enable = $features)]
        fn mmo(keys: &RoundKeys, x: &[u8], out: &mut [u8]) {
            const PASS: usize = WIDTH * BYTES;
            let wide = &broadcast_keys(keys);
            let (whole, rest) = x.as_chunks::<PASS>();
            let (whole_out, rest_out) = out.as_chunks_mut::<PASS>();
            for (x, out) in whole.iter().zip(whole_out) {
                let x: [Vector; WIDTH] = load_vectors(x);
                let mut state = x;
                encrypt_vectors(|round| wide[round], &mut state);
                xor_vectors(&mut state, &x);
                store_vectors(&state, out.as_chunks_mut().0);
            }
            if !rest.is_empty() {
                let mut y = [0; PASS];
                mmo(keys, &padded::<PASS>(rest), &mut y);
                rest_out.copy_from_slice(&y[..rest.len()]);
            }
        }

        #[target_feature(enable = $features)]
        fn keystream(keys: &RoundKeys, first: u64, out: &mut [u8]) {
            stream(|round| broadcast(keys.0[round]), first, out);
        }

        #[target_feature(enable = $features)]
        fn keystream_of_seed(seed: Block, first: u64, out: &mut [u8]) {
            let mut keys = expand(broadcast(seed));
            stream(|round| keys[round], first, out);
            keys.zeroize();
        }
    };
}

pub(super) use aes_kernels;
