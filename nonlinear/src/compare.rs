//! A comparison of two private numbers, once the client's choices are fixed.

use std::borrow::Cow;

use ring_arith::BitVec;
use sharing::{AndLevel, Later, Party, Rounds};

use crate::Error;
use crate::choices::{Choices, Pads};
use crate::form::{Exchange, Form, Part, Progress};
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::leaf::{self, LeafKind};
use crate::kernel::planes;

/// Shares of one node: some digits of the numbers.
#[derive(Clone, Default)]
struct Node {
    /// \[x's digits > y's digits\].
    greater: BitVec,
    /// \[x's digits = y's digits\].
    equal: BitVec,
}

/// What a direct step keeps until its carry is there.
struct Step<'a> {
    leaf: Leaf<'a>,
    /// Shares of "equal".
    equal: BitVec,
    /// The server's bit r0, or the client's bits b and r_b ⊕ b·(r0 ⊕ r1 ⊕ e_S): shares of b·e_S for the server's share e_S of
    /// "equal" and a random bit b of the client.
    product: BitVec,
    random: BitVec,
}

/// Shares of \[x > y\], or of \[x = y\] ∧ carry ∨ \[x > y\] where a carry comes in. The server gives its numbers x, shifted so that the
/// comparison begins at their lowest bit; the client's y are those of the choices.
///
/// One round in which the server speaks, and then exchanges: [`rounds`].
pub(crate) async fn run(
    party: &Party<'_>,
    form: &Form,
    choices: &Choices,
    place: usize,
    x: &[u64],
    carry: Option<&Later<BitVec>>,
) -> Result<BitVec, Error> {
    let (n, digits) = (choices.len(), form.digits());
    if digits.is_empty() {
        return Ok(match carry {
            Some(carry) => carry.wait().await.clone(),
            None => BitVec::zeros(n),
        });
    }
    let (pads, own) = choices.take(place);
    let own = if party.role().is_server() {
        Cow::Owned(planes::split(x, form.bits() as usize))
    } else {
        Cow::Borrowed(own)
    };
    let (start, mut nodes, mut steps) = leaves(party, form, n, &own, pads).await?;
    let mut progress = Progress::new(form);
    let mut chain = start;
    while !progress.is_over(form) {
        if chain.is_none() {
            chain = carry.and_then(|carry| carry.get().cloned());
        }
        let next = progress.next;
        let exchange = progress.next(form, chain.is_some());
        if exchange == Exchange::default() {
            // Nothing can be done before the carry is there.
            carry.expect("a carry comes in").wait().await;
            continue;
        }
        let (meet, step) = party
            .both(
                meet(
                    party,
                    &mut nodes,
                    chain
                        .as_ref()
                        .filter(|_| exchange.single)
                        .map(|c| (next, c)),
                ),
                async {
                    match (exchange.step, &chain) {
                        (Some(_), Some(carry)) => {
                            let step = steps[next].take().expect("each step is taken once");
                            step.take_in(party, carry).await.map(Some)
                        }
                        _ => Ok(None),
                    }
                },
            )
            .await?;
        chain = meet.or(step).or(chain);
    }
    Ok(chain.expect("the carry has gone through"))
}

/// The rounds of `n` comparisons, where a carry that comes in is there `carry` rounds after the one of the server's messages.
pub(crate) fn rounds(form: &Form, n: usize, carry: usize) -> Rounds {
    if form.bits() == 0 {
        return Rounds::none();
    }
    let bytes = BitVec::byte_len(form.message_bits() * n) as u64;
    Rounds::to_client(bytes)
        .with_cots(form.step_cots() * n as u64, 0)
        .then(form.exchange_rounds(n, carry))
}

/// The lowest digit's carry, the nodes of every part, the direct steps.
type Leaves<'a> = (Option<BitVec>, Vec<Vec<Node>>, Vec<Option<Step<'a>>>);

/// All leaves of `n` comparisons, in one round in which the server speaks. `own` are the bits of this party's numbers.
async fn leaves<'a>(
    party: &Party<'_>,
    form: &Form,
    n: usize,
    own: &'a [BitVec],
    pads: Vec<Pads>,
) -> Result<Leaves<'a>, Error> {
    let mut randoms = randoms(party, form, n)?.into_iter();
    let mut line = if party.role().is_server() {
        Line::Server(BitSink::default())
    } else {
        let bytes = BitVec::byte_len(form.message_bits() * n);
        Line::Client(BitSource::new(&party.recv(bytes).await?))
    };
    let mut pads = pads.into_iter();
    let mut digits = form.digits().into_iter().map(|digit| {
        let (first, width) = (digit.offset as usize, digit.kind.width as usize);
        Leaf {
            kind: digit.kind,
            n,
            own: &own[first..first + width],
            pads: pads.by_ref().take(width).collect(),
        }
    });
    let (mut nodes, mut steps) = (Vec::new(), Vec::new());
    let mut leaf = || digits.next().expect("a digit for each leaf");
    let start = form.has_start().then(|| leaf().greater(&mut line));
    for part in form.parts() {
        match part {
            Part::Node(widths) => {
                let node = |_: &u32| leaf().node(&mut line);
                nodes.push(widths.iter().map(node).collect());
                steps.push(None);
            }
            Part::Step(_) => {
                let random = randoms.next().expect("random bits for each step");
                nodes.push(Vec::new());
                steps.push(Some(leaf().step(&mut line, random)));
            }
        }
    }
    if party.role().is_server() {
        party.send(line.said()).await?;
    }
    Ok((start, nodes, steps))
}

/// The random OTs of the direct steps: the server's two bits, or the client's choice and its bit.
fn randoms(party: &Party<'_>, form: &Form, n: usize) -> Result<Vec<[BitVec; 2]>, Error> {
    let steps = 0..form.step_cots();
    let server = party.role().is_server();
    let drawn = party.draw(|sender, receiver| {
        let each = steps.map(|_| {
            Ok(if server {
                let [mut r0, mut r1] = sender.rot_bits(n, 1)?;
                [r0.swap_remove(0), r1.swap_remove(0)]
            } else {
                let (choice, mut chosen) = receiver.rot_bits(n, 1)?;
                [choice, chosen.swap_remove(0)]
            })
        });
        each.collect()
    })?;
    Ok(drawn)
}

/// What the server says, or the client has heard.
enum Line {
    Server(BitSink),
    Client(BitSource),
}

impl Line {
    fn said(self) -> Vec<u8> {
        match self {
            Self::Server(sink) => sink.to_bytes(),
            Self::Client(_) => Vec::new(),
        }
    }
}

/// This party's part of one digit of all comparisons.
struct Leaf<'a> {
    kind: LeafKind,
    n: usize,
    /// The bits of its numbers.
    own: &'a [BitVec],
    /// For each bit.
    pads: Vec<Pads>,
}

impl<'a> Leaf<'a> {
    /// A share of "greater".
    fn greater(&self, line: &mut Line) -> BitVec {
        self.greater_or(line, None)
    }

    /// A share of "greater", or of "greater or equal" where the server's share `carry` of a carry is set.
    fn greater_or(&self, line: &mut Line, carry: Option<&BitVec>) -> BitVec {
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

    fn node(self, line: &mut Line) -> Node {
        let greater = self.greater(line);
        let equal = self.equal(line);
        Node { greater, equal }
    }

    /// "Equal", and of the server r0 ⊕ r1 ⊕ e_S. The pads of "greater" are kept until the carry is there.
    fn step(mut self, line: &mut Line, random: [BitVec; 2]) -> Step<'a> {
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
    fn opening(&self, carry: &BitVec) -> BitVec {
        carry.xor(&self.random)
    }

    /// Takes the digit in: carry' = \[x > y\] ⊕ \[x = y\]·carry. In one exchange the server says the table of \[x > v\] ⊕ \[x = v\]·c_S for its
    /// share c_S of the carry, and the client opens c_C ⊕ b, with which b·e_S becomes c_C·e_S.
    async fn take_in(self, party: &Party<'_>, carry: &BitVec) -> Result<BitVec, Error> {
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

/// One level of all trees: neighbours meet, greater = greater_hi ⊕ equal_hi·greater_lo and equal = equal_hi·equal_lo
/// \[RRK+20, section 3.1\]; and the carry takes in the node of a part, if it is given: carry' = greater ⊕ equal·carry.
async fn meet(
    party: &Party<'_>,
    nodes: &mut [Vec<Node>],
    carry: Option<(usize, &BitVec)>,
) -> Result<Option<BitVec>, Error> {
    let taken = carry.map(|(part, carry)| {
        let node = nodes[part].pop().expect("one node is left");
        (node, carry)
    });
    let single: Vec<_> = taken
        .iter()
        .map(|(node, carry)| (&node.equal, *carry))
        .collect();
    let pairs = nodes.iter().flat_map(|nodes| nodes.chunks_exact(2));
    let pairs: Vec<_> = pairs
        .map(|pair| (&pair[1].equal, &pair[0].greater, &pair[0].equal))
        .collect();
    if single.is_empty() && pairs.is_empty() {
        return Ok(None);
    }
    let (singles, products) = AndLevel.run(party, &single, &pairs).await?;
    drop((single, pairs));

    let mut products = products.into_iter();
    for nodes in nodes.iter_mut() {
        let mut left = Vec::with_capacity(nodes.len().div_ceil(2));
        let mut before = std::mem::take(nodes).into_iter();
        while let Some(lower) = before.next() {
            let Some(higher) = before.next() else {
                left.push(lower);
                break;
            };
            let (mut greater, equal) = products.next().expect("one product for each pair");
            greater.xor_assign(&higher.greater);
            left.push(Node { greater, equal });
        }
        *nodes = left;
    }
    let product = singles.into_iter().next();
    Ok(taken.zip(product).map(|((node, _), mut carry)| {
        carry.xor_assign(&node.greater);
        carry
    }))
}

#[cfg(test)]
mod tests {
    use sharing::CotPrice;
    use testkit::{rng, run_sessions};

    use super::*;
    use crate::choices::Layout;
    use crate::form::Pace;

    /// Compares every x with every y and, where a carry comes in, either carry, which is there before exchange number `late`.
    fn check(form: &Form, late: usize) {
        let (bits, carried) = (form.bits(), !form.has_start());
        let all = 1_u64 << bits;
        let lanes = (0..all * all)
            .flat_map(|i| (0..=u64::from(carried)).map(move |c| (i / all, i % all, c)));
        let lanes: Vec<_> = lanes.collect();
        let n = lanes.len();
        let carries = BitVec::from_fn(n, |i| lanes[i].2 == 1);
        let shares = testkit::share_bits(&carries, &mut rng(3));
        let mut layout = Layout::default();
        // Beside another one, which has the first pads.
        layout.add(&Form::balanced(&[1]), 0).expect("there is room");
        let place = layout.add(form, 0).expect("there is room");
        let party = async |party: &Party<'_>, own: &[u64], share: &BitVec| {
            let choices = layout.fix(party, own).await?;
            let carry = Later::new();
            let arrives = async {
                if carried {
                    party.pause(1 + late).await?;
                    carry.set(share.clone());
                }
                Ok(())
            };
            let compared = run(party, form, &choices, place, own, carried.then_some(&carry));
            let ((), result) = party.both::<_, _, Error>(arrives, compared).await?;
            Ok::<_, Error>((result, party.round()))
        };
        let x: Vec<u64> = lanes.iter().map(|lane| lane.0).collect();
        let y: Vec<u64> = lanes.iter().map(|lane| lane.1).collect();
        let (server, client, cost) = run_sessions(
            late as u64,
            |s| {
                s.run(async |p| party(p, &x, &shares.0).await)
                    .expect("it runs")
            },
            |s| {
                s.run(async |p| party(p, &y, &shares.1).await)
                    .expect("it runs")
            },
        );
        let result = testkit::reconstruct_bits(&server.0, &client.0);
        for (i, &(x, y, carry)) in lanes.iter().enumerate() {
            let expected = x > y || x == y && carry == 1;
            assert_eq!(
                result.bit(i),
                expected,
                "{x} > {y}, carry {carry}, {form:?}"
            );
        }
        let expected = layout.rounds(n).then(rounds(form, n, late));
        assert_eq!(cost, expected.cost(), "{form:?}");
        assert_eq!(
            [server.1, client.1],
            [expected.len() as u64; 2],
            "{form:?}, {late}"
        );
    }

    #[test]
    fn every_form_of_few_bits() {
        for bits in 1..=4 {
            for form in Form::every(bits, false) {
                check(&form, 0);
            }
        }
    }

    #[test]
    fn every_form_into_which_a_carry_comes() {
        for bits in 1..=3 {
            for form in Form::every(bits, true) {
                for late in [0, 1, 2, 4] {
                    check(&form, late);
                }
            }
        }
    }

    #[test]
    fn the_forms_of_every_price() {
        for bits in 4..=6 {
            for price in [0, 1, 4, 8, 32, 128].map(CotPrice::bits) {
                for pace in [Pace::Prompt, Pace::Leisurely] {
                    check(&Form::new(bits, pace, price), 0);
                    check(&Form::carried(bits, pace, price), 2);
                }
            }
        }
    }

    /// What the server says of a digit of a direct step, message after message. Enumerates in the lanes all that the client does not know: the pads of the message that it has not, and the server's bit that
    /// it has not.
    fn said(width: u32, x: u64, y: u64, choice: bool, carry: bool, known: u64) -> Vec<BitVec> {
        let kind = LeafKind {
            width,
            equality: true,
        };
        let unknown = kind.greater_bits() + kind.equal_bits() + 1;
        let n = 1 << unknown;
        let mut free = (0..unknown).map(|k| BitVec::from_fn(n, |lane| lane >> k & 1 == 1));
        let mut free = || free.next().expect("as many as there are messages");
        let mut known = (0..unknown).map(|k| BitVec::from_fn(n, |_| known >> k & 1 == 1));
        let mut known = || known.next().expect("as many as there are messages");
        let pads = (0..width).map(|j| {
            let chosen = y >> j & 1;
            let pads = [0, 1].map(|b| {
                let pad = |_| if b == chosen { known() } else { free() };
                (0..kind.pad_bits(j)).map(pad).collect()
            });
            Pads(pads.into())
        });
        let pads = pads.collect();
        let random = [false, true].map(|b| if b == choice { known() } else { free() });
        let constant = |bit: bool| BitVec::from_fn(n, |_| bit);
        let own: Vec<BitVec> = (0..width).map(|j| constant(x >> j & 1 == 1)).collect();
        let leaf = Leaf {
            kind,
            n,
            own: &own,
            pads,
        };
        let mut line = Line::Server(BitSink::default());
        let step = leaf.step(&mut line, random);
        step.leaf.greater_or(&mut line, Some(&constant(carry)));
        let bytes = line.said();
        let mut source = BitSource::new(&bytes);
        let message = |_| BitVec::from_words(n, source.take(n));
        (0..unknown).map(message).collect()
    }

    /// Whatever x and the server's share of the carry are, and whatever the client has: all that the server says of a direct step is
    /// uniform, both messages together.
    #[test]
    fn what_the_client_hears_of_a_direct_step_is_uniform() {
        for width in 1..=3 {
            let values = 1 << width;
            for x in 0..values {
                for y in 0..values {
                    for (choice, carry) in
                        [(false, false), (false, true), (true, false), (true, true)]
                    {
                        let messages = said(width, x, y, choice, carry, 0x9E37 + 77 * x);
                        let n = messages[0].len();
                        let mut seen = vec![false; n];
                        for lane in 0..n {
                            let bits = messages.iter().enumerate();
                            let view =
                                bits.fold(0, |view, (k, m)| view | usize::from(m.bit(lane)) << k);
                            assert!(!std::mem::replace(&mut seen[view], true), "each once");
                        }
                    }
                }
            }
        }
    }

    /// Whatever the client's share of the carry is, the bit that it opens is as random as its choice.
    #[test]
    fn what_the_server_hears_of_a_direct_step_is_uniform() {
        let choices = BitVec::from_fn(2, |lane| lane == 1);
        for carry in [false, true] {
            for ahead in 0..4_u8 {
                let kind = LeafKind {
                    width: 1,
                    equality: true,
                };
                let own = [BitVec::zeros(2)];
                let leaf = Leaf {
                    kind,
                    n: 2,
                    own: &own,
                    pads: vec![Pads(vec![vec![BitVec::zeros(2)]])],
                };
                let mut line = Line::Client(BitSource::new(&[ahead]));
                let step = leaf.step(&mut line, [choices.clone(), BitVec::zeros(2)]);
                let opened = step.opening(&BitVec::from_fn(2, |_| carry));
                assert!(opened.bit(0) != opened.bit(1));
            }
        }
    }
}
