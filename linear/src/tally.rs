//! The cost of very many vector COTs without looking at each: [`ot::cot_rows_cost`] in closed form.

use channel::{Cost, Role};
use ot::SUPER_TILE;

/// Adds up the cost of COTs of which one party is the sender.
#[derive(Debug)]
pub(crate) struct Tally {
    sender: Role,
    cost: Cost,
    /// Number and bytes of the COTs in the super-tile that is not yet full.
    cots: usize,
    bytes: u64,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new(sender: Role) -> Self {
        Self {
            sender,
            cost: Cost::none(),
            cots: 0,
            bytes: 0,
        }
    }

    /// Adds one COT of each of these sizes, in bytes, `times` times over.
    pub(crate) fn add(&mut self, sizes: &[u64], times: usize) {
        let total: u64 = sizes.iter().sum();
        let mut left = times;
        while left > 0 {
            let whole = ((SUPER_TILE - self.cots) / sizes.len()).min(left);
            self.push(whole * sizes.len(), whole as u64 * total);
            left -= whole;
            if left > 0 {
                sizes.iter().for_each(|&size| self.push(1, size));
                left -= 1;
            }
        }
    }

    pub(crate) fn finish(mut self) -> Cost {
        self.end_tile();
        self.cost
    }

    /// Adds COTs that fit into the super-tile.
    fn push(&mut self, cots: usize, bytes: u64) {
        self.cots += cots;
        self.bytes += bytes;
        if self.cots == SUPER_TILE {
            self.end_tile();
        }
    }

    fn end_tile(&mut self) {
        let cots = self.cots as u64;
        let (server_sends, client_sends) = match self.sender {
            Role::Server => (cots, 0),
            Role::Client => (0, cots),
        };
        let cost = std::mem::take(&mut self.cost)
            .then(Cost::speak(self.sender.peer(), cots.div_ceil(8)))
            .then(Cost::speak(self.sender, self.bytes))
            .with_cots(server_sends, client_sends);
        *self = Self {
            cost,
            ..Self::new(self.sender)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ot::cot_rows_cost;
    use ring_arith::{Bits, packed_len};

    #[test]
    fn equals_the_sum_over_all_cots() {
        let runs = [
            (3, 7, 5),
            (1, 1 << 20, 1),
            (11, 300_000, 3),
            (4, 0, 3),
            (2, 1, 64),
        ];
        for sender in [Role::Server, Role::Client] {
            let mut tally = Tally::new(sender);
            let mut shapes = Vec::new();
            for (len, times, planes) in runs {
                let one: Vec<_> = (0..planes).map(|j| (len, Bits::of(64 - j))).collect();
                let sizes: Vec<u64> = one.iter().map(|&(n, l)| packed_len(n, l) as u64).collect();
                tally.add(&sizes, times);
                shapes.extend((0..times).flat_map(|_| one.clone()));
            }
            let cost = tally.finish();
            assert_eq!(cost, cot_rows_cost(shapes, sender));
            assert_eq!(cost.flights(), 4);
            assert_eq!(Tally::new(sender).finish(), Cost::none());
        }
    }
}
