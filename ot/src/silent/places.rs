//! The matrix of the code: ten places of the table for every correlation.

use zerocopy::IntoBytes;

use super::set::SPARSITY;
use crate::Block;
use crate::backend::{add_entries, add_pairs, words_from_le};
use crate::prg::Prg;

/// Correlations whose places are made at a time; LOCAL. Few, so that places do not drive the table out of the cache.
const TILE: usize = 256;

/// The rows of the matrix in their order. Row i has its ones at the places ⌊r·k / 2^32⌋ for ten r of 32 bits each, which
/// are public and pseudorandom.
pub(super) struct Places {
    stream: Prg,
    numbers: Box<[[u32; SPARSITY]; TILE]>,
    instances: usize,
}

impl Places {
    /// The matrix under a public key, for one instance or two.
    pub(super) fn new(key: Block, instances: usize) -> Self {
        Self {
            stream: Prg::new(key),
            numbers: Box::new([[0; SPARSITY]; TILE]),
            instances,
        }
    }

    /// Adds the product of the next rows of the matrix and the table to `out`. With two instances an entry of the table is a
    /// block of each, and the halves of `out` are theirs.
    pub(super) fn encode(&mut self, table: &[Block], out: &mut [Block]) {
        if self.instances == 1 {
            for out in out.chunks_mut(TILE) {
                add_entries(table, self.next(out.len()), out);
            }
            return;
        }
        let table = table.as_chunks::<2>().0;
        let (first, second) = out.split_at_mut(out.len() / 2);
        for (first, second) in first.chunks_mut(TILE).zip(second.chunks_mut(TILE)) {
            add_pairs(table, self.next(first.len()), [first, second]);
        }
    }

    /// The numbers of the places of the next rows, no more than a tile.
    fn next(&mut self, rows: usize) -> &mut [[u32; SPARSITY]] {
        let numbers = &mut self.numbers[..rows];
        self.stream.fill(numbers.as_mut_bytes());
        words_from_le(numbers.as_flattened_mut());
        numbers
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
            let mut places = Places::new(7, 1);
            let (head, tail) = out.split_at_mut(cut);
            places.encode(&table, head);
            places.encode(&table, tail);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn two_instances_are_two_of_one_each() {
        let [mut first, mut second] = [vec![0; 1000], vec![0; 1000]];
        Prg::new(1).fill_blocks(&mut first);
        Prg::new(2).fill_blocks(&mut second);
        let both: Vec<Block> = first
            .iter()
            .zip(&second)
            .flat_map(|(x, y)| [*x, *y])
            .collect();
        let mut together = vec![3; 1400];
        Places::new(7, 2).encode(&both, &mut together);
        for (table, together) in [first, second].iter().zip(together.chunks(700)) {
            let mut alone = vec![3; 700];
            Places::new(7, 1).encode(table, &mut alone);
            assert_eq!(alone, together);
        }
    }
}
