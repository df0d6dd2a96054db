//! Sums of table entries at pseudorandom places: choice of back-end, and the portable one.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
use crate::Block;

/// Adds to `out[i]` the entries of `table` at the places ⌊r·k / 2^32⌋, for the D numbers r in `numbers[i]`, with k the
/// length of the table. Overwrites the numbers with the places.
///
/// # Panics
/// If the table is empty or has more than 2^32 entries, or there is not a list of numbers for each output.
pub(crate) fn add_entries<const D: usize>(
    table: &[Block],
    numbers: &mut [[u32; D]],
    out: &mut [Block],
) {
    assert!(!table.is_empty(), "a table has entries");
    assert_eq!(numbers.len(), out.len(), "places for each output");
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = Avx2::new() {
        return token.add_entries(table, numbers, out);
    }
    portable_add_entries(table, numbers, out);
}

/// [`add_entries`] of two tables whose entries lie side by side, at the same places.
///
/// # Panics
/// As [`add_entries`].
pub(crate) fn add_pairs<const D: usize>(
    table: &[[Block; 2]],
    numbers: &mut [[u32; D]],
    out: [&mut [Block]; 2],
) {
    assert!(!table.is_empty(), "a table has entries");
    assert!(
        out.iter().all(|out| out.len() == numbers.len()),
        "places for each output"
    );
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = Avx2::new() {
        return token.add_pairs(table, numbers, out);
    }
    portable_add_pairs(table, numbers, out);
}

fn portable_add_pairs<const D: usize>(
    table: &[[Block; 2]],
    numbers: &mut [[u32; D]],
    [out0, out1]: [&mut [Block]; 2],
) {
    scale(numbers.as_flattened_mut(), table.len());
    for ((out0, out1), places) in out0.iter_mut().zip(out1).zip(&*numbers) {
        for at in places {
            let [entry0, entry1] = table[*at as usize];
            *out0 ^= entry0;
            *out1 ^= entry1;
        }
    }
}

fn portable_add_entries<const D: usize>(
    table: &[Block],
    numbers: &mut [[u32; D]],
    out: &mut [Block],
) {
    scale(numbers.as_flattened_mut(), table.len());
    for (out, places) in out.iter_mut().zip(&*numbers) {
        *out = places
            .iter()
            .fold(*out, |sum, &at| sum ^ table[at as usize]);
    }
}

/// Makes places below k of numbers. The loop that every instruction set vectorises.
#[inline(always)]
pub(super) fn scale(numbers: &mut [u32], k: usize) {
    let k = u64::try_from(k).expect("a table has at most 2^32 entries");
    for number in numbers {
        *number = ((u64::from(*number) * k) >> 32) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;
    use zerocopy::IntoBytes;

    #[test]
    fn places_reach_both_ends_of_the_table_and_no_further() {
        let mut numbers = [0, 1, 1 << 31, u32::MAX];
        scale(&mut numbers, 81_920);
        assert_eq!(numbers, [0, 0, 40_960, 81_919]);
    }

    #[test]
    fn gathers_agree() {
        let mut table = vec![0; 1000];
        Prg::new(1).fill_blocks(&mut table);
        for n in [0, 1, 3, 4, 5, 256] {
            let mut numbers = vec![[0_u32; 10]; n];
            Prg::new(2).fill(numbers.as_mut_bytes());
            let [mut portable, mut fast] = [vec![5; n], vec![5; n]];
            portable_add_entries(&table, &mut numbers.clone(), &mut portable);
            add_entries(&table, &mut numbers, &mut fast);
            assert_eq!(portable, fast);
            let pairs = table.as_chunks::<2>().0;
            Prg::new(2).fill(numbers.as_mut_bytes());
            let [mut other, mut same] = [vec![6; n], vec![6; n]];
            portable_add_pairs(pairs, &mut numbers.clone(), [&mut portable, &mut other]);
            add_pairs(pairs, &mut numbers, [&mut fast, &mut same]);
            assert_eq!([portable, other], [fast, same]);
        }
    }
}
