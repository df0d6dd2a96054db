//! Words to bit planes.

use ring_arith::BitVec;

/// The `bits` lowest bit planes of `x`: bit `i` of plane `j` is bit `j` of `x[i]`.
pub(crate) fn split(x: &[u64], bits: usize) -> Vec<BitVec> {
    let mut planes = vec![Vec::with_capacity(x.len().div_ceil(64)); bits];
    let mut block = [0; 64];
    for chunk in x.chunks(64) {
        block[..chunk.len()].copy_from_slice(chunk);
        block[chunk.len()..].fill(0);
        transpose(&mut block);
        for (plane, &word) in planes.iter_mut().zip(&block) {
            plane.push(word);
        }
    }
    let planes = planes.into_iter();
    planes
        .map(|plane| BitVec::from_words(x.len(), plane))
        .collect()
}

/// Transposes a 64 × 64 bit matrix, row `i` in word `i`, column `j` at bit `j`.
fn transpose(block: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask = u64::MAX >> 32;
    while width > 0 {
        let mut row = 0;
        while row < 64 {
            let delta = (block[row] >> width ^ block[row + width]) & mask;
            block[row] ^= delta << width;
            block[row + width] ^= delta;
            row = (row + width + 1) & !width;
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_bits() {
        for n in [0, 1, 63, 64, 65, 130] {
            let x: Vec<u64> = (1..=n)
                .map(|i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
                .collect();
            for bits in [1, 7, 32, 64] {
                let planes = split(&x, bits);
                assert_eq!(planes.len(), bits);
                for (j, plane) in planes.iter().enumerate() {
                    assert_eq!(plane.len(), x.len());
                    for (i, word) in x.iter().enumerate() {
                        assert_eq!(u64::from(plane.bit(i)), word >> j & 1);
                    }
                }
            }
        }
    }
}
