//! The largest value of every window.

use ring_arith::{Bits, slices};
use sharing::{Party, Rounds};

use crate::kernel::bracket::{self, Bracket};
use crate::{Error, Pool2d, Prices, Relu};

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
/// **Cost.** A stage of a tournament is one [`Relu`] on all its matches, and there are ceil(log2 width) +
/// ceil(log2 height) stages. A window of w × h takes (w − 1)·u + h − 1 matches where u is the number of rows it does
/// not share with the window above.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MaxPool {
    window: Pool2d,
    bits: Bits,
    relu: Relu,
}

impl MaxPool {
    /// Windows over values of `bits` bits, where one COT has this price.
    #[must_use]
    pub fn new(window: Pool2d, bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let relu = Relu::new(bits, prices);
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
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let mut tournament = Tournament::new(&self.window, x);
        while let Some((a, b)) = tournament.matches() {
            // b + ReLU(a − b).
            let differences = slices::sub(self.bits, &a, &b);
            let mut winners = self.relu.run(party, &differences).await?;
            slices::add_assign(self.bits, &mut winners, &b);
            tournament.decide(&winners);
        }
        Ok(tournament.values)
    }

    /// The rounds of `planes` planes.
    #[must_use]
    pub fn rounds(&self, planes: usize) -> Rounds {
        let [columns, rows] = self.window.groups();
        let stages = bracket::rounds(columns).chain(bracket::rounds(rows));
        stages
            .map(|matches| self.relu.rounds(matches * planes))
            .fold(Rounds::none(), Rounds::then)
    }

    pub(crate) fn clear(&self, x: &[i64]) -> Vec<i64> {
        let mut tournament = Tournament::new(&self.window, x);
        while let Some((a, b)) = tournament.matches() {
            let pairs = a.iter().zip(&b);
            let winners = pairs.map(|(&a, &b)| larger_clear(self.bits, a, b));
            tournament.decide(&winners.collect::<Vec<_>>());
        }
        tournament.values
    }
}

/// The winner of a match: a where the signed a − b mod 2^bits is not negative.
pub(crate) const fn larger_clear(bits: Bits, a: i64, b: i64) -> i64 {
    if bits.to_signed(bits.from_signed(a.wrapping_sub(b))) >= 0 {
        a
    } else {
        b
    }
}

/// The tournaments of every plane, stage by stage.
struct Tournament<'w, T> {
    window: &'w Pool2d,
    /// Those under way: first along the rows.
    bracket: Bracket,
    /// Those along the columns, until they begin.
    columns: Option<Bracket>,
    /// What is left in the tournaments under way.
    values: Vec<T>,
}

impl<'w, T: Copy> Tournament<'w, T> {
    fn new(window: &'w Pool2d, x: &[T]) -> Self {
        let [bracket, columns] = brackets(window);
        let mut tournament = Self {
            window,
            values: row_entries(window, &bracket, x),
            bracket,
            columns: Some(columns),
        };
        tournament.go_on();
        tournament
    }

    /// The two sides of every match of the stage; `None` when all is over.
    fn matches(&self) -> Option<(Vec<T>, Vec<T>)> {
        let values = &self.values;
        let firsts = self.bracket.firsts(values.len());
        (!self.bracket.is_over()).then(|| firsts.map(|i| (values[i], values[i + 1])).unzip())
    }

    /// Ends the stage.
    fn decide(&mut self, winners: &[T]) {
        self.values = self.bracket.advance(&self.values, winners);
        self.bracket = self.bracket.next();
        self.go_on();
    }

    /// From the rows to the columns.
    fn go_on(&mut self) {
        if self.bracket.is_over()
            && let Some(columns) = self.columns.take()
        {
            self.values = column_entries(self.window, &columns, &self.values);
            self.bracket = columns;
        }
    }
}

/// The values of every window column in every used row, of all planes.
fn row_entries<T: Copy>(window: &Pool2d, bracket: &Bracket, x: &[T]) -> Vec<T> {
    let [_, width] = window.input_shape();
    let [_, out_width] = window.output_shape();
    let used = window.used_rows();
    let mut entries = Vec::with_capacity(window.planes(x.len()) * bracket.len());
    for plane in x.chunks(window.input_len()) {
        for &row in &used {
            for j in 0..out_width {
                let span = window.column_span(j);
                entries.extend_from_slice(&plane[row * width + span.start..][..span.len()]);
            }
        }
    }
    entries
}

/// The winners of the rows that meet in every window, of all planes.
fn column_entries<T: Copy>(window: &Pool2d, bracket: &Bracket, of_rows: &[T]) -> Vec<T> {
    let [out_height, out_width] = window.output_shape();
    let used = window.used_rows();
    let plane = used.len() * out_width;
    let mut entries = Vec::with_capacity(of_rows.len() / plane * bracket.len());
    for plane in of_rows.chunks(plane) {
        for i in 0..out_height {
            let span = window.row_span(i);
            let first = used.partition_point(|&row| row < span.start);
            for j in 0..out_width {
                let rows = (first..first + span.len()).map(|row| plane[row * out_width + j]);
                entries.extend(rows);
            }
        }
    }
    entries
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
