//! Exact packing of l-bit values, `ceil(n * l / 8)` bytes for n of them.
//!
//! Layout of n values in words of B bits: value `8 i + c` belongs to lane `c` of eight, for
//! `i < n / 8`. Every lane is a stream of l-bit values, least significant bit first, cut into
//! B-bit words; the words of the eight lanes are interleaved, little-endian. What does not fill a
//! word of each lane (eight fragments of equal length), and then the last `n mod 8` values, follow
//! as one plain stream of bits, least significant first. So a loop over the lanes is a loop over a
//! vector, and whatever the length, at most fifteen steps are not.

mod tail;

use crate::backend::dispatched;
use crate::{Bits, Word};
use tail::{BitReader, BitWriter};
use zerocopy::IntoBytes;

/// Lanes packed side by side.
const LANES: usize = 8;

/// A number of values that fills whole words in every lane, whatever the width. How a multiple of so many values is packed
/// does not depend on what follows, so long vectors can be packed and unpacked in pieces.
pub const PACK_BLOCK: usize = LANES * 64;

/// The bytes that `n` values of `bits` bits take, `ceil(n * bits / 8)`.
///
/// # Panics
/// If the number of bits exceeds `usize::MAX`.
#[must_use]
pub const fn packed_len(n: usize, bits: Bits) -> usize {
    n.checked_mul(bits.get() as usize)
        .expect("the packed length must fit in memory")
        .div_ceil(8)
}

dispatched! {
    /// Packs `values` into `out`, ignoring the bits above `bits`.
    ///
    /// The layout depends on `W`: both ends must use the same word.
    ///
    /// # Panics
    /// If `out` is not [`packed_len`] bytes long or `bits` exceeds the word.
    pub fn pack<W: Word>(values: &[W], bits: Bits, out: &mut [u8]) {
        let (l, mask) = (bits.get(), W::mask(bits));
        if l == W::BITS {
            // Both parts of the layout are then the words in their order.
            assert_eq!(out.len(), size_of_val(values), "wrong packed length");
            for (bytes, value) in out.chunks_exact_mut(size_of::<W>()).zip(values) {
                bytes.copy_from_slice(value.to_le().as_bytes());
            }
            return;
        }
        let (body, tail) = out.split_at_mut(body_len::<W>(values.len(), bits, out.len()));
        let mut rows = body.chunks_exact_mut(row_bytes::<W>());
        let steps = values.chunks_exact(LANES);
        let rest = steps.remainder();
        let mut acc = [W::default(); LANES];
        let mut used = 0;
        for step in steps {
            let mut v = [W::default(); LANES];
            for c in 0..LANES {
                v[c] = step[c] & mask;
                acc[c] = acc[c] | v[c].shl(used);
            }
            used += l;
            if used >= W::BITS {
                used -= W::BITS;
                let row = rows.next().expect("the length was checked");
                row.copy_from_slice(acc.map(W::to_le).as_bytes());
                for c in 0..LANES {
                    // Two shifts, because one by the whole word would be none.
                    acc[c] = v[c].shr(l - used - 1).shr(1);
                }
            }
        }
        let mut tail = BitWriter::new(tail);
        if used > 0 {
            for fragment in acc {
                tail.put(fragment.to_u64(), used);
            }
        }
        for &value in rest {
            tail.put((value & mask).to_u64(), l);
        }
        tail.finish();
    }
}

dispatched! {
    /// Unpacks what [`pack`] made of `out.len()` values of the same word; the results are
    /// canonical whatever the bytes.
    ///
    /// # Panics
    /// If `bytes` is not [`packed_len`] bytes long or `bits` exceeds the word.
    pub fn unpack<W: Word>(bytes: &[u8], bits: Bits, out: &mut [W]) {
        let (l, mask) = (bits.get(), W::mask(bits));
        if l == W::BITS {
            assert_eq!(bytes.len(), size_of_val(out), "wrong packed length");
            for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(size_of::<W>())) {
                value.as_mut_bytes().copy_from_slice(bytes);
                *value = value.to_le();
            }
            return;
        }
        let (body, tail) = bytes.split_at(body_len::<W>(out.len(), bits, bytes.len()));
        let mut rows = body.chunks_exact(row_bytes::<W>());
        let mut tail = BitReader::new(tail);
        let mut fragments = out.len() / LANES * l as usize % W::BITS as usize;
        let mut steps = out.chunks_exact_mut(LANES);
        let mut acc = [W::default(); LANES];
        // Bits of `acc` not yet handed out; the bits above them are zero.
        let mut left = 0;
        for step in steps.by_ref() {
            if left >= l {
                for c in 0..LANES {
                    step[c] = acc[c] & mask;
                    acc[c] = acc[c].shr(l - 1).shr(1);
                }
                left -= l;
                continue;
            }
            let mut next = [W::default(); LANES];
            let fresh = if let Some(row) = rows.next() {
                next.as_mut_bytes().copy_from_slice(row);
                next = next.map(W::to_le);
                W::BITS
            } else {
                let r = core::mem::take(&mut fragments);
                for word in &mut next {
                    *word = W::from_u64(tail.take(u32::try_from(r).expect("below a word")));
                }
                u32::try_from(r).expect("below a word")
            };
            for c in 0..LANES {
                step[c] = (acc[c] | next[c].shl(left)) & mask;
                acc[c] = next[c].shr(l - left - 1).shr(1);
            }
            left = left + fresh - l;
        }
        for value in steps.into_remainder() {
            *value = W::from_u64(tail.take(l));
        }
    }
}

/// Bytes of one word from each lane.
const fn row_bytes<W: Word>() -> usize {
    LANES * size_of::<W>()
}

/// Bytes of the interleaved part, after checking that the arguments fit together.
#[inline]
fn body_len<W: Word>(n: usize, bits: Bits, bytes: usize) -> usize {
    assert!(bits.get() <= W::BITS, "the bitwidth must fit the word");
    assert_eq!(bytes, packed_len(n, bits), "wrong packed length");
    n / LANES * bits.get() as usize / W::BITS as usize * row_bytes::<W>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::portable;
    use proptest::prelude::*;

    /// The layout, spelled out bit by bit.
    fn reference<W: Word>(values: &[W], bits: Bits) -> Vec<u8> {
        let (l, b) = (bits.get() as usize, W::BITS as usize);
        let q = values.len() / LANES;
        let words = q * l / b;
        let lane = |c: usize, k: usize| values[k / l * LANES + c].to_u64() >> (k % l) & 1;
        let mut stream = Vec::new();
        for word in 0..words {
            for c in 0..LANES {
                stream.extend((word * b..(word + 1) * b).map(|k| lane(c, k)));
            }
        }
        for c in 0..LANES {
            stream.extend((words * b..q * l).map(|k| lane(c, k)));
        }
        for v in &values[q * LANES..] {
            stream.extend((0..l).map(|k| v.to_u64() >> k & 1));
        }
        let mut out = vec![0; packed_len(values.len(), bits)];
        for (k, bit) in stream.into_iter().enumerate() {
            out[k / 8] |= u8::try_from(bit << (k % 8)).unwrap();
        }
        out
    }

    fn check<W: Word>(values: &[W], bits: Bits) {
        let mut fast = vec![0xAA; packed_len(values.len(), bits)];
        pack(values, bits, &mut fast);
        let mut slow = vec![0x55; fast.len()];
        portable(|| pack(values, bits, &mut slow));
        assert_eq!(fast, slow);
        assert_eq!(fast, reference(values, bits));
        let reduced: Vec<W> = values.iter().map(|&v| v & W::mask(bits)).collect();
        let mut back = vec![W::from_u64(1); values.len()];
        unpack(&fast, bits, &mut back);
        assert_eq!(back, reduced);
        portable(|| unpack(&fast, bits, &mut back));
        assert_eq!(back, reduced);
    }

    #[test]
    fn every_width_and_the_awkward_lengths() {
        for n in [
            0u64, 1, 7, 8, 9, 15, 63, 64, 65, 127, 128, 129, 255, 256, 300,
        ] {
            let values: Vec<u64> = (1..=n)
                .map(|i| (i * 0x9E37_79B9_7F4A_7C15).rotate_left(17))
                .collect();
            let narrow: Vec<u32> = values.iter().map(|&v| Word::from_u64(v)).collect();
            for l in 1..=64 {
                check(&values, Bits::of(l));
                if l <= 32 {
                    check(&narrow, Bits::of(l));
                }
            }
        }
    }

    fn check_blocks<W: Word>(values: &[W], bits: Bits) {
        let whole = reference(values, bits);
        for blocks in [1, 3] {
            let pieces = values.chunks(blocks * PACK_BLOCK).map(|piece| {
                let mut bytes = vec![0; packed_len(piece.len(), bits)];
                pack(piece, bits, &mut bytes);
                bytes
            });
            assert_eq!(pieces.collect::<Vec<_>>().concat(), whole);
        }
    }

    #[test]
    fn blocks_are_packed_as_by_themselves() {
        for n in [511u64, 512, 513, 1536, 2047] {
            let values: Vec<u64> = (1..=n)
                .map(|i| (i * 0x9E37_79B9_7F4A_7C15).rotate_left(17))
                .collect();
            let narrow: Vec<u32> = values.iter().map(|&v| Word::from_u64(v)).collect();
            for l in 1..=64 {
                check_blocks(&values, Bits::of(l));
                if l <= 32 {
                    check_blocks(&narrow, Bits::of(l));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn unpack_is_canonical_on_any_bytes(l in 1u32..=32, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let bits = Bits::of(l);
            let n = bytes.len() * 8 / l as usize;
            let bytes = &bytes[..packed_len(n, bits)];
            let mut narrow = vec![0u32; n];
            unpack(bytes, bits, &mut narrow);
            prop_assert!(narrow.iter().all(|&v| u64::from(v) <= bits.mask()));
            let mut wide = vec![0u64; n];
            unpack(bytes, bits, &mut wide);
            prop_assert!(wide.iter().all(|&v| v <= bits.mask()));
        }
    }
}
