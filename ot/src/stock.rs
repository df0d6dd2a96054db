//! Random OTs that were made before they are needed, cut to the bits that their forms keep.
//!
//! The sender's messages 1 come from a seed, and so do the receiver's choices. Either end keeps one message of each OT in full: the sender
//! message 0, the receiver the one that it chose. That takes a flight each way when the stock is made, as in \[Bea95\]: the receiver says where
//! its choices are not those that the random OTs gave, and the sender its messages 1, each masked by its key. A seed for messages 0 as well
//! would spare the sender as many bytes as it would have to say.
//!
//! Layout of a stock: a byte for the end; the number of draws in eight; each draw in six, a byte for its form, one for its width, its
//! number of OTs in four; the seed in sixteen; the message of each OT that is kept, draw by draw. All of it little-endian.
//!
//! [Bea95]: crate#papers

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use ring_arith::{BitVec, Bits, packed_len, unpack};
use zeroize::Zeroizing;

use crate::prg::Prg;
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

impl End {
    const fn encode(self) -> [u8; END] {
        match self {
            Self::Sender => [0],
            Self::Receiver => [1],
        }
    }
}

/// The sender's two messages of each OT; the receiver's only one is the first.
pub(crate) type Messages<T> = [Zeroizing<Vec<T>>; 2];

/// Bytes of the end, of the number of draws, of each draw, and of the seed.
const END: usize = 1;
const COUNT: usize = 8;
const DRAW: usize = 6;
const SEED: usize = 16;

impl Draw {
    /// The bytes of one message of each OT.
    pub(crate) fn message_bytes(self) -> usize {
        match self.form {
            Form::Planes(width) => width as usize * BitVec::byte_len(self.n),
            Form::Words(bits) => packed_len(self.n, bits),
            Form::Keys => 16 * self.n,
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

/// The bytes that a stock of these draws takes at either end.
#[must_use]
pub fn stock_len(draws: &[Draw]) -> u64 {
    let content = draws.iter().map(|draw| draw.message_bytes() as u64);
    (END + COUNT + DRAW * draws.len() + SEED) as u64 + content.sum::<u64>()
}

/// Random OTs that were made before, for one use, in the order in which they will be drawn.
///
/// [`OtSender::fill`](crate::OtSender::fill) and [`OtReceiver::fill`](crate::OtReceiver::fill) make its bytes. Each draw that is asked
/// for must be the one that is stored. The bytes are erased on drop, with the last stock that is a part of them.
pub struct Stock {
    end: End,
    /// What the seed gives, from the next draw on.
    seeded: Box<Prg>,
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
        let of = of.strip_prefix(&end.encode()).ok_or(Error::BadStock)?;
        let (count, rest) = of.split_first_chunk::<COUNT>().ok_or(Error::BadStock)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| Error::BadStock)?;
        let (draws, _) = rest.as_chunks::<DRAW>();
        let draws = draws.get(..count).ok_or(Error::BadStock)?;
        let mut needed = 0_u64;
        for draw in draws {
            let draw = Draw::decode(*draw).ok_or(Error::BadStock)?;
            needed = needed.saturating_add(draw.message_bytes() as u64);
        }
        let begin = part.start + END + COUNT;
        let middle = begin + DRAW * count;
        let (seed, content) = bytes[middle..part.end]
            .split_first_chunk::<SEED>()
            .ok_or(Error::BadStock)?;
        if content.len() as u64 != needed {
            return Err(Error::BadStock);
        }
        Ok(Self {
            end,
            seeded: Box::new(Prg::new(Block::from_le_bytes(*seed))),
            bytes: Arc::clone(bytes),
            draws: begin..middle,
            content: middle + SEED..part.end,
            taken: 0,
        })
    }

    /// A stock of no draws.
    #[must_use]
    pub fn empty(end: End) -> Self {
        Self {
            end,
            seeded: Box::new(Prg::new(0)),
            bytes: Arc::default(),
            draws: 0..0,
            content: 0..0,
            taken: 0,
        }
    }

    /// OTs taken so far.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.draws.is_empty()
    }

    /// What is stored for the draw that is asked for: the choices, and the messages, of which the receiver has the first alone.
    fn take(&mut self, asked: Draw) -> Result<(BitVec, Messages<u8>), Error> {
        let next = self.bytes[self.draws.clone()].first_chunk::<DRAW>();
        let stored = next.and_then(|draw| Draw::decode(*draw));
        if stored != Some(asked) {
            return Err(Error::OtherDraw { asked, stored });
        }
        let start = self.content.start;
        self.draws.start += DRAW;
        self.content.start += asked.message_bytes();
        self.taken += asked.n as u64;
        let kept = Zeroizing::new(self.bytes[start..self.content.start].to_vec());
        Ok(match self.end {
            End::Sender => {
                let other = seeded_message(&mut self.seeded, asked);
                (BitVec::default(), [kept, other])
            }
            End::Receiver => {
                let choices = seeded_choices(&mut self.seeded, asked.n);
                (choices, [kept, Zeroizing::default()])
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
        let (choices, messages) = self.take(draw)?;
        let bytes = BitVec::byte_len(n);
        let planes = messages.map(|message| match n {
            0 => vec![BitVec::default(); width],
            _ => {
                let planes = message.chunks(bytes);
                planes.map(|plane| BitVec::from_bytes(n, plane)).collect()
            }
        });
        Ok((choices, planes))
    }

    /// Choices, and messages as words.
    pub(crate) fn words(&mut self, n: usize, bits: Bits) -> Result<(BitVec, Messages<u64>), Error> {
        let form = Form::Words(bits);
        let (choices, messages) = self.take(Draw { n, form })?;
        let words = messages.map(|message| {
            let len = if message.is_empty() { 0 } else { n };
            let mut words = Zeroizing::new(vec![0; len]);
            unpack(&message, bits, &mut words);
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
        let (choices, messages) = self.take(Draw { n, form })?;
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
pub(crate) fn begin(end: End, draws: &[Draw], seed: Block, out: &mut Vec<u8>) {
    out.extend(end.encode());
    out.extend_from_slice(&(draws.len() as u64).to_le_bytes());
    draws.iter().for_each(|draw| out.extend(draw.encode()));
    out.extend_from_slice(&seed.to_le_bytes());
}

/// The messages 1 of a draw, which a sender's seed gives, packed as in a stock.
pub(crate) fn seeded_message(prg: &mut Prg, draw: Draw) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(vec![0; draw.message_bytes()]);
    prg.fill(&mut message);
    message
}

/// The choices that a receiver's seed gives.
pub(crate) fn seeded_choices(prg: &mut Prg, n: usize) -> BitVec {
    let mut choices = Zeroizing::new(vec![0; BitVec::byte_len(n)]);
    prg.fill(&mut choices);
    BitVec::from_bytes(n, &choices)
}
