//! Look-ups in public tables at a secret place.

use ring_arith::{BitVec, Bits};
use sharing::{AndEach, Open, Party, RandomBits, Rounds};
use zeroize::Zeroizing;

use crate::Error;

/// Shares of the entries of public tables of 2^bits bits each, at a shared place.
///
/// **Protocol.** Ahead of the place, a random number ρ whose bits are shared is made a number mod 2^bits ([`RandomBits`]), and a vector
/// that has a one at place ρ and zeros elsewhere: with the vector of the bits below, bit j takes [`AndEach`] with all of its entries but
/// one, since these are products with the bit, and the rest is a difference. Then place − ρ is opened. Either party turns its share
/// of the vector by that, and the exclusive or of those of its bits that stand where the table has ones is its share of the entry.
///
/// **Security.** Semi-honest. ρ is uniform whatever either party knows of it, and serves once; so what is opened is uniform.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LookUp {
    bits: Bits,
}

/// A random number, and where it is.
pub(crate) struct Ready {
    number: Zeroizing<Vec<u64>>,
    /// For each value of the number whether it is this one.
    places: Vec<BitVec>,
}

impl LookUp {
    /// The most bits of a place, so that a vector is a word.
    pub(crate) const MAX_BITS: u32 = 7;

    /// Tables of 2^bits bits.
    ///
    /// # Panics
    /// If there are more than [`LookUp::MAX_BITS`].
    pub(crate) fn new(bits: Bits) -> Self {
        assert!(bits.get() <= Self::MAX_BITS, "tables of 2^{bits} bits");
        Self { bits }
    }

    /// The rings of the bits as numbers.
    fn rings(self) -> impl Iterator<Item = Bits> {
        (1..=self.bits.get()).rev().map(Bits::of)
    }

    /// What `n` look-ups need that does not depend on the place.
    pub(crate) async fn prepare(self, party: &Party<'_>, n: usize) -> Result<Ready, Error> {
        let bits = self.rings().map(|ring| RandomBits::draw(party, n, ring));
        let bits = bits.collect::<Result<Vec<_>, _>>()?;
        let own: Vec<BitVec> = bits.iter().map(|bit| bit.bits().clone()).collect();
        let numbers = party.all(bits.into_iter().map(|bit| bit.numbers(party)));
        let numbers = async { Ok(numbers.await?) };
        let (numbers, places) = party.both(numbers, places(party, &own)).await?;
        let mut number = Zeroizing::new(vec![0_u64; n]);
        for (j, bit) in numbers.into_iter().enumerate() {
            let bit = Zeroizing::new(bit);
            for (number, bit) in number.iter_mut().zip(bit.iter()) {
                *number = self.bits.reduce(number.wrapping_add(bit << j));
            }
        }
        Ok(Ready { number, places })
    }

    /// The rounds of [`LookUp::prepare`].
    pub(crate) fn prepare_rounds(self, n: usize) -> Rounds {
        let numbers = self.rings().map(|ring| RandomBits::rounds(n, ring));
        let numbers = numbers.fold(Rounds::none(), Rounds::beside);
        let levels = (1..self.bits.get()).map(|j| AndEach.rounds((1 << j) - 1, n));
        numbers.beside(levels.fold(Rounds::none(), Rounds::then))
    }

    /// Shares of the entries of all tables at these places, whose bits above the ring are ignored.
    pub(crate) async fn run(
        self,
        party: &Party<'_>,
        ready: Ready,
        places: &[u64],
        tables: &[u128],
    ) -> Result<Vec<BitVec>, Error> {
        let masked = places.iter().zip(ready.number.iter());
        let masked: Vec<u64> = masked
            .map(|(place, number)| self.bits.reduce(place.wrapping_sub(*number)))
            .collect();
        let turns = Open { bits: self.bits }.run(party, &masked).await?;
        let mut entries = vec![Vec::with_capacity(turns.len().div_ceil(64)); tables.len()];
        for (w, turns) in turns.chunks(64).enumerate() {
            let mut words = vec![0_u64; tables.len()];
            for (i, &turn) in turns.iter().enumerate() {
                let vector = ready.places.iter().enumerate();
                let vector = vector.fold(0, |vector, (v, place)| {
                    vector | u128::from(place.words()[w] >> i & 1) << v
                });
                let vector = self.turned(vector, turn);
                for (word, table) in words.iter_mut().zip(tables) {
                    *word |= u64::from((vector & table).count_ones() & 1) << i;
                }
            }
            for (entry, word) in entries.iter_mut().zip(words) {
                entry.push(word);
            }
        }
        let entries = entries.into_iter();
        Ok(entries
            .map(|words| BitVec::from_words(turns.len(), words))
            .collect())
    }

    /// The round of [`LookUp::run`].
    pub(crate) fn rounds(self, n: usize) -> Rounds {
        Open { bits: self.bits }.rounds(n)
    }

    /// A vector whose entry v goes to place v + turn. The turn is public.
    const fn turned(self, vector: u128, turn: u64) -> u128 {
        let len = 1_u64 << self.bits.get();
        let mask = u128::MAX >> (128 - len);
        let turn = turn & (len - 1);
        if turn == 0 {
            vector
        } else {
            (vector << turn | vector >> (len - turn)) & mask
        }
    }
}

/// Shares of a vector with a one at the place that the bits say, lowest bit first.
async fn places(party: &Party<'_>, bits: &[BitVec]) -> Result<Vec<BitVec>, Error> {
    let one = |bit: &BitVec| {
        let mut not = bit.clone();
        if party.role().is_server() {
            not.not_assign();
        }
        vec![not, bit.clone()]
    };
    let (lowest, above) = bits.split_first().expect("a place has bits");
    let mut places = one(lowest);
    for bit in above {
        let last = places.len() - 1;
        let mut set = AndEach.run(party, bit, &places[..last]).await?;
        // One of the places is set.
        let rest = set.iter().fold(bit.clone(), |rest, set| rest.xor(set));
        set.push(rest);
        for (place, set) in places.iter_mut().zip(&set) {
            place.xor_assign(set);
        }
        places.append(&mut set);
    }
    Ok(places)
}
