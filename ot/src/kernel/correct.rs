//! What turns random OTs over words into correlated ones: the corrections of choices and of correlations
//! [Bea95; ALSZ13].

use ring_arith::{BitVec, Bits, PACK_BLOCK, pack, packed_len, unpack};

use super::bits::read_bits;

/// Values handled at a time, so that they stay in the first-level cache. LOCAL.
const TILE: usize = 2 * PACK_BLOCK;

/// The sender's side. Before, `r` and `other` hold the two keys of each OT. Where bit `at + i` of `flips` is set, the
/// receiver wants pair `i` the other way round, and its keys change places. After, `r` is key 0 mod 2^l; the correction
/// r + x - key 1 mod 2^l is in `other` and, packed, in `out`.
///
/// # Panics
/// If the lengths do not fit together.
pub(crate) fn correct(
    [r, other]: [&mut [u64]; 2],
    x: &[u64],
    bits: Bits,
    (flips, at): (&BitVec, usize),
    out: &mut [u8],
) {
    assert!(r.len() == x.len() && other.len() == x.len(), "one of each");
    assert_eq!(out.len(), packed_len(x.len(), bits), "room for all");
    let keys = r.chunks_mut(TILE).zip(other.chunks_mut(TILE));
    let out = out.chunks_mut(packed_len(TILE, bits));
    let tiles = keys.zip(x.chunks(TILE)).zip(out);
    for ((((r, other), x), out), at) in tiles.zip((at..).step_by(TILE)) {
        let keys = r.chunks_mut(64).zip(other.chunks_mut(64));
        for (((r, other), x), at) in keys.zip(x.chunks(64)).zip((at..).step_by(64)) {
            let flips = read_bits(flips.words(), at, r.len());
            for (i, ((r, other), &x)) in r.iter_mut().zip(other).zip(x).enumerate() {
                let difference = (*r ^ *other) & mask(flips, i);
                *r ^= difference;
                *other = bits.reduce(r.wrapping_add(x).wrapping_sub(*other ^ difference));
                *r = bits.reduce(*r);
            }
        }
        pack(other, bits, out);
    }
}

/// The receiver's side. Before, `y` holds the key that this party has of each OT; after, key + choice·correction mod
/// 2^l, with the corrections as [`correct`] packs them.
///
/// # Panics
/// If the lengths do not fit together.
pub(crate) fn select(y: &mut [u64], choices: &BitVec, bits: Bits, corrections: &[u8]) {
    assert_eq!(y.len(), choices.len(), "one choice each");
    assert_eq!(corrections.len(), packed_len(y.len(), bits), "all of them");
    let mut tile = [0; TILE];
    let tiles = y.chunks_mut(TILE).zip(choices.words().chunks(TILE / 64));
    for ((y, choices), bytes) in tiles.zip(corrections.chunks(packed_len(TILE, bits))) {
        let corrections = &mut tile[..y.len()];
        unpack(bytes, bits, corrections);
        let values = y.chunks_mut(64).zip(corrections.chunks(64));
        for ((y, corrections), &choices) in values.zip(choices) {
            for (i, (y, &correction)) in y.iter_mut().zip(corrections).enumerate() {
                *y = bits.reduce(y.wrapping_add(correction & mask(choices, i)));
            }
        }
    }
}

/// All ones where bit `i` of `word` is set.
const fn mask(word: u64, i: usize) -> u64 {
    (word >> i & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key, correlation, flip and choice mod 2^2, at every kind of offset in the flips, and beyond one tile.
    #[test]
    fn the_receiver_gets_r_and_the_correlation_where_it_chose() {
        let bits = Bits::of(2);
        let cases = 5 * 256;
        assert!(cases > TILE);
        let digit = |case: usize, i: usize| (case >> (2 * i) & 3) as u64;
        let column = |i| (0..cases).map(|case| digit(case, i)).collect::<Vec<_>>();
        let bit = |case: usize, i: usize| digit(case, 3) >> i & 1 == 1;
        for at in [0, 1, 63, 64, 100] {
            let [mut r, mut other, x] = [column(0), column(1), column(2)];
            let random = BitVec::from_fn(cases, |case| bit(case, 0));
            let wanted = BitVec::from_fn(cases, |case| bit(case, 1));
            let mut y: Vec<u64> = (0..cases)
                .map(|case| digit(case, usize::from(bit(case, 0))))
                .collect();
            let mut flips = BitVec::from_fn(at, |i| i % 3 == 0);
            flips.append(&random.xor(&wanted));
            let mut message = vec![0; packed_len(cases, bits)];
            correct([&mut r, &mut other], &x, bits, (&flips, at), &mut message);
            select(&mut y, &wanted, bits, &message);
            for case in 0..cases {
                let expected = r[case] + x[case] * u64::from(bit(case, 1));
                assert_eq!(y[case], bits.reduce(expected), "case {case} at {at}");
                assert_eq!(r[case], bits.reduce(r[case]));
                assert_eq!(other[case], bits.reduce(other[case]));
            }
            let mut whole = vec![0; message.len()];
            pack(&other, bits, &mut whole);
            assert_eq!(message, whole);
        }
    }
}
