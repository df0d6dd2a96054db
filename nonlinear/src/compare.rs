//! A comparison of two private numbers, once the client's choices are fixed.

use ring_arith::BitVec;
use sharing::{AndLevel, Later, Party, Rounds};

use crate::Error;
use crate::choices::{Choices, Pads};
use crate::form::{Digit, Form, Part, Progress};
use crate::kernel::bitstream::{BitSink, BitSource};
use crate::kernel::leaf;
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
struct Step {
    digit: Digit,
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
    let pads = choices.take(place);
    let own = party
        .role()
        .is_server()
        .then(|| planes::split(x, form.bits() as usize));
    let end = End { n, pads, x: own };
    let (start, mut nodes, mut steps) = end.leaves(party, form, &digits).await?;
    let mut progress = Progress::new(form);
    let mut chain = start;
    while !progress.is_over(form) {
        if chain.is_none() {
            chain = carry.and_then(|carry| carry.get().cloned());
        }
        let next = progress.next;
        let exchange = progress.next(form, chain.is_some());
        if exchange == crate::form::Exchange::default() {
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
                            end.take_in(party, step, carry).await.map(Some)
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

/// A party's end of a comparison.
struct End<'a> {
    n: usize,
    pads: Pads<'a>,
    /// The bit planes of the server's numbers.
    x: Option<Vec<Vec<u64>>>,
}

/// The lowest digit's carry, the nodes of every part, the direct steps.
type Leaves = (Option<BitVec>, Vec<Vec<Node>>, Vec<Option<Step>>);

impl End<'_> {
    /// All leaves, in one round in which the server speaks.
    async fn leaves(
        &self,
        party: &Party<'_>,
        form: &Form,
        digits: &[Digit],
    ) -> Result<Leaves, Error> {
        let randoms = self.randoms(party, form)?;
        let mut randoms = randoms.into_iter();
        let mut shares: Vec<(Node, Option<[BitVec; 2]>)> = Vec::with_capacity(digits.len());
        if self.x.is_some() {
            let mut sink = BitSink::default();
            for digit in digits {
                let greater = if digit.direct {
                    BitVec::default()
                } else {
                    self.serve(digit.kind.greater_bits(), &mut sink, |w, messages| {
                        self.greater(digit, w, 0, messages)
                    })
                };
                let equal = if digit.kind.equality {
                    self.serve(digit.kind.equal_bits(), &mut sink, |w, messages| {
                        let pads =
                            |j: usize, b: usize, at: usize| self.server_pad(digit, j, b, at, w);
                        leaf::serve_equal(digit.kind, self.digit(digit, w).bits(), pads, messages)
                    })
                } else {
                    BitVec::default()
                };
                let random = digit.direct.then(|| {
                    let [r0, r1] = randoms.next().expect("random bits for each step");
                    let ahead = r0.xor(&r1).xor(&equal);
                    sink.push(ahead.words(), self.n);
                    [r0, BitVec::default()]
                });
                shares.push((Node { greater, equal }, random));
            }
            party.send(sink.to_bytes()).await?;
        } else {
            // The pads that a share needs are few; the messages are read as they came.
            let bytes = party
                .recv(BitVec::byte_len(form.message_bits() * self.n))
                .await?;
            let mut source = BitSource::new(&bytes);
            for digit in digits {
                let greater = if digit.direct {
                    BitVec::default()
                } else {
                    self.receive(digit.kind.greater_bits(), &mut source, |w, message| {
                        self.received_greater(digit, w, message)
                    })
                };
                let equal = if digit.kind.equality {
                    self.receive(digit.kind.equal_bits(), &mut source, |w, message| {
                        let y = self.digit(digit, w);
                        let pads = |j: usize, at: usize| self.client_pad(digit, j, at, w);
                        let pad = leaf::equal_pads(digit.kind, y.bits(), pads);
                        leaf::receive_equal(digit.kind, y.bits(), pad, message)
                    })
                } else {
                    BitVec::default()
                };
                let random = digit.direct.then(|| {
                    let [b, chosen] = randoms.next().expect("random bits for each step");
                    let ahead = BitVec::from_words(self.n, source.take(self.n));
                    [chosen.xor(&b.and(&ahead)), b]
                });
                shares.push((Node { greater, equal }, random));
            }
        }
        Ok(arrange(form, digits, shares))
    }

    /// The random OTs of the direct steps: the server's two bits, or the client's choice and its bit.
    fn randoms(&self, party: &Party<'_>, form: &Form) -> Result<Vec<[BitVec; 2]>, Error> {
        let (n, steps) = (self.n, form.step_cots());
        let server = self.x.is_some();
        let drawn = party.draw(|sender, receiver| {
            let each = (0..steps).map(|_| {
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

    /// Takes a digit in: carry' = \[x > y\] ⊕ \[x = y\]·carry. In one exchange the server says the table of \[x > v\] ⊕ \[x = v\]·c_S for its
    /// share c_S of the carry, and the client opens c_C ⊕ b, with which b·e_S becomes c_C·e_S.
    async fn take_in(
        &self,
        party: &Party<'_>,
        step: Step,
        carry: &BitVec,
    ) -> Result<BitVec, Error> {
        let Step {
            digit,
            equal,
            product,
            random,
        } = step;
        let (one, table) = (BitVec::byte_len(self.n), digit.kind.greater_bits());
        if self.x.is_some() {
            let mut sink = BitSink::default();
            let mut share = self.serve(table, &mut sink, |w, messages| {
                self.greater(&digit, w, carry.words()[w], messages)
            });
            let opened = party.exchange(sink.to_bytes(), one).await?;
            share.xor_assign(&product);
            share.xor_assign(&BitVec::from_bytes(self.n, &opened).and(&equal));
            return Ok(share);
        }
        let opened = carry.xor(&random);
        let bytes = party
            .exchange(opened.to_bytes(), BitVec::byte_len(table * self.n))
            .await?;
        let mut source = BitSource::new(&bytes);
        let mut share = self.receive(table, &mut source, |w, message| {
            self.received_greater(&digit, w, message)
        });
        share.xor_assign(&product);
        share.xor_assign(&carry.and(&equal));
        Ok(share)
    }

    /// The server's share of something, word by word; its messages of `bits` bits go to the sink, bit by bit.
    fn serve(
        &self,
        bits: usize,
        sink: &mut BitSink,
        word: impl Fn(usize, &mut [u64]) -> u64,
    ) -> BitVec {
        let words = self.n.div_ceil(64);
        let mut messages = vec![vec![0; words]; bits];
        let mut some = [0; 16];
        let share = (0..words).map(|w| {
            let share = word(w, &mut some);
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

    /// The client's share of something, word by word, from messages of `bits` bits.
    fn receive(
        &self,
        bits: usize,
        source: &mut BitSource,
        word: impl Fn(usize, &dyn Fn(usize) -> u64) -> u64,
    ) -> BitVec {
        let messages: Vec<_> = (0..bits).map(|_| source.take(self.n)).collect();
        let words = (0..self.n.div_ceil(64)).map(|w| word(w, &|message| messages[message][w]));
        BitVec::from_words(self.n, words.collect())
    }

    fn greater(&self, digit: &Digit, w: usize, carry: u64, messages: &mut [u64]) -> u64 {
        let pads = |j: usize, b: usize, at: usize| self.server_pad(digit, j, b, at, w);
        leaf::serve_greater(self.digit(digit, w).bits(), carry, pads, messages)
    }

    fn received_greater(&self, digit: &Digit, w: usize, message: &dyn Fn(usize) -> u64) -> u64 {
        let y = self.digit(digit, w);
        let pad = leaf::greater_pad(y.bits(), |j, at| self.client_pad(digit, j, at, w));
        leaf::receive_greater(y.bits(), pad, message)
    }

    fn server_pad(&self, digit: &Digit, j: usize, b: usize, at: usize, w: usize) -> u64 {
        self.pads.server(digit.offset as usize + j, b, at, w)
    }

    fn client_pad(&self, digit: &Digit, j: usize, at: usize, w: usize) -> u64 {
        self.pads.client(digit.offset as usize + j, at, w)
    }

    /// Word `w` of the bits of this party's digit.
    fn digit(&self, digit: &Digit, w: usize) -> DigitBits {
        let mut bits = [0; 4];
        let first = digit.offset as usize;
        for (j, word) in bits[..digit.kind.width as usize].iter_mut().enumerate() {
            *word = match &self.x {
                Some(x) => x[first + j][w],
                None => self.pads.choice(first + j, w),
            };
        }
        DigitBits(bits, digit.kind.width as usize)
    }
}

/// One word of each bit of a digit.
struct DigitBits([u64; 4], usize);

impl DigitBits {
    fn bits(&self) -> &[u64] {
        &self.0[..self.1]
    }
}

/// Brings the shares of the digits into the order of the form.
fn arrange(form: &Form, digits: &[Digit], shares: Vec<(Node, Option<[BitVec; 2]>)>) -> Leaves {
    let mut shares = digits.iter().copied().zip(shares);
    let start = form.has_start().then(|| {
        let (_, (node, _)) = shares.next().expect("the lowest digit");
        node.greater
    });
    let (mut nodes, mut steps) = (Vec::new(), Vec::new());
    for part in form.parts() {
        match part {
            Part::Node(widths) => {
                let own = shares.by_ref().take(widths.len());
                nodes.push(own.map(|(_, (node, _))| node).collect());
                steps.push(None);
            }
            Part::Step(_) => {
                let (digit, (node, random)) = shares.next().expect("a digit for each step");
                let [product, random] = random.expect("random bits for each step");
                nodes.push(Vec::new());
                steps.push(Some(Step {
                    digit,
                    equal: node.equal,
                    product,
                    random,
                }));
            }
        }
    }
    (start, nodes, steps)
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
