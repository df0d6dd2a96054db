//! One row of a vector COT: expansion of keys, correction, packing.

use ring_arith::slices::{add_masked, correction, reduce_slice};
use ring_arith::{Bits, Word, pack, packed_len, unpack};
use zeroize::Zeroize;

use super::bits::low;
use super::secret::make_room;
use crate::Block;
use crate::prg::{fill_words, fill_words_pair};

/// Buffers of one row, kept from row to row and zeroized on drop.
pub(crate) struct RowBuffers<W: Word> {
    row: Vec<W>,
    other: Vec<W>,
    difference: Vec<W>,
}

impl<W: Word> RowBuffers<W> {
    pub(crate) const fn new() -> Self {
        Self {
            row: Vec::new(),
            other: Vec::new(),
            difference: Vec::new(),
        }
    }

    /// The row that was last made.
    pub(crate) fn row(&self, len: usize) -> &[W] {
        &self.row[..len]
    }

    /// Row r = G(k0), and appends r + x - G(k1) mod 2^l to `message`.
    ///
    /// # Panics
    /// If `x` has not length `len`, or l exceeds the word.
    #[inline]
    pub(crate) fn encode(
        &mut self,
        k0: Block,
        k1: Block,
        x: &[W],
        len: usize,
        bits: Bits,
        message: &mut Vec<u8>,
    ) {
        assert_eq!(x.len(), len, "a correlation as long as its shape says");
        self.reserve(len, bits);
        let bytes = packed_len(len, bits);
        if fits_key(len, bits) && len < PLAIN {
            let packed = encode_short(k0, k1, x, bits, &mut self.row[..len]);
            message.extend_from_slice(&packed.to_le_bytes()[..bytes]);
            return;
        }
        let (r, r1) = (&mut self.row[..len], &mut self.other[..len]);
        if fits_key(len, bits) {
            split_key(k0, bits, r);
            split_key(k1, bits, r1);
        } else {
            fill_words_pair(k0, k1, 0, r, r1);
        }
        let difference = &mut self.difference[..len];
        correction(difference, r, x, r1);
        let at = message.len();
        message.resize(at + bytes, 0);
        pack(difference, bits, &mut message[at..]);
        reduce_slice(bits, r);
    }

    /// Row y = G(key) + choice·correction mod 2^l, the correction from `bytes`.
    ///
    /// # Panics
    /// If l exceeds the word.
    #[inline]
    pub(crate) fn decode(
        &mut self,
        key: Block,
        choice: bool,
        bytes: &[u8],
        len: usize,
        bits: Bits,
    ) {
        self.reserve(len, bits);
        if fits_key(len, bits) && len < PLAIN {
            let mut packed = [0; 16];
            packed[..bytes.len()].copy_from_slice(bytes);
            let packed = Block::from_le_bytes(packed);
            return decode_short(key, choice, packed, bits, &mut self.row[..len]);
        }
        let (y, difference) = (&mut self.row[..len], &mut self.difference[..len]);
        if fits_key(len, bits) {
            split_key(key, bits, y);
        } else {
            fill_words(key, 0, y);
        }
        unpack(bytes, bits, difference);
        add_masked(y, difference, choice);
        reduce_slice(bits, y);
    }

    fn reserve(&mut self, len: usize, bits: Bits) {
        assert!(
            bits.get() <= W::BITS,
            "{bits} bits in a word of {}",
            W::BITS
        );
        make_room(&mut self.row, len);
        make_room(&mut self.other, len);
        make_room(&mut self.difference, len);
    }
}

impl<W: Word> Drop for RowBuffers<W> {
    fn drop(&mut self) {
        self.row.zeroize();
        self.other.zeroize();
        self.difference.zeroize();
    }
}

/// Fewer values than this are packed as a plain stream of bits by [`pack`].
const PLAIN: usize = 8;

/// Whether the lowest bits of a key are the row.
fn fits_key(len: usize, bits: Bits) -> bool {
    len <= 128 / bits.get() as usize
}

/// The key itself as `out.len()` elements of l bits; bits above are left over.
fn split_key<W: Word>(mut key: Block, bits: Bits, out: &mut [W]) {
    for out in out {
        *out = W::from_u64(low(key));
        key >>= bits.get();
    }
}

/// The general case on one block: fills r and returns the packed corrections.
#[inline]
fn encode_short<W: Word>(mut k0: Block, mut k1: Block, x: &[W], bits: Bits, r: &mut [W]) -> Block {
    let mut packed = 0;
    for (i, (r, x)) in (0..).zip(r.iter_mut().zip(x)) {
        let own = bits.reduce(low(k0));
        let difference = own.wrapping_add(x.to_u64()).wrapping_sub(low(k1));
        packed |= Block::from(bits.reduce(difference)) << (i * bits.get());
        *r = W::from_u64(own);
        k0 >>= bits.get();
        k1 >>= bits.get();
    }
    packed
}

/// The general case on one block.
#[inline]
fn decode_short<W: Word>(mut key: Block, choice: bool, packed: Block, bits: Bits, y: &mut [W]) {
    let mut packed = packed & Block::from(choice).wrapping_neg();
    for y in y {
        *y = W::from_u64(bits.reduce(low(key).wrapping_add(low(packed))));
        key >>= bits.get();
        packed >>= bits.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K0: Block = 0x0123_4567_89AB_CDEF_1122_3344_5566_7788;
    const K1: Block = 0xFEDC_BA98_7654_3210_99AA_BBCC_DDEE_FF00;

    /// Rows that fit a key go the short way, and what it packs is what [`unpack`] reads.
    #[test]
    fn the_short_way_packs_like_the_long_one() {
        for l in 1..=64 {
            let bits = Bits::of(l);
            for len in (0..PLAIN).filter(|&len| fits_key(len, bits)) {
                let x: Vec<u64> = (5..5 + len as u64).map(|i| i << 60 | i).collect();
                let (mut buffers, mut message) = (RowBuffers::new(), Vec::new());
                buffers.encode(K0, K1, &x, len, bits, &mut message);
                let mut sent = vec![0_u64; len];
                unpack(&message, bits, &mut sent);
                for (i, shift) in (0..len).zip((0..).step_by(l as usize)) {
                    let r = buffers.row(len)[i];
                    assert_eq!(r, bits.reduce(low(K0 >> shift)));
                    let r1 = low(K1 >> shift);
                    assert_eq!(sent[i], bits.reduce(r.wrapping_add(x[i]).wrapping_sub(r1)));
                }
            }
        }
    }
}
