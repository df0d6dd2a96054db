//! Vectors of bits, 64 to a word.

use zeroize::Zeroize;

/// A vector of bits in 64-bit words, bit `i` at `words[i / 64] >> (i % 64)`.
///
/// The unused bits of the last word are zero. The content is treated as secret: it is zeroized on
/// drop and `Debug` prints only the length.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct BitVec {
    len: usize,
    words: Vec<u64>,
}

impl BitVec {
    /// `len` zero bits.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self {
            len,
            words: vec![0; len.div_ceil(64)],
        }
    }

    /// The bits `f(0), f(1), …, f(len - 1)`.
    #[must_use]
    pub fn from_fn(len: usize, mut f: impl FnMut(usize) -> bool) -> Self {
        let mut words = Vec::with_capacity(len.div_ceil(64));
        for start in (0..len).step_by(64) {
            let count = (len - start).min(64);
            words.push((0..count).fold(0, |word, j| word | u64::from(f(start + j)) << j));
        }
        Self { len, words }
    }

    /// The first `len` bits of `words`; the rest is cleared.
    ///
    /// # Panics
    /// If `words` does not hold exactly `ceil(len / 64)` words.
    #[must_use]
    pub fn from_words(len: usize, words: Vec<u64>) -> Self {
        assert_eq!(words.len(), len.div_ceil(64), "wrong number of words");
        let mut bits = Self { len, words };
        bits.clear_tail();
        bits
    }

    /// The lowest bit of every word of `x`.
    #[must_use]
    pub fn lsb_of(x: &[u64]) -> Self {
        Self::bit_of(x, 0)
    }

    /// Bit `j` of every word of `x`.
    ///
    /// # Panics
    /// If `j` is 64 or more.
    #[must_use]
    pub fn bit_of(x: &[u64], j: u32) -> Self {
        assert!(j < 64, "a word has 64 bits");
        let gather = |word, (i, &v): (usize, &u64)| word | (v >> j & 1) << i;
        let words = x
            .chunks(64)
            .map(|chunk| chunk.iter().enumerate().fold(0, gather))
            .collect();
        Self {
            len: x.len(),
            words,
        }
    }

    /// The number of bits.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i`.
    ///
    /// # Panics
    /// If `i` is out of range.
    #[must_use]
    #[inline]
    pub fn bit(&self, i: usize) -> bool {
        assert!(i < self.len, "bit {i} of {}", self.len);
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// Makes bit `i` equal to `value`.
    ///
    /// # Panics
    /// If `i` is out of range.
    #[inline]
    pub fn set(&mut self, i: usize, value: bool) {
        assert!(i < self.len, "bit {i} of {}", self.len);
        let word = &mut self.words[i / 64];
        *word = *word & !(1 << (i % 64)) | u64::from(value) << (i % 64);
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words, for writing; the caller keeps the unused bits of the last word zero, for example
    /// by [`BitVec::clear_tail`].
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// Clears the unused bits of the last word.
    pub fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64) {
            let last = self.words.len() - 1;
            self.words[last] &= u64::MAX >> (64 - self.len % 64);
        }
    }

    /// `self ^= other`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn xor_assign(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "bit vectors must have one length");
        for (x, y) in self.words.iter_mut().zip(&other.words) {
            *x ^= y;
        }
    }

    /// `self &= other`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn and_assign(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "bit vectors must have one length");
        for (x, y) in self.words.iter_mut().zip(&other.words) {
            *x &= y;
        }
    }

    /// Flips every bit.
    pub fn not_assign(&mut self) {
        for x in &mut self.words {
            *x = !*x;
        }
        self.clear_tail();
    }

    /// `self ^ other`.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.xor_assign(other);
        out
    }

    /// `self & other`.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.and_assign(other);
        out
    }

    /// The bits `start..start + len`.
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let end = start.checked_add(len).expect("the range must not overflow");
        assert!(end <= self.len, "bits {start}..{end} of {}", self.len);
        let shift = start % 64;
        let word = |i: usize| self.words.get(i).copied().unwrap_or(0);
        let words = (0..len.div_ceil(64))
            .map(|i| {
                let at = start / 64 + i;
                word(at) >> shift | word(at + 1) << (63 - shift) << 1
            })
            .collect();
        Self::from_words(len, words)
    }

    /// Appends the bits of `other`.
    pub fn append(&mut self, other: &Self) {
        let used = self.len % 64;
        self.len += other.len;
        let mut words = Vec::with_capacity(self.len.div_ceil(64));
        words.append(&mut self.words);
        if used == 0 {
            words.extend_from_slice(&other.words);
        } else {
            for &word in &other.words {
                let last = words.len() - 1;
                words[last] |= word << used;
                words.push(word >> (64 - used));
            }
            words.truncate(self.len.div_ceil(64));
        }
        // The old allocation still holds the bits.
        self.words.zeroize();
        self.words = words;
    }

    /// The bytes of `len` bits, `ceil(len / 8)`.
    #[must_use]
    pub const fn byte_len(len: usize) -> usize {
        len.div_ceil(8)
    }

    /// The bits as bytes, least significant bit first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.words.len() * 8);
        for word in &self.words {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.truncate(Self::byte_len(self.len));
        out
    }

    /// `len` bits from bytes, least significant bit first; the unused bits of the last byte are
    /// ignored.
    ///
    /// # Panics
    /// If `bytes` is not `ceil(len / 8)` bytes long.
    #[must_use]
    pub fn from_bytes(len: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), Self::byte_len(len), "wrong number of bytes");
        let words = bytes
            .chunks(8)
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            })
            .collect();
        Self::from_words(len, words)
    }

    /// The bits in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = bool> + '_ {
        (0..self.len).map(|i| self.words[i / 64] >> (i % 64) & 1 == 1)
    }

    /// Every bit as the word 0 or 1.
    #[must_use]
    pub fn to_values(&self) -> Vec<u64> {
        (0..self.len)
            .map(|i| self.words[i / 64] >> (i % 64) & 1)
            .collect()
    }
}

impl FromIterator<bool> for BitVec {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut out = Self::default();
        for bit in bits {
            if out.len.is_multiple_of(64) {
                out.words.push(0);
            }
            let last = out.words.len() - 1;
            out.words[last] |= u64::from(bit) << (out.len % 64);
            out.len += 1;
        }
        out
    }
}

impl Zeroize for BitVec {
    /// Overwrites the bits; the vector is empty afterwards.
    fn zeroize(&mut self) {
        self.words.zeroize();
        self.len = 0;
    }
}

impl Drop for BitVec {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

impl core::fmt::Debug for BitVec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BitVec")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
