//! What the processors do for a protocol, counted.

use std::collections::BTreeMap;

/// Correlated OTs with a vector message each.
pub const ROWS: &str = "row";
/// Words of 32 bits in these messages; two for a number of a ring wider than that.
pub const WORDS: &str = "word";
/// Values that local transforms make.
pub const ELEMENTS: &str = "element";
/// Correlated OTs of other protocols.
pub const COTS: &str = "cot";
/// Bytes of other protocols.
pub const BYTES: &str = "byte";

/// Work by its unit: what a processor does, counted before the run, for whoever knows what a unit
/// takes. A back-end with another kind of work brings its own unit.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Work(BTreeMap<&'static str, u64>);

impl Work {
    /// So many of these units.
    #[must_use]
    pub fn of<const N: usize>(counts: [(&'static str, u64); N]) -> Self {
        let mut work = Self::default();
        for (unit, count) in counts {
            *work.0.entry(unit).or_default() += count;
        }
        work
    }

    /// How many of a unit.
    #[must_use]
    pub fn get(&self, unit: &str) -> u64 {
        self.0.get(unit).copied().unwrap_or(0)
    }

    /// Units and how many of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(&unit, &count)| (unit, count))
    }

    /// Both.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (unit, count) in other.iter() {
            *self.0.entry(unit).or_default() += count;
        }
        self
    }
}
