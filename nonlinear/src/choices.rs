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
    /// For each comparison.
    places: RefCell<Vec<Untaken>>,
}

/// Until the comparison begins, its lowest bit and its pads of each bit.
type Untaken = Option<(usize, Vec<Pads>)>;

/// What a party has of one comparison's pads of one bit: of each message of the random OT some bits of all numbers, as bit planes. The
/// server has two messages, of which number 1 is the one that the client has where its bit is 1; the client has that one.
pub(crate) struct Pads(pub(crate) Vec<Vec<BitVec>>);

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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sharing::CotPrice;
    use testkit::{elements, rng, run_sessions};

    use super::*;
    use crate::form::Pace;

    const BITS: u32 = 11;
    const N: usize = 130;

    /// Comparisons of several kinds, from several bits on.
    fn several() -> Layout {
        let mut layout = Layout::default();
        for price in [0, 8].map(CotPrice::bits) {
            for pace in [Pace::Prompt, Pace::Leisurely] {
                for lowest in [0, 4, 10] {
                    let forms = [
                        Form::new(BITS - lowest, pace, price),
                        Form::carried(BITS - lowest, pace, price),
                    ];
                    for (i, form) in (0..).zip(forms) {
                        let place = layout.add(&form, lowest).expect("there is room");
                        assert_eq!(place % 2, i);
                    }
                }
            }
        }
        layout
    }

    /// Draws the choices of several comparisons, and takes the pads of all.
    fn taken(x: &[u64]) -> [Vec<(Vec<Pads>, Vec<BitVec>)>; 2] {
        let layout = several();
        let party = |s: &mut sharing::Session| {
            let all = s.run(async |party| {
                let choices = layout.fix(party, x).await?;
                assert_eq!(choices.len(), N);
                let places = 0..layout.places.len();
                Ok::<_, Error>(
                    places
                        .map(|place| {
                            let (pads, bits) = choices.take(place);
                            (pads, bits.to_vec())
                        })
                        .collect(),
                )
            });
            all.expect("an honest run succeeds")
        };
        let (server, client, cost) = run_sessions(5, party, party);
        assert_eq!(cost, layout.rounds(N).cost());
        [server, client]
    }

    #[test]
    fn the_client_has_the_pads_of_its_bits() {
        let x = elements(N, ring_arith::Bits::of(BITS), &mut rng(1));
        let [server, client] = taken(&x);
        for ((at_server, none), (at_client, bits)) in server.into_iter().zip(client) {
            assert!(none.is_empty());
            assert_eq!(at_server.len(), at_client.len());
            assert!(bits.len() >= at_client.len());
            for ((server, client), bit) in at_server.iter().zip(&at_client).zip(&bits) {
                let [zero, one] = [&server.0[0], &server.0[1]];
                assert!(zero.len() == one.len() && zero.len() == client.0[0].len());
                for (at, pad) in client.0[0].iter().enumerate() {
                    let chosen = BitVec::from_fn(N, |i| {
                        if bit.bit(i) {
                            one[at].bit(i)
                        } else {
                            zero[at].bit(i)
                        }
                    });
                    assert!(*pad == chosen);
                }
            }
        }
    }

    /// No pad serves two comparisons, bits or entries of a table.
    #[test]
    fn pads_are_disjoint() {
        let [server, _] = taken(&[0; N]);
        let mut seen = HashSet::new();
        for (pads, _) in server {
            for pad in pads.iter().flat_map(|bit| &bit.0).flatten() {
                assert!(seen.insert(pad.words().to_vec()));
            }
        }
        let pads: usize = several().pads.iter().sum();
        assert_eq!(seen.len(), 2 * pads);
    }

    #[test]
    fn a_place_has_the_pads_of_its_digits() {
        let layout = several();
        let forms = [0, 8].map(|price| Form::new(BITS, Pace::Prompt, CotPrice::bits(price)));
        for (form, place) in forms.iter().zip(layout.places.iter().step_by(12)) {
            let digits = form.digits();
            let needed = digits
                .iter()
                .map(|digit| digit.kind.greater_bits() + digit.kind.equal_bits());
            assert_eq!(place.pads.iter().sum::<usize>(), needed.sum::<usize>());
        }
    }

    #[test]
    fn a_random_ot_has_128_bits() {
        let mut layout = Layout::default();
        // Eight for the lowest bit, and seven more for "equal".
        let start = Form::balanced(&[4]);
        for _ in 0..PADS / 8 {
            assert!(layout.add(&start, 0).is_some());
        }
        assert_eq!(layout.pads, [128, 64, 32, 16]);
        let before = layout.clone();
        assert_eq!(layout.add(&Form::balanced(&[1]), 0), None);
        assert_eq!(layout, before);
        // There is room in the other bits.
        assert_eq!(layout.add(&Form::balanced(&[4, 4]), 1), Some(16));
        let leisurely = Form::carried(3, Pace::Leisurely, CotPrice::FREE);
        let mut layout = Layout::default();
        while layout.add(&leisurely, 2).is_some() {}
        assert_eq!(
            (layout.places.len(), layout.pads),
            (128, vec![0, 0, 128, 128, 128])
        );
    }

    #[test]
    #[should_panic(expected = "pads serve once")]
    fn pads_serve_once() {
        let mut layout = Layout::default();
        let place = layout.add(&Form::balanced(&[2]), 0).expect("there is room");
        let messages = layout
            .pads
            .iter()
            .map(|&pads| [vec![BitVec::zeros(1); pads]]);
        let choices = layout.choices(1, Vec::new(), messages.collect());
        drop(choices.take(place));
        drop(choices.take(place));
    }
}
