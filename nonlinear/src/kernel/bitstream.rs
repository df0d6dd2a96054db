//! Runs of bits, packed without gaps.

/// Writes runs of bits one after the other.
#[derive(Default)]
pub(crate) struct BitSink {
    words: Vec<u64>,
    len: usize,
}

impl BitSink {
    /// Appends the first `n` bits of `run`.
    pub(crate) fn push(&mut self, run: &[u64], n: usize) {
        let (whole, rest) = (n / 64, n % 64);
        for &word in &run[..whole] {
            self.push_word(word, 64);
        }
        if rest > 0 {
            self.push_word(run[whole] & ((1 << rest) - 1), rest);
        }
    }

    fn push_word(&mut self, word: u64, n: usize) {
        let used = self.len % 64;
        if used == 0 {
            self.words.push(word);
        } else {
            if let Some(last) = self.words.last_mut() {
                *last |= word << used;
            }
            if used + n > 64 {
                self.words.push(word >> (64 - used));
            }
        }
        self.len += n;
    }

    /// The bits as bytes, least significant bit first, the last byte padded with zeros.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.truncate(self.len.div_ceil(8));
        bytes
    }
}

/// Reads back what a [`BitSink`] wrote.
pub(crate) struct BitSource {
    words: Vec<u64>,
    at: usize,
}

impl BitSource {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let words = bytes
            .chunks(8)
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            })
            .collect();
        Self { words, at: 0 }
    }

    /// The next `n` bits; the unused bits of the last word are zero.
    pub(crate) fn take(&mut self, n: usize) -> Vec<u64> {
        let (start, shift) = (self.at / 64, self.at % 64);
        let word = |i: usize| self.words.get(start + i).copied().unwrap_or(0);
        let mut run: Vec<u64> = (0..n.div_ceil(64))
            .map(|i| word(i) >> shift | word(i + 1) << (63 - shift) << 1)
            .collect();
        if !n.is_multiple_of(64)
            && let Some(last) = run.last_mut()
        {
            *last &= (1 << (n % 64)) - 1;
        }
        self.at += n;
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back() {
        let runs: Vec<(usize, Vec<u64>)> = [0, 1, 5, 63, 64, 65, 127, 128, 129, 200, 3]
            .into_iter()
            .map(|n: usize| {
                let words = (0..n.div_ceil(64) as u64)
                    .map(|i| (i + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15))
                    .collect();
                (n, words)
            })
            .collect();
        let mut sink = BitSink::default();
        for (n, words) in &runs {
            sink.push(words, *n);
        }
        let bytes = sink.to_bytes();
        let total: usize = runs.iter().map(|(n, _)| n).sum();
        assert_eq!(bytes.len(), total.div_ceil(8));
        let mut source = BitSource::new(&bytes);
        for (n, words) in &runs {
            let back = source.take(*n);
            for i in 0..*n {
                assert_eq!(back[i / 64] >> (i % 64) & 1, words[i / 64] >> (i % 64) & 1);
            }
        }
    }
}
