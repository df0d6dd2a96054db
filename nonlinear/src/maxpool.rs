//! The largest value of every window.

use std::convert::Infallible;

use channel::Cost;
use ring_arith::{Bits, slices};
use sharing::{CotPrice, Session};

use crate::kernel::bracket::{self, Bracket};
use crate::{Error, Pool2d, Relu};

/// Max-pool.
///
/// **Functionality.** From shares of planes of signed values mod 2^bits, fresh shares of the
/// largest value of every window, as long as no two values of a window are 2^(bits−1) or more apart.
/// For all other inputs, too, the result is one of the values: the one that [`crate::clear::max_pool`]
/// defines by the same tournament on differences mod 2^bits.
///
/// **Protocol.** Tournaments by max(a, b) = b + `ReLU`(a − b), in which neighbours meet and a value
/// without a neighbour waits. They are held first within each used row, along the columns of a window,
/// and then among the winners of the rows, so that overlapping windows share what they have in common.
/// Padding takes no part. ([RRK+20] compares one value after the other instead.)
///
/// **Security.** That of [`Relu`].
///
/// **Cost.** Per round one [`Relu`] on all its matches: ceil(log2 width) + ceil(log2 height) rounds.
/// A window of w × h takes (w − 1)·u + h − 1 matches where u is the number of rows it does not share
/// with the window above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxPool {
    window: Pool2d,
    bits: Bits,
    relu: Relu,
}

impl MaxPool {
    /// Windows over values of `bits` bits, where one COT has this price.
    #[must_use]
    pub fn new(window: Pool2d, bits: Bits, cot_price: CotPrice) -> Self {
        let relu = Relu::new(bits, cot_price);
        Self { window, bits, relu }
    }

    /// The geometry.
    #[must_use]
    pub const fn window(&self) -> &Pool2d {
        &self.window
    }

    /// Shares of the largest values, planes of [`Pool2d::output_shape`].
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If `x` is not a whole number of planes.
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        pool(&self.window, x, |a, b| {
            larger(s, self.relu, self.bits, a, b)
        })
    }

    /// The cost for `planes` planes.
    #[must_use]
    pub fn cost(&self, planes: usize) -> Cost {
        let [columns, rows] = self.window.groups();
        let rounds = bracket::rounds(columns).chain(bracket::rounds(rows));
        rounds.map(|matches| self.relu.cost(matches * planes)).sum()
    }

    pub(crate) fn clear(&self, x: &[i64]) -> Vec<i64> {
        let larger = |a: &[i64], b: &[i64]| {
            let pairs = a.iter().zip(b);
            Ok(pairs
                .map(|(&a, &b)| larger_clear(self.bits, a, b))
                .collect())
        };
        let Ok(pooled) = pool::<_, Infallible>(&self.window, x, larger);
        pooled
    }
}

/// b + `ReLU`(a − b).
pub(crate) fn larger(
    s: &mut Session,
    relu: Relu,
    bits: Bits,
    a: &[u64],
    b: &[u64],
) -> Result<Vec<u64>, Error> {
    let mut winners = relu.run(s, &slices::sub(bits, a, b))?;
    slices::add_assign(bits, &mut winners, b);
    Ok(winners)
}

/// What [`larger`] computes: a where the signed a − b mod 2^bits is not negative.
pub(crate) const fn larger_clear(bits: Bits, a: i64, b: i64) -> i64 {
    if bits.to_signed(bits.from_signed(a.wrapping_sub(b))) >= 0 {
        a
    } else {
        b
    }
}

/// The tournaments of every plane, with `larger` deciding all matches of a round at once.
fn pool<T: Copy, E>(
    window: &Pool2d,
    x: &[T],
    mut larger: impl FnMut(&[T], &[T]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let planes = window.planes(x.len());
    let [_, width] = window.input_shape();
    let [out_height, out_width] = window.output_shape();
    let [columns, rows] = brackets(window);

    let used = window.used_rows();
    let mut entries = Vec::with_capacity(planes * columns.len());
    for plane in x.chunks(window.input_len()) {
        for &row in &used {
            for j in 0..out_width {
                let span = window.column_span(j);
                entries.extend_from_slice(&plane[row * width + span.start..][..span.len()]);
            }
        }
    }
    let of_rows = play(columns, entries, &mut larger)?;

    let mut entries = Vec::with_capacity(planes * rows.len());
    for plane in of_rows.chunks(used.len() * out_width) {
        for i in 0..out_height {
            let span = window.row_span(i);
            let first = used.partition_point(|&row| row < span.start);
            for j in 0..out_width {
                let rows = (first..first + span.len()).map(|row| plane[row * out_width + j]);
                entries.extend(rows);
            }
        }
    }
    play(rows, entries, &mut larger)
}

/// The tournaments of a plane along its rows, then along its columns.
fn brackets(window: &Pool2d) -> [Bracket; 2] {
    let [out_height, out_width] = window.output_shape();
    let row: Vec<usize> = (0..out_width)
        .map(|j| window.column_span(j).len())
        .collect();
    let rows = (0..out_height).flat_map(|i| vec![window.row_span(i).len(); out_width]);
    [
        Bracket::new(row.repeat(window.used_rows().len())),
        Bracket::new(rows.collect()),
    ]
}

/// Round after round until each group has its winner.
fn play<T: Copy, E>(
    mut bracket: Bracket,
    mut values: Vec<T>,
    larger: &mut impl FnMut(&[T], &[T]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    while !bracket.is_over() {
        let pairs = bracket
            .firsts(values.len())
            .map(|i| (values[i], values[i + 1]));
        let (a, b): (Vec<T>, Vec<T>) = pairs.unzip();
        values = bracket.advance(&values, &larger(&a, &b)?);
        bracket = bracket.next();
    }
    Ok(values)
}
