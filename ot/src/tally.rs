//! The cost of very many vector COTs without looking at each: [`cot_rows_cost`](crate::cot_rows_cost) in closed
//! form.

use channel::{Cost, Role};
use ring_arith::{Bits, packed_len};

use crate::SUPER_TILE;

/// Consecutive COTs in which the bits of `times` numbers choose, one number after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain sizes")]
pub struct RowRun {
    /// Elements of each COT.
    pub len: usize,
    /// Width of the elements for bit 0; for bit j it is smaller by j.
    pub bits: Bits,
    /// The bits of a number, at most `bits`.
    pub planes: u32,
    /// How many numbers there are.
    pub times: usize,
}

impl RowRun {
    /// COTs.
    const fn rows(&self) -> u64 {
        self.planes as u64 * self.times as u64
    }

    /// Bytes of the COTs for the first `planes` bits of a number.
    fn bytes(&self, planes: u64) -> u64 {
        let widths = (1..=self.bits.get()).rev().zip(0..planes);
        let bytes = widths.map(|(width, _)| packed_len(self.len, Bits::of(width)) as u64);
        bytes.sum()
    }
}

/// Adds up the cost of [`cot_rows`](crate::OtSender::cot_rows) in one direction. It takes time for each
/// super-tile at most, and for fewer where the same ones come again.
///
/// ```
/// use channel::Role;
/// use ot::{RowRun, RowTally, cot_rows_cost};
/// use ring_arith::Bits;
///
/// let run = RowRun { len: 3, bits: Bits::of(7), planes: 2, times: 10 };
/// let mut tally = RowTally::new(Role::Server);
/// tally.add(&[run], 4);
/// let each = (0..4 * 10).flat_map(|_| [(3, Bits::of(7)), (3, Bits::of(6))]);
/// assert_eq!(tally.finish(), cot_rows_cost(each, Role::Server));
/// ```
#[derive(Debug)]
pub struct RowTally {
    sender: Role,
    cost: Cost,
    /// COTs and bytes of the super-tile that is not yet full.
    rows: u64,
    bytes: u64,
}

/// The number of COTs in a full super-tile.
const TILE: u64 = SUPER_TILE as u64;

impl RowTally {
    /// No COT yet.
    #[must_use]
    pub fn new(sender: Role) -> Self {
        Self {
            sender,
            cost: Cost::none(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Adds the COTs of these runs, one run after the other, `times` times over.
    pub fn add(&mut self, runs: &[RowRun], times: usize) {
        let block = Block::new(runs);
        let (mut at, end) = (0, block.rows * times as u64);
        if self.rows > 0 {
            at = end.min(TILE - self.rows);
            self.push(at, block.bytes(0, at));
        }
        let whole = (end - at) / TILE;
        // After so many super-tiles they come again.
        let period = block.rows / gcd(block.rows, TILE);
        let turns = whole.checked_div(period).unwrap_or(0);
        if turns > 1 {
            let mut once = Self::new(self.sender);
            let turn = period * TILE;
            once.add_rows(&block, at, at + turn);
            let all = once.finish().repeat(size(turns));
            self.cost = std::mem::take(&mut self.cost).then(all);
            at += turn * turns;
        }
        self.add_rows(&block, at, end);
    }

    /// The cost of all COTs.
    #[must_use]
    pub fn finish(mut self) -> Cost {
        self.end_tile();
        self.cost
    }

    fn add_rows(&mut self, block: &Block, mut at: u64, end: u64) {
        while at < end {
            let next = end.min(at + TILE - self.rows);
            self.push(next - at, block.bytes(at, next));
            at = next;
        }
    }

    /// Adds COTs that fit into the super-tile.
    fn push(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        if self.rows == TILE {
            self.end_tile();
        }
    }

    fn end_tile(&mut self) {
        let (server_sends, client_sends) = match self.sender {
            Role::Server => (self.rows, 0),
            Role::Client => (0, self.rows),
        };
        let tile = Cost::speak(self.sender.peer(), self.rows.div_ceil(8))
            .then(Cost::speak(self.sender, self.bytes))
            .with_cots(server_sends, client_sends);
        self.cost = std::mem::take(&mut self.cost).then(tile);
        (self.rows, self.bytes) = (0, 0);
    }
}

/// Runs that come again and again, and what lies before each.
struct Block {
    runs: Vec<Run>,
    rows: u64,
    bytes: u64,
}

struct Run {
    run: RowRun,
    /// Bytes for all bits of a number.
    number: u64,
    /// COTs and bytes of the runs before.
    rows_before: u64,
    bytes_before: u64,
}

impl Block {
    fn new(runs: &[RowRun]) -> Self {
        let mut block = Self {
            runs: Vec::with_capacity(runs.len()),
            rows: 0,
            bytes: 0,
        };
        for &run in runs.iter().filter(|run| run.rows() > 0) {
            let number = run.bytes(run.planes.into());
            block.runs.push(Run {
                run,
                number,
                rows_before: block.rows,
                bytes_before: block.bytes,
            });
            block.rows += run.rows();
            block.bytes += number * run.times as u64;
        }
        block
    }

    /// Bytes of the COTs from number `start` to before number `end`.
    fn bytes(&self, start: u64, end: u64) -> u64 {
        self.bytes_before(end) - self.bytes_before(start)
    }

    fn bytes_before(&self, row: u64) -> u64 {
        let Some(turns) = row.checked_div(self.rows) else {
            return 0;
        };
        let row = row % self.rows;
        let place = self.runs.partition_point(|run| run.rows_before <= row) - 1;
        let run = &self.runs[place];
        let (within, planes) = (row - run.rows_before, u64::from(run.run.planes));
        let rest = run.run.bytes(within % planes);
        turns * self.bytes + run.bytes_before + within / planes * run.number + rest
    }
}

#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits here")]
const fn size(n: u64) -> usize {
    n as usize
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cot_rows_cost;

    /// Runs of (elements, bits of a number, numbers) in a ring of 40 bits.
    fn runs(of: &[(usize, u32, usize)]) -> Vec<RowRun> {
        let run = |&(len, planes, times)| RowRun {
            len,
            bits: Bits::of(40),
            planes,
            times,
        };
        of.iter().map(run).collect()
    }

    fn each(runs: &[RowRun], times: usize) -> Vec<(usize, Bits)> {
        let number = |run: &RowRun| -> Vec<_> {
            let width = |j| Bits::of(run.bits.get() - j);
            (0..run.planes).map(|j| (run.len, width(j))).collect()
        };
        let all = runs.iter().flat_map(|run| number(run).repeat(run.times));
        all.collect::<Vec<_>>().repeat(times)
    }

    #[test]
    fn equals_the_sum_over_all_cots() {
        let blocks = [
            (runs(&[(7, 5, 3)]), 1),
            (runs(&[(1, 3, 2), (9, 1, 5), (2, 0, 9), (3, 7, 0)]), 100_000),
            (runs(&[(1, 1, 1 << 21)]), 2),
            (runs(&[(11, 3, 300_000)]), 1),
            (runs(&[(4, 3, 1)]), 3 << 20),
            (runs(&[(5, 31, 1)]), 40),
            (vec![], 5),
        ];
        for sender in [Role::Server, Role::Client] {
            let mut tally = RowTally::new(sender);
            let mut shapes = Vec::new();
            for (block, times) in &blocks {
                tally.add(block, *times);
                shapes.extend(each(block, *times));
            }
            let cost = tally.finish();
            assert!(cost.flights() > 15);
            assert_eq!(cost, cot_rows_cost(shapes, sender));
            assert!(RowTally::new(sender).finish().is_silent());
        }
    }

    #[test]
    fn time_does_not_grow_with_the_number_of_cots() {
        let begin = std::time::Instant::now();
        let mut tally = RowTally::new(Role::Client);
        tally.add(&runs(&[(5, 31, 1)]), 1 << 50);
        tally.add(&runs(&[(1, 29, 3), (2, 40, 7)]), 1 << 40);
        let cost = tally.finish();
        assert_eq!(
            cost.cots.client_sends,
            (31 << 50) + ((29 * 3 + 40 * 7) << 40)
        );
        assert!(begin.elapsed().as_secs_f64() < 1.0);
    }
}
