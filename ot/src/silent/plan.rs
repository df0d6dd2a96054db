//! Which sets a pool goes through, and what that costs.

use channel::{Cost, Role};

use super::set::{STEP, SilentSet};
use crate::softspoken;

/// SoftSpokenOT's k for the base of the first set, and for pools with a small demand. AGREEMENT.
pub(super) const BASE_K: u32 = 8;

/// The sets that a pool goes through: each makes the base of the next, and the last one is for the user. None at all means
/// that SoftSpokenOT makes every correlation. AGREEMENT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan(pub(super) &'static [SilentSet]);

/// Demands from here on are alike: the last set has won.
const LARGEST_DEMAND: u64 = 1 << 40;

impl Plan {
    /// The whole way to a set.
    const fn to(set: SilentSet) -> Self {
        use SilentSet::{Large, Medium, Small, SmallTwice};
        Self(match set {
            Small => &[Small],
            SmallTwice => &[Small, SmallTwice],
            Medium => &[Small, Medium],
            Large => &[Small, Large],
        })
    }

    /// The way for a demand, no further than to `set`: the furthest whose traffic is within a sixteenth of the least, since
    /// further sets are better in the long run. The whole way if no demand was announced.
    pub(super) fn for_demand(set: SilentSet, demand: Option<u64>) -> Self {
        let whole = Self::to(set);
        let Some(demand) = demand else { return whole };
        let ways = [whole, Self::to(SilentSet::Small), Self(&[])];
        let bytes = ways.map(|way| {
            way.cost(demand.clamp(1, LARGEST_DEMAND), Role::Server)
                .bytes()
        });
        let least = bytes.into_iter().min().unwrap_or_default();
        let good = bytes.iter().position(|bytes| *bytes <= least + least / 16);
        good.map_or(whole, |i| ways[i])
    }

    /// The exact traffic of the refills until `cots` correlations are drawn.
    pub(super) fn cost(self, cots: u64, sender: Role) -> Cost {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return softspoken::refill_cost(BASE_K, cots, sender);
        };
        if cots == 0 {
            return Cost::none();
        }
        let of_rows =
            |set: SilentSet, cots| Cost::speak(sender, rows(set, cots) * set.row_bytes() as u64);
        let base = softspoken::refill_cost(BASE_K, first.base() as u64, sender);
        let climb =
            |cost: Cost, step: &[SilentSet]| cost.then(of_rows(step[0], step[1].base() as u64));
        self.0
            .windows(2)
            .fold(base, climb)
            .then(of_rows(*last, cots))
    }
}

/// Rows made until so many correlations, at least one, are drawn, with those kept for the next rounds.
const fn rows(set: SilentSet, cots: u64) -> u64 {
    let drawn = cots.div_ceil(STEP as u64) * (STEP / set.row()) as u64;
    drawn + (drawn - 1) / set.usable() as u64 * set.reserve() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use SilentSet::{Large, Medium, Small, SmallTwice};

    #[test]
    fn the_demand_decides_the_way() {
        let way = |demand| Plan::for_demand(Large, Some(demand)).0;
        assert!(way(0).is_empty() && way(1).is_empty() && way(80_000).is_empty());
        assert_eq!(way(110_000), [Small]);
        assert_eq!(way(250_000), [Small]);
        assert_eq!(way(500_000), [Small, Large]);
        assert_eq!(way(u64::MAX), [Small, Large]);
        assert_eq!(Plan::for_demand(Large, None).0, [Small, Large]);
        assert_eq!(Plan::for_demand(SmallTwice, Some(600_000)).0, [Small]);
        assert_eq!(
            Plan::for_demand(SmallTwice, Some(1 << 20)).0,
            [Small, SmallTwice]
        );
        assert_eq!(Plan::for_demand(Medium, Some(1 << 30)).0, [Small, Medium]);
        assert_eq!(Plan::for_demand(Small, Some(1 << 30)).0, [Small]);
    }

    #[test]
    fn more_demand_never_costs_less() {
        let bytes = |n: u64| {
            Plan::for_demand(Large, Some(n))
                .cost(n, Role::Client)
                .bytes()
        };
        let costs: Vec<u64> = (0..3000).map(|i| bytes(i * 997)).collect();
        assert!(costs.is_sorted());
        assert!(bytes(500_000) <= 300_000);
    }

    #[test]
    fn rows_of_a_round_are_counted_with_those_kept() {
        let row = Small.row() as u64;
        for (drawn, made) in [(4, 4), (680, 680), (684, 772), (1360, 1448), (1364, 1540)] {
            assert_eq!(rows(Small, drawn * row), made);
            assert_eq!(rows(Small, drawn * row - 4095), made);
        }
    }
}
