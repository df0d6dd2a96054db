//! Parameters of the assumption. AGREEMENT, SECURITY.

use crate::Block;

/// Places of the table in one row of the matrix. SECURITY: with fewer, words of low weight appear in the dual code.
pub(super) const SPARSITY: usize = 10;

/// Correlations made at a time: a whole number of rows of every set, large enough that a message for each is cheap, and
/// small enough for the second-level cache. AGREEMENT.
pub(super) const STEP: usize = 4096;

/// Parameters of [`Silent`](super::Silent): how many correlations a round makes of how many.
///
/// A larger set makes a correlation cheaper on the wire and, because its table is larger, dearer to compute. All have the same
/// security.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SilentSet {
    /// About 1.41 bits for a correlation, a table of 1.25 MiB.
    Small,
    /// The small set with two instances side by side, which share the matrix: as many bits, a table of 2.5 MiB, and less
    /// time for each correlation, since one look at the table serves two. For fast networks.
    SmallTwice,
    /// About 0.75 bits, a table of 2.5 MiB.
    Medium,
    /// About 0.40 bits, a table of 5 MiB: for slow networks.
    Large,
}

impl SilentSet {
    /// h: a tree has 2^h leaves. A row has one tree of each instance.
    pub(super) const fn depth(self) -> usize {
        match self {
            Self::Small | Self::SmallTwice => 10,
            Self::Medium => 11,
            Self::Large => 12,
        }
    }

    /// t: rows of a round, and the weight of the noise of an instance.
    pub(super) const fn rows(self) -> usize {
        match self {
            Self::Small | Self::SmallTwice => 768,
            Self::Medium => 1024,
            Self::Large => 1280,
        }
    }

    /// Instances of the assumption that share a matrix.
    pub(super) const fn instances(self) -> usize {
        match self {
            Self::SmallTwice => 2,
            _ => 1,
        }
    }

    /// k: length of a secret, entries of the table. Always 80·2^h: the ratio decides the cost of guessing.
    pub(super) const fn table(self) -> usize {
        80 << self.depth()
    }

    /// Correlations of the table.
    pub(super) const fn in_table(self) -> usize {
        self.instances() * self.table()
    }

    /// Correlations that a round is made of: the table, and one for each level of each tree.
    pub(super) const fn base(self) -> usize {
        self.in_table() + self.instances() * self.rows() * self.depth()
    }

    /// Correlations of a row.
    pub(super) const fn row(self) -> usize {
        self.instances() << self.depth()
    }

    /// Rows at the end of a round that make the base of the next.
    pub(super) const fn reserve(self) -> usize {
        self.base().div_ceil(self.row())
    }

    /// Rows of a round for its user.
    pub(super) const fn usable(self) -> usize {
        self.rows() - self.reserve()
    }

    /// Bytes on the wire for a row: one block for each level of its trees.
    pub(super) const fn row_bytes(self) -> usize {
        self.instances() * self.depth() * size_of::<Block>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SilentSet; 4] = [
        SilentSet::Small,
        SilentSet::SmallTwice,
        SilentSet::Medium,
        SilentSet::Large,
    ];

    #[test]
    fn sets_are_what_they_are() {
        let of = |set: SilentSet| (set.table(), set.base(), set.reserve(), set.usable());
        assert_eq!(of(SilentSet::Small), (81_920, 89_600, 88, 680));
        assert_eq!(of(SilentSet::SmallTwice), (81_920, 179_200, 88, 680));
        assert_eq!(of(SilentSet::Medium), (163_840, 175_104, 86, 938));
        assert_eq!(of(SilentSet::Large), (327_680, 343_040, 84, 1196));
    }

    #[test]
    fn rounds_are_made_of_whole_steps() {
        for set in ALL {
            assert!((set.usable() * set.row()).is_multiple_of(STEP));
            assert!((set.reserve() * set.row()).is_multiple_of(STEP));
            assert_eq!(set.base().div_ceil(STEP), set.reserve() * set.row() / STEP);
        }
    }

    /// The base of a larger set fits into one round of the small one, so a pool climbs in one step.
    #[test]
    fn one_round_of_the_small_set_makes_the_base_of_any_other() {
        for set in &ALL[1..] {
            let small = SilentSet::Small;
            assert!(set.base() <= small.usable() * small.row());
            assert!(set.base().is_multiple_of(small.row()));
        }
    }
}
