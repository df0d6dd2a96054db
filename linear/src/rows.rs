//! The products as messages of vector COTs, in the order item, row of x, output row, bit of the weight.

use std::cell::Cell;

use ot::{ReceiveRows, RowTally, SendRows};
use ring_arith::{Bits, Word, slices};

use crate::item::{Item, Rect};
use crate::{Error, Products};

/// The order of the COTs in words of one length: the rows of x that need any, each with the number of
/// its first COT.
#[derive(Clone, Debug)]
pub(crate) struct CotOrder {
    rows: Vec<Row>,
    cots: usize,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    first: usize,
    item: usize,
    k: usize,
}

impl CotOrder {
    /// Orders the COTs of the items with a ring for which `chosen` holds. Rows without elements need none.
    pub(crate) fn new(items: &[Item], chosen: impl Fn(Bits) -> bool) -> Result<Self, Error> {
        let mut order = Self {
            rows: Vec::new(),
            cots: 0,
        };
        let paid = |item: &Item| chosen(item.bits) && item.m > 0;
        for (number, item) in items.iter().enumerate().filter(|(_, item)| paid(item)) {
            let cots = item.cots_of_row().ok_or(Error::TooLarge)?;
            for (k, _) in item.rows.iter().enumerate().filter(|(_, r)| !r.is_empty()) {
                order.rows.push(Row {
                    first: order.cots,
                    item: number,
                    k,
                });
                order.cots = order.cots.checked_add(cots).ok_or(Error::TooLarge)?;
            }
        }
        Ok(order)
    }

    /// Adds up the cost of every COT.
    pub(crate) fn count(&self, items: &[Item], tally: &mut RowTally) {
        for row in &self.rows {
            let item = &items[row.item];
            tally.add(&[item.run(row.k)], 1);
        }
    }
}

/// What a COT is for: a row of the order, an output row and a bit of the weight.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    m: usize,
    j: u32,
}

/// Finds what a COT is for, quickly if COTs are asked for in order.
struct Finder(Cell<(usize, Place)>);

impl Finder {
    const fn new() -> Self {
        Self(Cell::new((0, Place { row: 0, m: 0, j: 0 })))
    }

    #[inline]
    fn find(&self, order: &CotOrder, items: &[Item], i: usize) -> Place {
        let (last, mut place) = self.0.get();
        if i == last {
            return place;
        }
        let item = &items[order.rows[place.row].item];
        if i == last + 1 {
            place.j += 1;
            if place.j == item.planes() {
                place.j = 0;
                place.m += 1;
                if place.m == item.m {
                    place.m = 0;
                    place.row += 1;
                }
            }
        } else {
            place = Self::search(order, items, i);
        }
        self.0.set((i, place));
        place
    }

    fn search(order: &CotOrder, items: &[Item], i: usize) -> Place {
        let row = order.rows.partition_point(|row| row.first <= i) - 1;
        let planes = items[order.rows[row].item].planes();
        let within = i - order.rows[row].first;
        let j = within % planes as usize;
        Place {
            row,
            m: within / planes as usize,
            j: u32::try_from(j).expect("a bit number is below 64"),
        }
    }
}

/// What both ends have in common: what a COT is for, and the sums of the results.
struct Sums<'a, W, V> {
    items: &'a [Item],
    order: &'a CotOrder,
    shapes: Finder,
    places: Finder,
    /// The sum over the bits of one weight.
    sum: Vec<W>,
    /// The output; in cells, because rows of narrow and of wide words are added to the same output.
    y: &'a [Cell<V>],
}

impl<'a, W: Word, V: Word> Sums<'a, W, V> {
    fn new(products: &'a Products, order: &'a CotOrder, y: &'a [Cell<V>]) -> Self {
        Self {
            items: products.items(),
            order,
            shapes: Finder::new(),
            places: Finder::new(),
            sum: Vec::new(),
            y,
        }
    }

    #[inline]
    fn shape(&self, i: usize) -> (usize, Bits) {
        let place = self.shapes.find(self.order, self.items, i);
        let row = self.order.rows[place.row];
        let item = &self.items[row.item];
        (item.rows[row.k].len(), item.width(place.j))
    }

    /// Adds the result of COT `i`, shifted by its bit; negated if `negate` says so, and once more for the
    /// sign bit.
    #[inline]
    fn absorb(&mut self, i: usize, result: &[W], negate: bool) {
        let place = self.places.find(self.order, self.items, i);
        let row = self.order.rows[place.row];
        let item = &self.items[row.item];
        if place.j == 0 {
            self.sum.clear();
            self.sum.resize(result.len(), W::default());
        }
        let negate = negate != item.is_sign(place.j);
        slices::accumulate_shifted(&mut self.sum, result, place.j, negate);
        if place.j + 1 == item.planes() {
            let start = item.output + place.m * item.output_stride;
            scatter_add(&item.rows[row.k], &self.sum, &self.y[start..]);
        }
    }
}

/// The client's end: it sends, and the rows of its share of x are the correlations. W is the word of the
/// COTs, V that of the shares.
pub(crate) struct ClientRows<'a, W, V> {
    sums: Sums<'a, W, V>,
    x: &'a [V],
    row: Vec<W>,
    gathered: Option<usize>,
}

impl<'a, W: Word, V: Word> ClientRows<'a, W, V> {
    /// The COTs of `order` for the client's share `x`; their results are added to `y`.
    pub(crate) fn new(
        products: &'a Products,
        order: &'a CotOrder,
        x: &'a [V],
        y: &'a [Cell<V>],
    ) -> Self {
        Self {
            sums: Sums::new(products, order, y),
            x,
            row: Vec::new(),
            gathered: None,
        }
    }
}

impl<W: Word, V: Word> SendRows<W> for ClientRows<'_, W, V> {
    fn count(&self) -> usize {
        self.sums.order.cots
    }

    #[inline]
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.sums.shape(i)
    }

    #[inline]
    fn correlation(&mut self, i: usize) -> &[W] {
        let place = self.sums.places.find(self.sums.order, self.sums.items, i);
        if self.gathered != Some(place.row) {
            let row = self.sums.order.rows[place.row];
            let item = &self.sums.items[row.item];
            gather(&item.rows[row.k], &self.x[item.input..], &mut self.row);
            self.gathered = Some(place.row);
        }
        &self.row
    }

    #[inline]
    fn absorb(&mut self, i: usize, r: &[W]) {
        self.sums.absorb(i, r, true);
    }
}

/// The server's end: it receives, and the bits of its weights are the choices.
pub(crate) struct ServerRows<'a, W, V> {
    sums: Sums<'a, W, V>,
    choices: Finder,
    weights: &'a [i32],
}

impl<'a, W: Word, V: Word> ServerRows<'a, W, V> {
    /// The COTs of `order` for these weights; their results are added to `y`.
    pub(crate) fn new(
        products: &'a Products,
        order: &'a CotOrder,
        weights: &'a [i32],
        y: &'a [Cell<V>],
    ) -> Self {
        Self {
            sums: Sums::new(products, order, y),
            choices: Finder::new(),
            weights,
        }
    }
}

impl<W: Word, V: Word> ReceiveRows<W> for ServerRows<'_, W, V> {
    fn count(&self) -> usize {
        self.sums.order.cots
    }

    #[inline]
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.sums.shape(i)
    }

    #[inline]
    fn choice(&self, i: usize) -> bool {
        let place = self.choices.find(self.sums.order, self.sums.items, i);
        let row = self.sums.order.rows[place.row];
        let item = &self.sums.items[row.item];
        let weight = self.weights[item.weights + place.m * item.rows.len() + row.k];
        // The weight is extended by its sign, for bits beyond the 32.
        i64::from(weight) >> place.j & 1 == 1
    }

    #[inline]
    fn absorb(&mut self, i: usize, y: &[W]) {
        self.sums.absorb(i, y, false);
    }
}

/// Copies a rectangle of `x` into `row`.
pub(crate) fn gather<V: Word, W: Word>(rect: &Rect, x: &[V], row: &mut Vec<W>) {
    let word = |x: &V| W::from_u64(x.to_u64());
    row.clear();
    for i in 0..rect.rows {
        let x = &x[rect.input + i * rect.input_strides[0]..];
        if rect.input_strides[1] == 1 {
            row.extend(x[..rect.columns].iter().map(word));
        } else {
            let x = x.iter().step_by(rect.input_strides[1]);
            row.extend(x.take(rect.columns).map(word));
        }
    }
}

/// Adds `row` to the elements of `y` to which the products of a rectangle belong, correct modulo the
/// smaller of the two words.
pub(crate) fn scatter_add<W: Word, V: Word>(rect: &Rect, row: &[W], y: &[Cell<V>]) {
    let add = |y: &Cell<V>, v: &W| y.set(y.get().wrapping_add(V::from_u64(v.to_u64())));
    for (i, row) in row.chunks_exact(rect.columns).enumerate() {
        let y = &y[rect.output + i * rect.output_strides[0]..];
        if rect.output_strides[1] == 1 {
            y[..row.len()].iter().zip(row).for_each(|(y, v)| add(y, v));
        } else {
            let y = y.iter().step_by(rect.output_strides[1]);
            y.zip(row).for_each(|(y, v)| add(y, v));
        }
    }
}

impl Item {
    /// Reduces the elements that the item writes to its ring.
    pub(crate) fn reduce<V: Word>(&self, y: &mut [V]) {
        let span = self.span().expect("checked when the batch was made");
        for m in 0..if span == 0 { 0 } else { self.m } {
            let start = self.output + m * self.output_stride;
            slices::reduce_slice(self.bits, &mut y[start..start + span]);
        }
    }
}
