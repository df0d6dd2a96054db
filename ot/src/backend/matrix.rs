//! Bit-matrix transposition and long exclusive-ors: choice of back-end, and the portable one.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
use crate::Block;

/// See [`crate::kernel::transpose::transpose_128`], which checks the lengths.
pub(crate) fn transpose_128(rows: &[u8], out: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = Avx2::new() {
        return token.transpose_128(rows, out);
    }
    portable_transpose(rows, out);
}

/// `dst ^= src & mask`, on slices of one length.
#[inline]
pub(crate) fn xor_masked(dst: &mut [u8], src: &[u8], mask: u8) {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = Avx2::new() {
        return token.xor_masked(dst, src, mask);
    }
    portable_xor_masked(dst, src, mask);
}

/// The loop that every instruction set vectorises.
#[inline(always)]
pub(super) fn portable_xor_masked(dst: &mut [u8], src: &[u8], mask: u8) {
    for (dst, src) in dst.iter_mut().zip(src) {
        *dst ^= src & mask;
    }
}

/// Transposes by 8 × 8 bits.
pub(super) fn portable_transpose(rows: &[u8], out: &mut [Block]) {
    let stride = out.len() / 8;
    for (column, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *out = [0; 8];
        for group in 0..16 {
            let bytes: [u8; 8] = std::array::from_fn(|k| rows[(8 * group + k) * stride + column]);
            let square = transpose_8x8(u64::from_le_bytes(bytes));
            for (out, byte) in out.iter_mut().zip(square.to_le_bytes()) {
                *out |= Block::from(byte) << (8 * group);
            }
        }
    }
}

/// Bit 8r + c goes to bit 8c + r.
const fn transpose_8x8(x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn transposition_of_single_bits() {
        for n in [128, 256, 384] {
            for (r, i) in [
                (0, 0),
                (0, n - 1),
                (127, 0),
                (127, n - 1),
                (9, 70),
                (64, 65),
            ] {
                let mut rows = vec![0_u8; 16 * n];
                rows[(r * n + i) / 8] = 1 << (i % 8);
                let mut expected = vec![0; n];
                expected[i] = 1_u128 << r;
                let mut out = vec![1; n];
                portable_transpose(&rows, &mut out);
                assert_eq!(out, expected, "n {n}, row {r}, bit {i}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn transposition_agrees(tiles in 0_usize..9, seed: u128) {
            let mut rows = vec![0; 2048 * tiles];
            crate::prg::Prg::new(seed).fill(&mut rows);
            let [mut portable, mut fast] = [vec![0; 128 * tiles], vec![1; 128 * tiles]];
            portable_transpose(&rows, &mut portable);
            transpose_128(&rows, &mut fast);
            prop_assert_eq!(portable, fast);
        }

        #[test]
        fn xor_agrees(a: Vec<u8>, seed: u128, mask: u8) {
            let mut b = vec![0; a.len()];
            crate::prg::Prg::new(seed).fill(&mut b);
            let [mut portable, mut fast] = [a.clone(), a];
            portable_xor_masked(&mut portable, &b, mask);
            xor_masked(&mut fast, &b, mask);
            prop_assert_eq!(portable, fast);
        }
    }
}
