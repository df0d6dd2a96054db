//! Runs of bits in 64-bit words.

use crate::Block;

/// Overwrites bits `to .. to + n` of `dst` with bits `from .. from + n` of `src`; other bits stay.
///
/// # Panics
/// If a range leaves its slice.
pub(crate) fn copy_bits(dst: &mut [u64], to: usize, src: &[u64], from: usize, n: usize) {
    let mut done = 0;
    while done < n {
        let at = to + done;
        let take = (64 - at % 64).min(n - done);
        let bits = read_bits(src, from + done, take);
        let keep = !((u64::MAX >> (64 - take)) << (at % 64));
        let word = &mut dst[at / 64];
        *word = *word & keep | bits << (at % 64);
        done += take;
    }
}

/// Bits `at .. at + n` of `src`, 1 <= n <= 64.
#[inline]
pub(crate) fn read_bits(src: &[u64], at: usize, n: usize) -> u64 {
    let shift = at % 64;
    let mut bits = src[at / 64] >> shift;
    if shift + n > 64 {
        bits |= src[at / 64 + 1] << (64 - shift);
    }
    bits & u64::MAX >> (64 - n)
}

/// The low half of a block.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half is not asked for"
)]
#[inline]
pub(crate) const fn low(block: Block) -> u64 {
    block as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(words: &[u64], i: usize) -> bool {
        words[i / 64] >> (i % 64) & 1 == 1
    }

    #[test]
    fn copies_exactly_the_range() {
        let src: Vec<u64> = (1..6u64)
            .map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .collect();
        for (to, from, n) in [
            (0, 0, 0),
            (0, 1, 64),
            (3, 61, 130),
            (63, 64, 1),
            (64, 5, 200),
            (7, 7, 250),
        ] {
            let before = vec![0xAAAA_5555_0F0F_3C3C_u64; 6];
            let mut dst = before.clone();
            copy_bits(&mut dst, to, &src, from, n);
            for i in 0..6 * 64 {
                let inside = (to..to + n).contains(&i);
                let expected = if inside {
                    bit(&src, from + i - to)
                } else {
                    bit(&before, i)
                };
                assert_eq!(
                    bit(&dst, i),
                    expected,
                    "bit {i} of copy {n} from {from} to {to}"
                );
            }
        }
    }
}
