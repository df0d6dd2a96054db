//! The plain bit stream behind the interleaved part, moved a word at a time.

/// Appends fields of up to 64 bits, least significant bit first.
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    acc: u64,
    used: u32,
}

impl<'a> BitWriter<'a> {
    #[inline(always)]
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            at: 0,
            acc: 0,
            used: 0,
        }
    }

    /// Appends the low `l` >= 1 bits of `v`; the bits above must be zero.
    #[inline(always)]
    pub(super) fn put(&mut self, v: u64, l: u32) {
        self.acc |= v << self.used;
        let sum = self.used + l;
        if sum < 64 {
            self.used = sum;
            return;
        }
        self.out[self.at..self.at + 8].copy_from_slice(&self.acc.to_le_bytes());
        self.at += 8;
        self.acc = v >> (63 - self.used) >> 1;
        self.used = sum - 64;
    }

    /// Writes the last bytes; the unused bits of the last one are zero.
    #[inline(always)]
    pub(super) fn finish(self) {
        let rest = &mut self.out[self.at..];
        let bytes = self.acc.to_le_bytes();
        rest.copy_from_slice(&bytes[..rest.len()]);
    }
}

/// Reads fields of up to 64 bits, least significant bit first.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    acc: u64,
    left: u32,
}

impl<'a> BitReader<'a> {
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            acc: 0,
            left: 0,
        }
    }

    /// The next `l` bits; what lies beyond the end reads as zero.
    #[inline(always)]
    pub(super) fn take(&mut self, l: u32) -> u64 {
        if l == 0 {
            return 0;
        }
        let mask = u64::MAX >> (64 - l);
        if l <= self.left {
            let v = self.acc & mask;
            self.acc = self.acc >> (l - 1) >> 1;
            self.left -= l;
            return v;
        }
        let fresh = self.refill();
        let v = (self.acc | fresh << self.left) & mask;
        // The fresh word has given l - left of its bits, at least one.
        self.acc = fresh >> (l - self.left - 1) >> 1;
        self.left = self.left + 64 - l;
        v
    }

    #[inline(always)]
    fn refill(&mut self) -> u64 {
        if let Some((word, rest)) = self.bytes.split_first_chunk::<8>() {
            self.bytes = rest;
            return u64::from_le_bytes(*word);
        }
        let mut word = [0; 8];
        word[..self.bytes.len()].copy_from_slice(self.bytes);
        self.bytes = &[];
        u64::from_le_bytes(word)
    }
}
