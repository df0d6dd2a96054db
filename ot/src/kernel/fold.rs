//! From 2^k pseudorandom streams to k rows: the small-field VOLE of [Roy22].

use ring_arith::{Kernel, dispatch};
use zerocopy::IntoBytes;
use zeroize::Zeroize;

use crate::prg::Prg;

/// Words of a stream handled at a time, so that the buffers stay in the first-level cache. LOCAL.
const CHUNK: usize = 256;

type Buffer = [u64; CHUNK];

/// One chunk of four streams, and of four sums of four, …; zeroized on drop.
pub(crate) struct Scratch([[Buffer; 4]; 4]);

impl Scratch {
    pub(crate) fn boxed() -> Box<Self> {
        Box::new(Self([[[0; CHUNK]; 4]; 4]))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Sets row b to the sum of all streams x whose number has bit b, and `sum` to the sum of all
/// streams.
///
/// There are k rows of `sum.len()` words each, 1 <= k <= 8, and 2^k streams, the last of which are
/// `streams`; where one is missing, the first counts as zero. Words are memory: the order of bytes
/// is that of the streams.
///
/// # Panics
/// If `rows` is not k times as long as `sum`, or that is no multiple of a chunk.
pub(crate) fn fold(
    streams: &mut [Prg],
    k: usize,
    rows: &mut [u64],
    sum: &mut [u64],
    scratch: &mut Scratch,
) {
    let n = sum.len();
    assert_eq!(rows.len(), k * n, "k rows of one length");
    let absent = (1 << k) - streams.len();
    rows.fill(0);
    assert!(n.is_multiple_of(CHUNK), "whole chunks");
    for (c, sum) in sum.chunks_exact_mut(CHUNK).enumerate() {
        for first in (0..1 << k).step_by(4) {
            for (x, buffer) in (first..1 << k).zip(&mut scratch.0[0]) {
                match usize::checked_sub(x, absent) {
                    Some(stream) => streams[stream].fill(buffer.as_mut_bytes()),
                    None => buffer.fill(0),
                }
            }
            add_four(first / 4, k, rows, n, c, sum, scratch);
        }
    }
}

/// Folds the four streams number 4·`at` to 4·`at` + 3, and whatever they complete: level v holds
/// sums of 4^v streams, and folding its four buffers gives what rows 2v and 2v + 1 are owed and one
/// buffer of level v + 1.
fn add_four(
    mut at: usize,
    k: usize,
    rows: &mut [u64],
    n: usize,
    c: usize,
    sum: &mut [u64],
    scratch: &mut Scratch,
) {
    let levels = k.div_ceil(2);
    // If k is odd, the last level has only two buffers and one row.
    let buffers = |level| {
        if level + 1 == levels && !k.is_multiple_of(2) {
            2
        } else {
            4
        }
    };
    for level in 0..levels {
        let (done, next) = scratch.0.split_at_mut(level + 1);
        let streams = &done[level];
        let target = if level + 1 == levels {
            &mut *sum
        } else {
            &mut next[0][at % 4]
        };
        let (row0, row1) = rows[2 * level * n..].split_at_mut(n);
        let row0 = &mut row0[c * CHUNK..][..CHUNK];
        if buffers(level) == 2 {
            return fold2(row0, streams, target);
        }
        fold4(row0, &mut row1[c * CHUNK..][..CHUNK], streams, target);
        if at % 4 + 1 != buffers(level + 1) {
            return;
        }
        at /= 4;
    }
}

/// Adds the odd streams to row 0 and the upper two to row 1; the target is the sum of all four.
fn fold4(row0: &mut [u64], row1: &mut [u64], streams: &[Buffer; 4], target: &mut [u64]) {
    struct Fold<'a>([&'a mut [u64]; 3], &'a [Buffer; 4]);

    impl Kernel for Fold<'_> {
        #[inline(always)]
        fn run(self) {
            let Self([row0, row1, target], [s0, s1, s2, s3]) = self;
            let streams = s0.iter().zip(s1).zip(s2.iter().zip(s3));
            let rows = row0.iter_mut().zip(row1).zip(target);
            for (((row0, row1), target), ((s0, s1), (s2, s3))) in rows.zip(streams) {
                let upper = s2 ^ s3;
                *row0 ^= s1 ^ s3;
                *row1 ^= upper;
                *target = s0 ^ s1 ^ upper;
            }
        }
    }
    dispatch(Fold([row0, row1, target], streams));
}

/// Adds the second stream to the row; the target is the sum of both.
fn fold2(row: &mut [u64], [s0, s1, ..]: &[Buffer; 4], target: &mut [u64]) {
    for ((row, target), (s0, s1)) in row.iter_mut().zip(target).zip(s0.iter().zip(s1)) {
        *row ^= s1;
        *target = s0 ^ s1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, stream by stream.
    fn oracle(streams: &mut [Prg], absent: usize, k: usize, n: usize) -> (Vec<u64>, Vec<u64>) {
        let (mut rows, mut sum) = (vec![0; k * n], vec![0; n]);
        for (x, stream) in streams.iter_mut().enumerate() {
            let mut words = vec![0_u64; n];
            stream.fill(words.as_mut_bytes());
            sum.iter_mut()
                .zip(&words)
                .for_each(|(sum, word)| *sum ^= word);
            for (b, row) in rows.chunks_exact_mut(n).enumerate() {
                if (x + absent) >> b & 1 == 1 {
                    row.iter_mut()
                        .zip(&words)
                        .for_each(|(row, word)| *row ^= word);
                }
            }
        }
        (rows, sum)
    }

    #[test]
    fn folds_as_defined() {
        for k in 1..=8 {
            for absent in [0, 1] {
                let n = 2 * CHUNK;
                let streams = || {
                    (absent..1 << k)
                        .map(|x| Prg::new(x as u128 + 99))
                        .collect::<Vec<_>>()
                };
                let (mut rows, mut sum) = (vec![1; k * n], vec![1; n]);
                fold(
                    &mut streams(),
                    k,
                    &mut rows,
                    &mut sum,
                    &mut Scratch::boxed(),
                );
                assert_eq!((rows, sum), oracle(&mut streams(), absent, k, n), "k {k}");
            }
        }
    }
}
