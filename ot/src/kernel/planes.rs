//! Bit planes of blocks.

use ring_arith::BitVec;

use super::bits::low;
use crate::Block;

/// Writes bit `p` of `blocks[i]` to bit `start + i` of `planes[p]`; `start` is a multiple of 64.
///
/// # Panics
/// If there are more than 128 planes, or a plane is too short.
pub(crate) fn low_planes(blocks: &[Block], start: usize, planes: &mut [BitVec]) {
    assert!(planes.len() <= 128, "a block has 128 bits");
    for (p, plane) in planes.iter_mut().enumerate() {
        let words = &mut plane.words_mut()[start / 64..];
        for (word, blocks) in words.iter_mut().zip(blocks.chunks(64)) {
            *word = if p < 64 {
                gather(blocks, |block| low(block) >> p)
            } else {
                gather(blocks, |block| low(block >> 64) >> (p - 64))
            };
        }
    }
}

#[inline]
fn gather(blocks: &[Block], bit: impl Fn(Block) -> u64) -> u64 {
    blocks
        .iter()
        .enumerate()
        .fold(0, |word, (i, &block)| word | (bit(block) & 1) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_bits() {
        for n in [0, 1, 63, 64, 65, 130] {
            let blocks: Vec<Block> = (1..=n as u128)
                .map(|i| i.wrapping_mul(u128::MAX / 7))
                .collect();
            let mut planes = vec![BitVec::zeros(64 + n); 128];
            low_planes(&blocks, 64, &mut planes);
            for (p, plane) in planes.iter().enumerate() {
                for (i, block) in blocks.iter().enumerate() {
                    assert_eq!(plane.bit(64 + i), block >> p & 1 == 1);
                }
                assert!(plane.iter().take(64).all(|bit| !bit));
            }
        }
    }
}
