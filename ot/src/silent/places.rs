//! The matrix of the code: ten places of the table for every correlation.

use zerocopy::IntoBytes;

use super::set::SPARSITY;
use crate::Block;
use crate::backend::{add_entries, words_from_le};
use crate::prg::Prg;

/// Correlations whose places are made at a time; LOCAL. Few, so that places do not drive the table out of the cache.
const TILE: usize = 256;

/// The rows of the matrix in their order. Row i has its ones at the places ⌊r·k / 2^32⌋ for ten r of 32 bits each, which
/// are public and pseudorandom.
pub(super) struct Places {
    stream: Prg,
    numbers: Box<[[u32; SPARSITY]; TILE]>,
}

impl Places {
    /// The matrix under a public key.
    pub(super) fn new(key: Block) -> Self {
        Self {
            stream: Prg::new(key),
            numbers: Box::new([[0; SPARSITY]; TILE]),
        }
    }

    /// Adds the product of the next rows of the matrix and the table to `out`.
    pub(super) fn encode(&mut self, table: &[Block], out: &mut [Block]) {
        for out in out.chunks_mut(TILE) {
            let numbers = &mut self.numbers[..out.len()];
            self.stream.fill(numbers.as_mut_bytes());
            words_from_le(numbers.as_flattened_mut());
            add_entries(table, numbers, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_its_definition_however_it_is_cut() {
        let table: Vec<Block> = (0..1000_u128)
            .map(|i| i.wrapping_mul(u128::MAX / 3 + 5))
            .collect();
        let mut words = vec![0_u32; 700 * SPARSITY];
        Prg::new(7).fill(words.as_mut_bytes());
        let expected: Vec<Block> = words
            .chunks(SPARSITY)
            .map(|r| {
                r.iter().fold(3, |sum, &r| {
                    sum ^ table[((u128::from(u32::from_le(r)) * 1000) >> 32) as usize]
                })
            })
            .collect();
        for cut in [1, 255, 256, 300, 700] {
            let mut out = vec![3; 700];
            let mut places = Places::new(7);
            let (head, tail) = out.split_at_mut(cut);
            places.encode(&table, head);
            places.encode(&table, tail);
            assert_eq!(out, expected);
        }
    }
}
