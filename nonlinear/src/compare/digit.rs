//! One digit of all comparisons: what either party says of it, and what it keeps.

use std::borrow::Cow;

use ring_arith::BitVec;
use sharing::Party;

use crate::Error;
use crate::choices::Pads;
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::leaf::{self, LeafKind};

/// Shares of one node: some digits of the numbers.
#[derive(Clone, Default)]
pub(super) struct Node {
    /// \[x's digits > y's digits\].
    pub(super) greater: BitVec,
    /// \[x's digits = y's digits\].
    pub(super) equal: BitVec,
}

/// What a direct step keeps until its carry is there.
pub(super) struct Step<'a> {
    pub(super) leaf: Leaf<'a>,
    /// Shares of "equal".
    equal: BitVec,
    /// The server's bit r0, or the client's bits b and r_b ⊕ b·(r0 ⊕ r1 ⊕ e_S): shares of b·e_S for the server's share e_S of
    /// "equal" and a random bit b of the client.
    product: BitVec,
    random: BitVec,
}

/// What the server says, or the client has heard.
pub(super) enum Line {
    Server(BitSink),
    Client(BitSource),
}

impl Line {
    pub(super) fn said(self) -> Vec<u8> {
        match self {
            Self::Server(sink) => sink.to_bytes(),
            Self::Client(_) => Vec::new(),
        }
    }
}

/// This party's part of one digit of all comparisons.
pub(super) struct Leaf<'a> {
    pub(super) kind: LeafKind,
    pub(super) n: usize,
    /// The bits of its numbers.
    pub(super) own: &'a [BitVec],
    /// For each bit.
    pub(super) pads: Vec<Pads>,
}

impl<'a> Leaf<'a> {
    /// A share of "greater".
    pub(super) fn greater(&self, line: &mut Line) -> BitVec {
        self.greater_or(line, None)
    }

    /// A share of "greater", or of "greater or equal" where the server's share `carry` of a carry is set.
    pub(super) fn greater_or(&self, line: &mut Line, carry: Option<&BitVec>) -> BitVec {
        let bits = self.kind.greater_bits();
        match line {
            Line::Server(sink) => self.serve(bits, sink, |w, x, messages| {
                let carry = carry.map_or(0, |carry| carry.words()[w]);
                let pads = |j: usize, b: usize, at: usize| self.pads[j].word(b, at, w);
                leaf::serve_greater(x, carry, pads, messages)
            }),
            Line::Client(source) => self.receive(bits, source, |w, y, messages| {
                let pad = leaf::greater_pad(y, |j, at| self.pads[j].word(0, at, w));
                leaf::receive_greater(y, pad, |message| messages[message][w])
            }),
        }
    }

    /// A share of "equal".
    fn equal(&self, line: &mut Line) -> BitVec {
        let bits = self.kind.equal_bits();
        match line {
            Line::Server(sink) => self.serve(bits, sink, |w, x, messages| {
                let pads = |j: usize, b: usize, at: usize| self.pads[j].word(b, at, w);
                leaf::serve_equal(self.kind, x, pads, messages)
            }),
            Line::Client(source) => self.receive(bits, source, |w, y, messages| {
                let pad = leaf::equal_pads(self.kind, y, |j, at| self.pads[j].word(0, at, w));
                leaf::receive_equal(self.kind, y, pad, |message| messages[message][w])
            }),
        }
    }

    pub(super) fn node(self, line: &mut Line) -> Node {
        let greater = self.greater(line);
        let equal = self.equal(line);
        Node { greater, equal }
    }

    /// "Equal", and of the server r0 ⊕ r1 ⊕ e_S. The pads of "greater" are kept until the carry is there.
    pub(super) fn step(mut self, line: &mut Line, random: [BitVec; 2]) -> Step<'a> {
        let equal = self.equal(line);
        for (pads, j) in self.pads.iter_mut().zip(0..) {
            pads.keep(self.kind.greater_pads(j));
        }
        let [product, random] = match line {
            Line::Server(sink) => {
                let [r0, mut ahead] = random;
                ahead.xor_assign(&r0);
                ahead.xor_assign(&equal);
                sink.push(ahead.words(), self.n);
                [r0, BitVec::default()]
            }
            Line::Client(source) => {
                let [b, mut chosen] = random;
                let ahead = BitVec::from_words(self.n, source.take(self.n));
                chosen.xor_assign(&b.and(&ahead));
                [chosen, b]
            }
        };
        Step {
            leaf: self,
            equal,
            product,
            random,
        }
    }

    /// The server's share of something, from word `w` of its digits, which also gives `bits` words of messages. They go to the
    /// sink bit by bit.
    fn serve(
        &self,
        bits: usize,
        sink: &mut BitSink,
        word: impl Fn(usize, &[u64], &mut [u64]) -> u64,
    ) -> BitVec {
        let words = self.n.div_ceil(64);
        let mut messages = vec![vec![0; words]; bits];
        let mut some = [0; leaf::VALUES];
        let share = (0..words).map(|w| {
            let share = word(w, self.digits(w).bits(), &mut some);
            for (message, &word) in messages.iter_mut().zip(&some) {
                message[w] = word;
            }
            share
        });
        let share = BitVec::from_words(self.n, share.collect());
        for message in &messages {
            sink.push(message, self.n);
        }
        share
    }

    /// The client's share of something, from word `w` of its digits and messages of `bits` bits.
    fn receive(
        &self,
        bits: usize,
        source: &mut BitSource,
        word: impl Fn(usize, &[u64], &[Vec<u64>]) -> u64,
    ) -> BitVec {
        let messages: Vec<_> = (0..bits).map(|_| source.take(self.n)).collect();
        let words = 0..self.n.div_ceil(64);
        let words = words.map(|w| word(w, self.digits(w).bits(), &messages));
        BitVec::from_words(self.n, words.collect())
    }

    /// Word `w` of the bits of the digit.
    fn digits(&self, w: usize) -> DigitBits {
        let mut bits = [0; 4];
        for (word, own) in bits.iter_mut().zip(self.own) {
            *word = own.words()[w];
        }
        DigitBits(bits, self.own.len())
    }
}

/// One word of each bit of a digit.
struct DigitBits([u64; 4], usize);

impl DigitBits {
    fn bits(&self) -> &[u64] {
        &self.0[..self.1]
    }
}

impl Step<'_> {
    /// What the client says: c_C ⊕ b.
    pub(super) fn opening(&self, carry: &BitVec) -> BitVec {
        carry.xor(&self.random)
    }

    /// Takes the digit in: carry' = \[x > y\] ⊕ \[x = y\]·carry. In one exchange the server says the table of \[x > v\] ⊕ \[x = v\]·c_S for its
    /// share c_S of the carry, and the client opens c_C ⊕ b, with which b·e_S becomes c_C·e_S.
    pub(super) async fn take_in(self, party: &Party<'_>, carry: &BitVec) -> Result<BitVec, Error> {
        let n = self.leaf.n;
        let (one, table) = (n, n * self.leaf.kind.greater_bits());
        let (mut share, factor) = if party.role().is_server() {
            let mut sink = Line::Server(BitSink::default());
            let share = self.leaf.greater_or(&mut sink, Some(carry));
            let bytes = sink.said();
            let opened = party.exchange(bytes, BitVec::byte_len(one)).await?;
            (share, Cow::Owned(BitVec::from_bytes(n, &opened)))
        } else {
            let opened = self.opening(carry).to_bytes();
            let bytes = party.exchange(opened, BitVec::byte_len(table));
            let mut source = Line::Client(BitSource::new(&bytes.await?));
            (self.leaf.greater(&mut source), Cow::Borrowed(carry))
        };
        share.xor_assign(&self.product);
        share.xor_assign(&factor.and(&self.equal));
        Ok(share)
    }
}
