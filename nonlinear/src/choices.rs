//! The client's choices: the random OTs in which it receives by the bits of its number, for all comparisons of that number.

use std::cell::RefCell;

use ring_arith::BitVec;
use sharing::{Party, Rounds};

use crate::Error;
use crate::form::Form;
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::planes;

/// Message bits of a random OT.
const PADS: usize = 128;

/// Which comparisons of one number share its choices. Each has pads of its own: the bits of the messages of the random OTs, each of
/// which serves once.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Layout {
    /// For each bit of the number the message bits of its random OT.
    pads: Vec<usize>,
    places: Vec<Place>,
}

/// What a comparison needs: its pads for each bit of the number, from bit `lowest` on. They follow those of the comparisons before.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    lowest: usize,
    pads: Vec<usize>,
}

impl Layout {
    /// Adds a comparison of the bits of the number from `lowest` on. Gives its place, or `None` where the random OTs have no room
    /// left.
    pub(crate) fn add(&mut self, form: &Form, lowest: u32) -> Option<usize> {
        let digits = form.digits().into_iter();
        let needed =
            digits.flat_map(|digit| (0..digit.kind.width).map(move |j| digit.kind.pad_bits(j)));
        let place = Place {
            lowest: lowest as usize,
            pads: needed.collect(),
        };
        let mut pads = self.pads.clone();
        pads.resize(pads.len().max(place.lowest + place.pads.len()), 0);
        for (used, more) in pads[place.lowest..].iter_mut().zip(&place.pads) {
            *used += more;
        }
        if pads.iter().any(|&used| used > PADS) {
            return None;
        }
        self.pads = pads;
        self.places.push(place);
        Some(self.places.len() - 1)
    }

    /// Fixes the choices: the client's are the bits of `number`, whatever the server gives. One round, in which the client speaks.
    pub(crate) async fn fix(&self, party: &Party<'_>, number: &[u64]) -> Result<Choices, Error> {
        let n = number.len();
        if party.role().is_server() {
            let mut messages = party.draw(|sender, _| {
                let each = self.pads.iter().map(|&width| sender.rot_bits(n, width));
                each.collect::<Result<Vec<_>, _>>()
            })?;
            let bytes = party.recv(BitVec::byte_len(n * self.pads.len())).await?;
            let mut flips = BitSource::new(&bytes);
            for messages in &mut messages {
                swap(messages, &flips.take(n));
            }
            return Ok(self.choices(n, Vec::new(), messages));
        }
        let drawn = party.draw(|_, receiver| {
            let each = self.pads.iter().map(|&width| receiver.rot_bits(n, width));
            each.collect::<Result<Vec<_>, _>>()
        })?;
        let bits = planes::split(number, self.pads.len());
        let mut sink = BitSink::default();
        let mut messages = Vec::with_capacity(drawn.len());
        for ((mut choices, message), bit) in drawn.into_iter().zip(&bits) {
            choices.xor_assign(bit);
            sink.push(choices.words(), n);
            messages.push([message]);
        }
        party.send(sink.to_bytes()).await?;
        Ok(self.choices(n, bits, messages))
    }

    /// Hands the pads out: `messages` are those of the random OT of each bit, as bit planes.
    fn choices<const M: usize>(
        &self,
        n: usize,
        bits: Vec<BitVec>,
        messages: Vec<[Vec<BitVec>; M]>,
    ) -> Choices {
        let mut left: Vec<_> = messages
            .into_iter()
            .map(|messages| messages.map(Vec::into_iter))
            .collect();
        let places = self.places.iter().map(|place| {
            let own = left[place.lowest..].iter_mut().zip(&place.pads);
            let pads = own.map(|(left, &pads)| {
                let messages = left.iter_mut();
                Pads(messages.map(|left| left.take(pads).collect()).collect())
            });
            Some((place.lowest, pads.collect()))
        });
        Choices {
            n,
            bits,
            places: RefCell::new(places.collect()),
        }
    }

    /// The round of [`Layout::fix`] for `n` numbers.
    pub(crate) fn rounds(&self, n: usize) -> Rounds {
        let choices = n * self.pads.len();
        Rounds::to_server(BitVec::byte_len(choices) as u64).with_cots(choices as u64, 0)
    }
}

/// Random OTs in which the client has received by the bits of its numbers.
pub(crate) struct Choices {
    n: usize,
    /// The client's numbers, bit by bit; the server has none.
    bits: Vec<BitVec>,
    /// For each comparison, until it begins, its lowest bit and the pads of each bit.
    places: RefCell<Vec<Option<(usize, Vec<Pads>)>>>,
}

/// What a party has of one comparison's pads of one bit: of each message of the random OT some bits of all numbers, as bit planes. The
/// server has two messages, of which number 1 is the one that the client has where its bit is 1; the client has that one.
pub(crate) struct Pads(Vec<Vec<BitVec>>);

impl Choices {
    /// Numbers.
    pub(crate) const fn len(&self) -> usize {
        self.n
    }

    /// The pads of a comparison, which serve once, and the client's numbers, both bit by bit from the lowest one that is compared. The
    /// server has none of these numbers.
    ///
    /// # Panics
    /// If they have been taken.
    pub(crate) fn take(&self, place: usize) -> (Vec<Pads>, &[BitVec]) {
        let taken = self.places.borrow_mut()[place].take();
        let (lowest, pads) = taken.expect("pads serve once");
        (pads, self.bits.get(lowest..).unwrap_or_default())
    }
}

impl Pads {
    /// Word `w` of pad `at` of message `b`; the client's only message is number 0.
    pub(crate) fn word(&self, b: usize, at: usize, w: usize) -> u64 {
        self.0[b][at].words()[w]
    }

    /// Drops all but the first `pads`.
    pub(crate) fn keep(&mut self, pads: usize) {
        self.0.iter_mut().for_each(|message| message.truncate(pads));
    }
}

/// Applies the client's corrections: where a bit is set, the two messages change places.
fn swap([first, second]: &mut [Vec<BitVec>; 2], flips: &[u64]) {
    for (first, second) in first.iter_mut().zip(second) {
        let words = first.words_mut().iter_mut().zip(second.words_mut());
        for ((first, second), flip) in words.zip(flips) {
            let delta = (*first ^ *second) & flip;
            *first ^= delta;
            *second ^= delta;
        }
    }
}
