//! Tables of 2^k short entries in one word, as 1-of-2^k OT handles them: entry v in bits [v·width,
//! (v+1)·width).
//!
//! Everything is masks, shifts and XORs of whole words, so nothing depends on secrets but the
//! values.

use ring_arith::BitVec;

use super::bits::{BitWriter, low, read_bits};
use crate::Block;

/// Tables of 2^k entries of `width` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    k: u32,
    width: u32,
    /// Bits of the entries whose number has bit j.
    upper: [u64; 6],
    /// Bits of all entries.
    all: u64,
    /// The lowest bit of every entry.
    ones: u64,
}

impl Shape {
    /// The shape, if a table fits a word.
    pub(crate) fn new(k: u32, width: u32) -> Option<Self> {
        if !(1..=6).contains(&k) || width == 0 || width << k > 64 {
            return None;
        }
        let (mut upper, mut all, mut ones) = ([0; 6], 0, 0);
        for v in 0..1 << k {
            let entry = u64::MAX >> (64 - width) << (v * width);
            all |= entry;
            ones |= 1 << (v * width);
            for (j, upper) in upper.iter_mut().enumerate() {
                *upper |= entry & u64::from(v >> j & 1).wrapping_neg();
            }
        }
        Some(Self {
            k,
            width,
            upper,
            all,
            ones,
        })
    }

    /// Bits of the entries but entry 0: what travels.
    pub(crate) const fn payload(&self) -> u32 {
        ((1 << self.k) - 1) * self.width
    }

    /// Entry v is the XOR over j of entry v of key (bit j of v) of pair j.
    #[inline]
    fn pads(&self, k0: &[Block], k1: &[Block]) -> u64 {
        let pairs = k0.iter().zip(k1).zip(&self.upper);
        self.all
            & pairs.fold(0, |pads, ((&k0, &k1), &upper)| {
                pads ^ low(k0) & !upper ^ low(k1) & upper
            })
    }

    /// Entry v becomes entry v ^ d.
    #[inline]
    fn permute(&self, table: u64, d: u64) -> u64 {
        let mut table = table & self.all;
        for j in 0..self.k {
            let upper = self.upper[j as usize];
            let distance = self.width << j;
            let difference = (table ^ table >> distance) & !upper & self.all;
            let swap = (d >> j & 1).wrapping_neg();
            table ^= (difference | difference << distance) & swap;
        }
        table
    }

    /// The pads of every instance from its k pairs of keys.
    pub(crate) fn all_pads(&self, k0: &[Block], k1: &[Block], out: &mut Vec<u64>) {
        let k = self.k as usize;
        let instances = k0.chunks_exact(k).zip(k1.chunks_exact(k));
        out.extend(instances.map(|(k0, k1)| self.pads(k0, k1)));
    }

    /// The receiver's pads: only the entry of its choice is right.
    pub(crate) fn own_pads(&self, keys: &[Block], out: &mut Vec<u64>) {
        let instances = keys.chunks_exact(self.k as usize);
        out.extend(instances.map(|keys| keys.iter().fold(0, |pads, &key| pads ^ low(key))));
    }

    /// The sender's message and its shares, from choice corrections d of k bits each.
    ///
    /// With table f, message w is pad_w ^ f(w ^ d) ^ r, and the share r is such that message 0 is
    /// zero.
    pub(crate) fn mask(&self, pads: &[u64], tables: &[u64], d: &BitVec) -> (Vec<u8>, Vec<BitVec>) {
        let (k, width) = (self.k as usize, self.width as usize);
        let mut shares = vec![BitVec::zeros(pads.len()); width];
        let mut message = Vec::with_capacity((pads.len() * self.payload() as usize).div_ceil(8));
        let mut writer = BitWriter::new(&mut message);
        let groups = pads.chunks(64).zip(tables.chunks(64)).enumerate();
        for (g, (pads, tables)) in groups {
            let mut words = [0; 64];
            for (i, (&pad, &table)) in pads.iter().zip(tables).enumerate() {
                let d = read_bits(d.words(), (64 * g + i) * k, k);
                let masked = pad ^ self.permute(table, d);
                let r = masked & u64::MAX >> (64 - self.width);
                // Shifting by the full word happens only if width = 64, which no k allows.
                writer.push(
                    (masked ^ r.wrapping_mul(self.ones)) >> self.width,
                    self.payload(),
                );
                spread(r, i, &mut words[..width]);
            }
            store(&words[..width], g, &mut shares);
        }
        writer.finish();
        (message, shares)
    }

    /// The receiver's shares, from its random choices c of k bits each and the sender's message in
    /// words.
    pub(crate) fn unmask(&self, pads: &[u64], c: &BitVec, message: &[u64]) -> Vec<BitVec> {
        let (k, width, payload) = (
            self.k as usize,
            self.width as usize,
            self.payload() as usize,
        );
        let mut shares = vec![BitVec::zeros(pads.len()); width];
        for (g, pads) in pads.chunks(64).enumerate() {
            let mut words = [0; 64];
            for (i, &pad) in pads.iter().enumerate() {
                let at = 64 * g + i;
                let c = read_bits(c.words(), at * k, k) * u64::from(self.width);
                let masked = read_bits(message, at * payload, payload) << self.width;
                spread((masked ^ pad) >> c, i, &mut words[..width]);
            }
            store(&words[..width], g, &mut shares);
        }
        shares
    }

    /// Values of k bits each, one after the other; higher bits are ignored.
    pub(crate) fn concatenate(&self, values: &[u8]) -> BitVec {
        let mut bytes = Vec::with_capacity(BitVec::byte_len(values.len() * self.k as usize));
        let mut writer = BitWriter::new(&mut bytes);
        for &value in values {
            writer.push(u64::from(value) & ((1 << self.k) - 1), self.k);
        }
        writer.finish();
        BitVec::from_bytes(values.len() * self.k as usize, &bytes)
    }
}

/// Bit p of `entry` becomes bit i of word p.
#[inline]
fn spread(entry: u64, i: usize, words: &mut [u64]) {
    for (p, word) in words.iter_mut().enumerate() {
        *word |= (entry >> p & 1) << i;
    }
}

fn store(words: &[u64], g: usize, planes: &mut [BitVec]) {
    for (plane, &word) in planes.iter_mut().zip(words) {
        plane.words_mut()[g] = word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutes_by_xor() {
        for (k, width) in [(1, 1), (2, 1), (3, 2), (4, 2), (4, 4), (6, 1), (1, 32)] {
            let shape = Shape::new(k, width).unwrap();
            let table = 0x0123_4567_89AB_CDEF_u64.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let entry =
                |table: u64, v: u64| table >> (v * u64::from(width)) & u64::MAX >> (64 - width);
            for d in 0..1 << k {
                let permuted = shape.permute(table, d);
                for v in 0..1 << k {
                    assert_eq!(
                        entry(permuted, v),
                        entry(table, v ^ d),
                        "k {k} width {width}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_tables_of_a_word() {
        assert!(Shape::new(0, 1).is_none());
        assert!(Shape::new(7, 1).is_none());
        assert!(Shape::new(4, 5).is_none());
        assert!(Shape::new(3, 0).is_none());
    }
}
