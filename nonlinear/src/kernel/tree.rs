//! The shape of a comparison's tree: which nodes meet at which level.
//!
//! A node stands for consecutive digits and carries ("greater", "equal"); the lowest one carries
//! only "greater". Two neighbours meet in one AND gate each for "greater" and "equal", with the
//! higher node's "equal" as the common operand; the lowest node needs only the first gate.

/// The list of nodes that one level of the tree finds, lowest first. There are at least two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    /// Nodes that belong to the low part. Once it is a single one, it meets the rest.
    pub(crate) low: usize,
    /// All nodes.
    pub(crate) nodes: usize,
}

impl Level {
    /// Indices (lower, higher) of the nodes that meet, ascending. The first meeting is the one of
    /// the lowest node, the only one that needs a single gate.
    pub(crate) fn meetings(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let split = if self.low > 1 { self.low } else { 0 };
        let neighbours =
            |from: usize, to: usize| (from..to.saturating_sub(1)).step_by(2).map(|i| (i, i + 1));
        neighbours(0, split).chain(neighbours(split, self.nodes))
    }

    /// Meetings that need both gates.
    pub(crate) fn pairs(&self) -> usize {
        self.meetings().count() - 1
    }
}

/// The levels of the tree over `low + high` leaves in which the `low` lowest ones have a node of
/// their own.
///
/// Neighbours meet in pairs from below, so the lowest node takes part in every level: it is the
/// cheap one.
pub(crate) fn levels(low: usize, high: usize) -> Vec<Level> {
    let mut levels = Vec::new();
    let (mut low, mut high) = (low, high);
    while low + high > 1 {
        let nodes = low + high;
        levels.push(Level { low, nodes });
        (low, high) = if low > 1 {
            (low.div_ceil(2), high.div_ceil(2))
        } else {
            (0, nodes.div_ceil(2))
        };
    }
    levels
}

/// Bits opened per comparison, both ways together: 3 each way for two gates that share an operand,
/// 2 for a single gate.
pub(crate) fn bits(levels: &[Level]) -> u64 {
    levels
        .iter()
        .map(|level| 6 * level.pairs() as u64 + 4)
        .sum()
}

/// COTs per comparison, both directions together: one each way for a meeting.
pub(crate) fn cots(levels: &[Level]) -> u64 {
    levels
        .iter()
        .map(|level| 2 * level.pairs() as u64 + 2)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows the nodes as intervals of digits.
    fn check(low: usize, high: usize) {
        let mut nodes: Vec<(usize, usize)> = (0..low + high).map(|i| (i, i + 1)).collect();
        let mut low_seen = low <= 1;
        for level in levels(low, high) {
            assert_eq!(level.nodes, nodes.len());
            let mut next = nodes.clone();
            for (k, (lower, higher)) in level.meetings().enumerate() {
                assert_eq!(
                    nodes[lower].0 == 0,
                    k == 0,
                    "only the first meets the lowest"
                );
                assert_eq!(nodes[lower].1, nodes[higher].0, "neighbours");
                next[lower].1 = nodes[higher].1;
                next[higher] = (0, 0);
            }
            next.retain(|node| node.1 > 0);
            assert!(next.len() < nodes.len());
            nodes = next;
            low_seen |= nodes[0] == (0, low);
        }
        assert!(
            low_seen,
            "{low} low digits must meet before the others join"
        );
        assert_eq!(nodes, vec![(0, low + high)]);
    }

    #[test]
    fn every_digit_is_used_once_and_the_low_part_has_its_node() {
        for low in 0..20 {
            for high in 0..20 {
                if low + high > 0 {
                    check(low, high);
                }
            }
        }
    }

    #[test]
    fn depth_is_logarithmic() {
        for high in 1..=64usize {
            let depth = levels(0, high).len();
            assert_eq!(depth, high.next_power_of_two().trailing_zeros() as usize);
            for low in 1..=64 - high {
                let bound = low
                    .next_power_of_two()
                    .trailing_zeros()
                    .max(high.next_power_of_two().trailing_zeros());
                assert!(levels(low, high).len() <= bound as usize + 1);
            }
        }
    }
}
