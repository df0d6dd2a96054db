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
    /// For each comparison the number of its first bit, and its first pad of each of its bits.
    places: Vec<(u32, Vec<usize>)>,
}

impl Layout {
    /// Adds a comparison of the bits of the number from `lowest` on. Gives its place, or `None` where the random OTs have no room
    /// left.
    pub(crate) fn add(&mut self, form: &Form, lowest: u32) -> Option<usize> {
        let mut pads = self.pads.clone();
        pads.resize(pads.len().max((lowest + form.bits()) as usize), 0);
        let mut firsts = Vec::new();
        for digit in form.digits() {
            for j in 0..digit.kind.width {
                let used = &mut pads[(lowest + digit.offset + j) as usize];
                firsts.push(*used);
                *used += digit.kind.pad_bits(j);
                if *used > PADS {
                    return None;
                }
            }
        }
        self.pads = pads;
        self.places.push((lowest, firsts));
        Some(self.places.len() - 1)
    }

    /// Fixes the choices: the client's are the bits of `number`, whatever the server gives. One round, in which the client speaks.
    pub(crate) async fn fix(&self, party: &Party<'_>, number: &[u64]) -> Result<Choices, Error> {
        let (n, mut ends) = (number.len(), Vec::with_capacity(self.pads.len()));
        if party.role().is_server() {
            let mut pads = party.draw(|sender, _| {
                let each = self.pads.iter().map(|&width| sender.rot_bits(n, width));
                each.collect::<Result<Vec<_>, _>>()
            })?;
            let bytes = party.recv(BitVec::byte_len(n * self.pads.len())).await?;
            let mut flips = BitSource::new(&bytes);
            for mut pads in pads.drain(..) {
                swap(&mut pads, &flips.take(n));
                ends.push(End::Server(pads));
            }
        } else {
            let drawn = party.draw(|_, receiver| {
                let each = self.pads.iter().map(|&width| receiver.rot_bits(n, width));
                each.collect::<Result<Vec<_>, _>>()
            })?;
            let bits = planes::split(number, self.pads.len());
            let mut sink = BitSink::default();
            for ((mut choices, pads), own) in drawn.into_iter().zip(bits) {
                let own = BitVec::from_words(n, own);
                choices.xor_assign(&own);
                sink.push(choices.words(), n);
                ends.push(End::Client(own, pads));
            }
            party.send(sink.to_bytes()).await?;
        }
        Ok(Choices {
            n,
            places: self.places.clone(),
            ends,
            used: RefCell::new(vec![false; self.places.len()]),
        })
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
    places: Vec<(u32, Vec<usize>)>,
    /// For each bit.
    ends: Vec<End>,
    used: RefCell<Vec<bool>>,
}

/// A party's end of the random OTs of one bit of all numbers, as bit planes.
enum End {
    /// Both messages; number 1 is the one that the client has where its bit is 1.
    Server([Vec<BitVec>; 2]),
    /// The bits, and the messages.
    Client(BitVec, Vec<BitVec>),
}

impl Choices {
    /// Numbers.
    pub(crate) const fn len(&self) -> usize {
        self.n
    }

    /// The pads of a comparison, which serve once.
    ///
    /// # Panics
    /// If they have been taken.
    pub(crate) fn take(&self, place: usize) -> Pads<'_> {
        let used = std::mem::replace(&mut self.used.borrow_mut()[place], true);
        assert!(!used, "pads serve once");
        let (lowest, firsts) = &self.places[place];
        let lowest = *lowest as usize;
        Pads {
            ends: &self.ends[lowest..lowest + firsts.len()],
            firsts,
        }
    }
}

/// The pads of one comparison. Bits are counted from its lowest one.
pub(crate) struct Pads<'a> {
    ends: &'a [End],
    firsts: &'a [usize],
}

impl Pads<'_> {
    /// Word `w` of message bit `at` of message `b` of the random OT of a bit.
    pub(crate) fn server(&self, bit: usize, b: usize, at: usize, w: usize) -> u64 {
        match &self.ends[bit] {
            End::Server(messages) => messages[b][self.firsts[bit] + at].words()[w],
            End::Client(..) => unreachable!("the client has one message"),
        }
    }

    /// Word `w` of message bit `at` of the message that the client has.
    pub(crate) fn client(&self, bit: usize, at: usize, w: usize) -> u64 {
        match &self.ends[bit] {
            End::Client(_, message) => message[self.firsts[bit] + at].words()[w],
            End::Server(_) => unreachable!("the server has both messages"),
        }
    }

    /// Word `w` of a bit of the client's numbers.
    pub(crate) fn choice(&self, bit: usize, w: usize) -> u64 {
        match &self.ends[bit] {
            End::Client(own, _) => own.words()[w],
            End::Server(_) => unreachable!("the server does not have them"),
        }
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
