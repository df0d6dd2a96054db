//! Cost and work of batches of products of which only the sizes are known.

use channel::{Cost, Role};
use ot::{RowRun, RowTally};
use ring_arith::Bits;

use crate::{Work, work};

/// Rows of x that are alike: what [`Products`](crate::Products) pays for them depends on nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain sizes")]
pub struct AlikeRows {
    /// Number of rows.
    pub rows: usize,
    /// Elements of each.
    pub len: usize,
    /// Weights that meet each row: the rows of the server's matrix.
    pub m: usize,
    /// Width of the weights.
    pub weight_bits: Bits,
    /// Width of the ring.
    pub bits: Bits,
}

impl AlikeRows {
    /// Number of multiplications.
    #[must_use]
    pub const fn macs(&self) -> u64 {
        self.rows as u64 * self.len as u64 * self.m as u64
    }

    /// The COTs of one row.
    pub(crate) fn run(&self) -> RowRun {
        RowRun {
            len: self.len,
            bits: self.bits,
            planes: self.weight_bits.min(self.bits).get(),
            times: self.m,
        }
    }
}

/// The exact cost of a batch of products with these rows in this order, without making the batch. Rows without
/// elements cost nothing.
#[must_use]
pub fn products_cost(batch: &[AlikeRows]) -> Cost {
    let mut tally = RowTally::new(Role::Client);
    let paid = || batch.iter().filter(|rows| rows.len > 0);
    // In the order of the batch: first the COTs in words of 32 bits.
    for rows in paid().filter(|rows| rows.bits.get() <= 32) {
        tally.add(&[rows.run()], rows.rows);
    }
    for rows in paid().filter(|rows| rows.bits.get() > 32) {
        tally.add(&[rows.run()], rows.rows);
    }
    tally.finish()
}

/// What the processors of both parties do for a batch of products with these rows and this cost.
#[must_use]
pub fn products_work(batch: &[AlikeRows], cost: &Cost) -> Work {
    let words = |rows: &AlikeRows| rows.macs() * words(rows.weight_bits.get(), rows.bits.get());
    let words = batch.iter().map(words).sum();
    Work::of([(work::ROWS, cost.cots.total()), (work::WORDS, words)])
}

/// Words of 32 bits in the messages for one product.
pub(crate) fn words(choosing_bits: u32, bits: u32) -> u64 {
    u64::from(choosing_bits.min(bits)) * if bits <= 32 { 1 } else { 2 }
}
