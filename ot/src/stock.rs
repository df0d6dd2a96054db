//! Random OTs that were made before they are needed, cut to the bits that their forms keep.
//!
//! Layout of a stock: the number of draws in eight bytes; each draw in six, a byte for its form, one for its width, its number of
//! OTs in four; then what each draw gives: the receiver's choices, one bit each, and the messages, the sender's messages 0 before
//! its messages 1. All of it little-endian.

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use ring_arith::{BitVec, Bits, pack, packed_len, unpack};
use zeroize::Zeroizing;

use crate::{Block, Error};

/// What a draw keeps of each key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the forms there are")]
pub enum Form {
    /// So many bits, at most 128, as bit planes.
    Planes(u32),
    /// A word of so many bits.
    Words(Bits),
    /// All of it.
    Keys,
}

/// A draw: some OTs whose keys are used in one form. Which draws a protocol makes, in either direction, is public and follows from
/// its sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain sizes")]
pub struct Draw {
    /// OTs, at most 2^32 − 1.
    pub n: usize,
    /// What is kept of them.
    pub form: Form,
}

/// Which end of the OTs it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an OT has two ends")]
pub enum End {
    /// It has two messages of each OT.
    Sender,
    /// It has a choice bit and one message.
    Receiver,
}

/// The sender's two messages of each OT; the receiver's only one is the first.
pub(crate) type Messages<T> = [Zeroizing<Vec<T>>; 2];

/// Bytes of the number of draws, and of each draw.
const COUNT: usize = 8;
const DRAW: usize = 6;

impl Draw {
    fn message_bytes(self) -> usize {
        match self.form {
            Form::Planes(width) => width as usize * BitVec::byte_len(self.n),
            Form::Words(bits) => packed_len(self.n, bits),
            Form::Keys => 16 * self.n,
        }
    }

    fn bytes(self, end: End) -> usize {
        match end {
            End::Sender => 2 * self.message_bytes(),
            End::Receiver => BitVec::byte_len(self.n) + self.message_bytes(),
        }
    }

    fn encode(self) -> [u8; DRAW] {
        let (form, width) = match self.form {
            Form::Planes(width) => (0, width),
            Form::Words(bits) => (1, bits.get()),
            Form::Keys => (2, 128),
        };
        let n = u32::try_from(self.n).expect("a draw of less than 2^32 OTs");
        let [a, b, c, d] = n.to_le_bytes();
        [
            form,
            u8::try_from(width).expect("at most 128 bits"),
            a,
            b,
            c,
            d,
        ]
    }

    fn decode([form, width, n @ ..]: [u8; DRAW]) -> Option<Self> {
        let n = u32::from_le_bytes(n) as usize;
        let width = u32::from(width);
        let form = match (form, width) {
            (0, 0..=128) => Form::Planes(width),
            (1, _) => Form::Words(Bits::new(width)?),
            (2, 128) => Form::Keys,
            _ => return None,
        };
        Some(Self { n, form })
    }
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.n;
        match self.form {
            Form::Planes(width) => write!(f, "{n} OTs of {width} bits"),
            Form::Words(bits) => write!(f, "{n} OTs of words of {bits} bits"),
            Form::Keys => write!(f, "{n} OTs of whole keys"),
        }
    }
}

/// The bytes that a stock of these draws takes.
#[must_use]
pub fn stock_len(draws: &[Draw], end: End) -> u64 {
    let content = draws.iter().map(|draw| draw.bytes(end) as u64);
    (COUNT + DRAW * draws.len()) as u64 + content.sum::<u64>()
}

/// Random OTs that were made before, for one use, in the order in which they will be drawn.
///
/// [`OtSender::fill`](crate::OtSender::fill) and [`OtReceiver::fill`](crate::OtReceiver::fill) make its bytes. Each draw that is asked
/// for must be the one that is stored. The bytes are erased on drop, with the last stock that is a part of them.
pub struct Stock {
    end: End,
    bytes: Arc<Zeroizing<Vec<u8>>>,
    /// Draws that are to come, and their content.
    draws: Range<usize>,
    content: Range<usize>,
    taken: u64,
}

impl Stock {
    /// The stock that is a part of some bytes, whoever they are from.
    ///
    /// # Errors
    /// [`Error::BadStock`] if it is none, or of the other end.
    pub fn new(
        bytes: &Arc<Zeroizing<Vec<u8>>>,
        part: Range<usize>,
        end: End,
    ) -> Result<Self, Error> {
        let of = bytes.get(part.clone()).ok_or(Error::BadStock)?;
        let (count, rest) = of.split_first_chunk::<COUNT>().ok_or(Error::BadStock)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| Error::BadStock)?;
        let (draws, _) = rest.as_chunks::<DRAW>();
        let draws = draws.get(..count).ok_or(Error::BadStock)?;
        let mut needed = 0_u64;
        for draw in draws {
            let draw = Draw::decode(*draw).ok_or(Error::BadStock)?;
            needed = needed.saturating_add(draw.bytes(end) as u64);
        }
        let begin = part.start + COUNT;
        let middle = begin + DRAW * count;
        if (part.end - middle) as u64 != needed {
            return Err(Error::BadStock);
        }
        Ok(Self {
            end,
            bytes: Arc::clone(bytes),
            draws: begin..middle,
            content: middle..part.end,
            taken: 0,
        })
    }

    /// OTs taken so far.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.draws.is_empty()
    }

    /// What is stored for the draw that is asked for.
    fn take(&mut self, asked: Draw) -> Result<&[u8], Error> {
        let next = self.bytes[self.draws.clone()].first_chunk::<DRAW>();
        let stored = next.and_then(|draw| Draw::decode(*draw));
        if stored != Some(asked) {
            return Err(Error::OtherDraw { asked, stored });
        }
        let start = self.content.start;
        self.draws.start += DRAW;
        self.content.start += asked.bytes(self.end);
        self.taken += asked.n as u64;
        Ok(&self.bytes[start..self.content.start])
    }

    /// The choices and the messages: two for the sender, the second of which is empty for the receiver.
    fn split(&mut self, asked: Draw) -> Result<(BitVec, [&[u8]; 2]), Error> {
        let (n, end, len) = (asked.n, self.end, asked.message_bytes());
        let bytes = self.take(asked)?;
        Ok(match end {
            End::Sender => {
                let (first, second) = bytes.split_at(len);
                (BitVec::default(), [first, second])
            }
            End::Receiver => {
                let (choices, message) = bytes.split_at(bytes.len() - len);
                (BitVec::from_bytes(n, choices), [message, &[]])
            }
        })
    }

    /// Choices, and messages as bit planes.
    pub(crate) fn planes(
        &mut self,
        n: usize,
        width: usize,
    ) -> Result<(BitVec, [Vec<BitVec>; 2]), Error> {
        let draw = planes_draw(n, width);
        let (choices, messages) = self.split(draw)?;
        let bytes = BitVec::byte_len(n);
        let planes = messages.map(|message| match (message.is_empty(), bytes) {
            (false, _) => {
                let planes = message.chunks(bytes);
                planes.map(|plane| BitVec::from_bytes(n, plane)).collect()
            }
            (true, _) => vec![BitVec::zeros(n); width],
        });
        Ok((choices, planes))
    }

    /// Choices, and messages as words.
    pub(crate) fn words(&mut self, n: usize, bits: Bits) -> Result<(BitVec, Messages<u64>), Error> {
        let form = Form::Words(bits);
        let (choices, messages) = self.split(Draw { n, form })?;
        let words = messages.map(|message| {
            let len = if message.is_empty() { 0 } else { n };
            let mut words = Zeroizing::new(vec![0; len]);
            unpack(message, bits, &mut words);
            words
        });
        Ok((choices, words))
    }

    /// Choices, and messages as keys of which so many bits are there.
    pub(crate) fn keys(
        &mut self,
        n: usize,
        width: usize,
    ) -> Result<(BitVec, Messages<Block>), Error> {
        let form = keys_form(width);
        if let Form::Words(bits) = form {
            let (choices, words) = self.words(n, bits)?;
            let wide = words
                .map(|words| Zeroizing::new(words.iter().map(|&word| Block::from(word)).collect()));
            return Ok((choices, wide));
        }
        let (choices, messages) = self.split(Draw { n, form })?;
        let keys = messages.map(|message| {
            let (keys, _) = message.as_chunks::<16>();
            Zeroizing::new(keys.iter().map(|key| Block::from_le_bytes(*key)).collect())
        });
        Ok((choices, keys))
    }
}

impl fmt::Debug for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stock")
            .field("end", &self.end)
            .field("draws", &(self.draws.len() / DRAW))
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// The draw of some bits of a key as planes.
pub(crate) fn planes_draw(n: usize, width: usize) -> Draw {
    assert!(width <= 128, "a block has 128 bits");
    #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
    let form = Form::Planes(width as u32);
    Draw { n, form }
}

/// How keys are kept of which so many of the lowest bits are used.
pub(crate) fn keys_form(width: usize) -> Form {
    let bits = u32::try_from(width).ok().and_then(Bits::new);
    bits.map_or(Form::Keys, Form::Words)
}

/// Appends what a stock has before its content.
pub(crate) fn begin(draws: &[Draw], out: &mut Vec<u8>) {
    out.extend_from_slice(&(draws.len() as u64).to_le_bytes());
    draws.iter().for_each(|draw| out.extend(draw.encode()));
}

/// Appends bit planes, or one plane.
pub(crate) fn put_planes(planes: &[BitVec], out: &mut Vec<u8>) {
    for plane in planes {
        let end = out.len() + BitVec::byte_len(plane.len());
        let words = plane.words().iter();
        words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out.truncate(end);
    }
}

/// Appends words of so many bits.
pub(crate) fn put_words(words: &[u64], bits: Bits, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + packed_len(words.len(), bits), 0);
    pack(words, bits, &mut out[at..]);
}

/// Appends whole keys.
pub(crate) fn put_keys(keys: impl IntoIterator<Item = Block>, out: &mut Vec<u8>) {
    keys.into_iter()
        .for_each(|key| out.extend_from_slice(&key.to_le_bytes()));
}
