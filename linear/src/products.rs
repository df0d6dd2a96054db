//! The core of the crate: a batch of products of matrices of the server with shared matrices.

use std::cell::Cell;

use channel::{Cost, Role};
use ot::RowTally;
use ring_arith::{Bits, Word};
use sharing::Session;

use crate::Error;
use crate::item::Item;
use crate::local;
use crate::rows::{ClientRows, CotOrder, ServerRows};

/// A batch of products of the server's matrices with shared matrices.
///
/// **Functionality.** The server inputs integer weights, those of width w within [−2^(w−1), 2^(w−1)),
/// and both parties input shares of x. Each obtains a share of y, the sum of all items as [`Item`]
/// defines it, every item modulo its own 2^l. An element of x must be shared modulo 2^l or a multiple of
/// it, for the l of every item that reads it. The items are public. Several items may read the same
/// element, and several items of the same ring may write to the same element.
///
/// **Protocol.** y = W·x_S + W·x_C. The first term is local to the server. The second follows [RRK+20]:
/// bit j of a weight is the choice of one COT, whose correlation is the client's whole row of x_C that
/// meets the weight, mod 2^(l−j). Shifted by j, the results add up to the product. The sign bit
/// (j = w − 1) counts negatively. Bits from l upwards change nothing and cost nothing.
/// Departures from the paper: the weights choose, not the activations; weights have a width of their
/// own; and a row is only as long as there are products, without padding. All items are one batch of
/// COTs, first those with l ≤ 32 in 32-bit words, then the others in 64-bit words. Shares are in words of
/// either length, as long as it holds every l.
///
/// **Security.** Semi-honest, by the security of [`ot::OtSender::cot_rows`]. The client's outputs are
/// random strings of its COTs, and the server's are masked by them.
///
/// **Cost.** Σ_items m·K·min(w, l) COTs in which the client sends, where K is the number of rows of x.
/// COTs travel in super-tiles: ceil(n/8) bytes to the client for n of them, and ceil(n_k·(l−j)/8) bytes
/// back for every row k of n_k elements, output row and bit j. Two flights per super-tile. Memory is that
/// of x, y and the weights. [`Products::cost`] is exact.
#[derive(Clone, Debug)]
pub struct Products {
    items: Vec<Item>,
    input_len: usize,
    output_len: usize,
    weight_len: usize,
    narrow: CotOrder,
    wide: CotOrder,
}

impl Products {
    /// A batch that reads `input_len` elements and `weight_len` weights, and writes `output_len` elements.
    ///
    /// # Errors
    /// If an item reaches beyond its operands, or if output rows of items of different rings overlap
    /// between their first and last elements.
    pub fn new(
        items: Vec<Item>,
        input_len: usize,
        output_len: usize,
        weight_len: usize,
    ) -> Result<Self, Error> {
        // Where items of different rings write; there is nothing to find where all have the same.
        let mut spans = Vec::new();
        let mixed = items.windows(2).any(|pair| pair[0].bits != pair[1].bits);
        for (number, item) in items.iter().enumerate() {
            let check = |fits: bool, operand| {
                fits.then_some(()).ok_or(Error::OutOfBounds {
                    item: number,
                    operand,
                })
            };
            check(
                item.input_end().is_some_and(|end| end <= input_len),
                "input",
            )?;
            check(
                item.weight_end().is_some_and(|end| end <= weight_len),
                "weights",
            )?;
            let end = item.output_end().filter(|&end| end <= output_len);
            check(end.is_some(), "output")?;
            let span = item.span().filter(|&span| mixed && span > 0);
            spans.extend(span.into_iter().flat_map(|span| {
                let start = |m| item.output + m * item.output_stride;
                (0..item.m).map(move |m| (start(m), start(m) + span, item.bits))
            }));
        }
        if mixes_rings(spans) {
            return Err(Error::MixedRings);
        }
        let narrow = CotOrder::new(&items, |bits| bits.get() <= 32)?;
        let wide = CotOrder::new(&items, |bits| bits.get() > 32)?;
        Ok(Self {
            items,
            input_len,
            output_len,
            weight_len,
            narrow,
            wide,
        })
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Number of elements of the output.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.output_len
    }

    /// Number of multiplications.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.items.iter().map(Item::macs).sum()
    }

    /// The server's side: its share of y. Elements that no item writes are 0.
    ///
    /// # Errors
    /// If a weight exceeds its width (before anything is sent), or the session fails.
    ///
    /// # Panics
    /// If an operand does not have the declared length, or a ring exceeds the word.
    pub fn run_server<V: Word>(
        &self,
        s: &mut Session,
        weights: &[i32],
        x: &[V],
    ) -> Result<Vec<V>, Error> {
        assert_eq!(x.len(), self.input_len, "wrong number of inputs");
        let mut y = self.run_server_cross(s, weights)?;
        self.add_clear(weights, x, &mut y);
        Ok(y)
    }

    /// The server's share of the term W·x_C alone, for callers who have a faster way to W·x_S.
    pub(crate) fn run_server_cross<V: Word>(
        &self,
        s: &mut Session,
        weights: &[i32],
    ) -> Result<Vec<V>, Error> {
        assert_eq!(s.role(), Role::Server, "the server's side");
        assert_eq!(weights.len(), self.weight_len, "wrong number of weights");
        s.attempt(|s| {
            self.check_weights(weights)?;
            let (channel, _, receiver) = s.ot();
            let mut y = self.zeros();
            let cells = Cell::from_mut(y.as_mut_slice()).as_slice_of_cells();
            let mut narrow = ServerRows::new(self, &self.narrow, weights, cells);
            let mut wide = ServerRows::new(self, &self.wide, weights, cells);
            receiver.cot_rows_mixed(channel, &mut narrow, &mut wide)?;
            self.reduce(&mut y);
            Ok(y)
        })
    }

    /// The client's side: its share of y. Elements that no item writes are 0.
    ///
    /// # Errors
    /// If the session fails.
    ///
    /// # Panics
    /// If `x` does not have the declared length, or a ring exceeds the word.
    pub fn run_client<V: Word>(&self, s: &mut Session, x: &[V]) -> Result<Vec<V>, Error> {
        assert_eq!(s.role(), Role::Client, "the client's side");
        assert_eq!(x.len(), self.input_len, "wrong number of inputs");
        s.attempt(|s| {
            let (channel, sender, _) = s.ot();
            let mut y = self.zeros();
            let cells = Cell::from_mut(y.as_mut_slice()).as_slice_of_cells();
            let mut narrow = ClientRows::new(self, &self.narrow, x, cells);
            let mut wide = ClientRows::new(self, &self.wide, x, cells);
            sender.cot_rows_mixed(channel, &mut narrow, &mut wide)?;
            self.reduce(&mut y);
            Ok(y)
        })
    }

    /// The same products on clear integers.
    ///
    /// # Panics
    /// If an operand does not have the declared length, or a ring exceeds the word.
    #[must_use]
    pub fn clear<V: Word>(&self, weights: &[i32], x: &[V]) -> Vec<V> {
        assert_eq!(x.len(), self.input_len, "wrong number of inputs");
        assert_eq!(weights.len(), self.weight_len, "wrong number of weights");
        let mut y = self.zeros();
        self.add_clear(weights, x, &mut y);
        y
    }

    /// The exact cost.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let mut tally = RowTally::new(Role::Client);
        self.narrow.count(&self.items, &mut tally);
        self.wide.count(&self.items, &mut tally);
        tally.finish()
    }

    /// The output before anything is added to it.
    fn zeros<V: Word>(&self) -> Vec<V> {
        let fits = self.items.iter().all(|item| item.bits.get() <= V::BITS);
        assert!(fits, "a ring exceeds the word");
        vec![V::default(); self.output_len]
    }

    /// Adds the products of clear integers to `y`.
    fn add_clear<V: Word>(&self, weights: &[i32], x: &[V], y: &mut [V]) {
        for item in &self.items {
            if item.bits.get() <= 32 {
                local::add_item::<u32, V>(item, weights, x, y);
            } else {
                local::add_item::<u64, V>(item, weights, x, y);
            }
        }
        self.reduce(y);
    }

    /// Reduces all outputs to their rings.
    fn reduce<V: Word>(&self, y: &mut [V]) {
        self.items.iter().for_each(|item| item.reduce(y));
    }

    fn check_weights(&self, weights: &[i32]) -> Result<(), Error> {
        self.items.iter().try_for_each(|item| {
            let range = item.weights..item.weights + item.m * item.rows.len();
            check_weights(item.weight_bits, &weights[range], item.weights)
        })
    }
}

/// Refuses weights that exceed their width; `first` is the number of the first weight.
pub(crate) fn check_weights(bits: Bits, weights: &[i32], first: usize) -> Result<(), Error> {
    let range = bits.min_signed()..=bits.max_signed();
    match weights.iter().position(|&w| !range.contains(&w.into())) {
        None => Ok(()),
        Some(at) => Err(Error::WeightRange {
            index: first + at,
            bits: bits.get(),
        }),
    }
}

/// Whether two spans with different rings overlap.
fn mixes_rings(mut spans: Vec<(usize, usize, Bits)>) -> bool {
    spans.sort_unstable_by_key(|&(start, ..)| start);
    let mut reach = (0, None);
    spans.into_iter().any(|(start, end, bits)| {
        let mixed = start < reach.0 && reach.1 != Some(bits);
        if end > reach.0 {
            reach = (end, Some(bits));
        }
        mixed
    })
}
