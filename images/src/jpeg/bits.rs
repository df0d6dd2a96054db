//! Bits of entropy-coded data, and the Huffman codes in them (ITU-T T.81, annexes B.1.1.5, C and F.2.2).

use crate::error::DecodeError;

/// Reads bits until the next marker, which it never passes.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, at the lower end.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            held: 0,
            count: 0,
        }
    }

    /// Where the bytes that were not looked at begin.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Takes bytes in until there are `needed` bits or a marker comes.
    fn fill(&mut self, needed: u32) {
        while self.count < needed {
            let byte = match self.bytes.get(self.at..) {
                // A byte of data that looks like the beginning of a marker is followed by a zero.
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([0xFF, ..] | []) | None => return,
                Some(&[byte, ..]) => {
                    self.at += 1;
                    byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next bits as a number; at most 16.
    #[expect(clippy::cast_possible_truncation, reason = "at most 16 bits")]
    pub(super) fn take(&mut self, count: u32) -> Result<u32, DecodeError> {
        self.fill(count);
        let left = self.count.checked_sub(count);
        self.count = left.ok_or(DecodeError::JpegCutOff)?;
        Ok((self.held >> self.count) as u32 & ((1 << count) - 1))
    }

    /// A number of so many bits with its sign (table F.1 and figure F.12).
    pub(super) fn signed(&mut self, size: u32) -> Result<i32, DecodeError> {
        if size == 0 {
            return Ok(0);
        }
        let bits = self.take(size)?.cast_signed();
        Ok(if bits < 1 << (size - 1) {
            bits - (1 << size) + 1
        } else {
            bits
        })
    }

    /// The next symbol of a code.
    pub(super) fn symbol(&mut self, code: &Code) -> Result<u8, DecodeError> {
        self.fill(16);
        // What is missing at the end counts as zeros, and is not taken.
        let ahead = if self.count >= 16 {
            self.held >> (self.count - 16)
        } else {
            self.held << (16 - self.count)
        };
        let (length, symbol) = code.find((ahead & 0xFFFF) as usize)?;
        let left = self.count.checked_sub(length);
        self.count = left.ok_or(DecodeError::JpegCutOff)?;
        Ok(symbol)
    }

    /// Steps over a restart marker of this number.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), DecodeError> {
        // Less than a byte of padding may be left.
        if self.count >= 8 {
            return Err(damaged());
        }
        (self.held, self.count) = (0, 0);
        match self.bytes.get(self.at..) {
            Some(&[0xFF, code, ..]) if code == 0xD0 | number => {
                self.at += 2;
                Ok(())
            }
            Some([0xFF, ..]) => Err(damaged()),
            _ => Err(DecodeError::JpegCutOff),
        }
    }
}

fn damaged() -> DecodeError {
    DecodeError::damaged("the JPEG data is damaged")
}

/// Bits of a code that are looked up at once.
const FAST: u32 = 9;

/// A Huffman code.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// Length and symbol by the next [`FAST`] bits; length 0 where the code is longer.
    fast: Vec<(u8, u8)>,
    /// For each length, the first 16 bits after all codes of that length, left-aligned.
    end: [u32; 17],
    /// For each length, what turns a code into the place of its symbol.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Code {
    /// The code with so many words of each length, 1 to 16.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "at most 256 symbols, and codes of 16 bits"
    )]
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut code = Self {
            fast: vec![(0, 0); 1 << FAST],
            end: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut next, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = u32::from(counts[length as usize - 1]);
            code.offset[length as usize] = place as i32 - next as i32;
            if next + count > 1 << length {
                return None;
            }
            for word in next..next + count {
                let &symbol = symbols.get(place)?;
                place += 1;
                if length <= FAST {
                    let first = (word << (FAST - length)) as usize;
                    code.fast[first..first + (1 << (FAST - length))].fill((length as u8, symbol));
                }
            }
            next += count;
            code.end[length as usize] = next << (16 - length);
            next <<= 1;
        }
        (place == symbols.len()).then_some(code)
    }

    /// Length and symbol of the word that 16 bits begin with.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "16 bits"
    )]
    fn find(&self, ahead: usize) -> Result<(u32, u8), DecodeError> {
        let (length, symbol) = self.fast[ahead >> (16 - FAST)];
        if length > 0 {
            return Ok((u32::from(length), symbol));
        }
        let ahead = ahead as u32;
        let length = (FAST as usize + 1..=16).find(|&length| ahead < self.end[length]);
        let length = length.ok_or_else(damaged)?;
        let word = (ahead >> (16 - length)) as i32;
        let place = (word + self.offset[length]) as usize;
        let &symbol = self.symbols.get(place).ok_or_else(damaged)?;
        Ok((length as u32, symbol))
    }
}
