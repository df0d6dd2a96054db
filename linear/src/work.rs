//! Counts of what the processors do in a protocol.

use std::collections::BTreeMap;

/// Unit: a correlated OT of a linear layer, which carries a vector.
pub const ROWS: &str = "row";
/// Unit: a word of 32 bits in such a vector; an element of a ring of more than 32 bits counts as two.
pub const WORDS: &str = "word";
/// Unit: a value that a local transform makes.
pub const ELEMENTS: &str = "element";
/// Unit: a correlated OT of a protocol that is not linear.
pub const COTS: &str = "cot";
/// Unit: a byte of a protocol that is not linear.
pub const BYTES: &str = "byte";

/// What the processors do in a run, as counts of units, known before the run. How long a unit takes is
/// up to a model of the processor. A back-end with another kind of work defines a unit of its own.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Work(BTreeMap<&'static str, u64>);

impl Work {
    /// Work of these counts of units.
    #[must_use]
    pub fn of<const N: usize>(counts: [(&'static str, u64); N]) -> Self {
        let mut work = Self::default();
        for (unit, count) in counts {
            *work.0.entry(unit).or_default() += count;
        }
        work
    }

    /// The count of a unit.
    #[must_use]
    pub fn get(&self, unit: &str) -> u64 {
        self.0.get(unit).copied().unwrap_or(0)
    }

    /// The units and their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(&unit, &count)| (unit, count))
    }

    /// The sum of two kinds of work.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (unit, count) in other.iter() {
            *self.0.entry(unit).or_default() += count;
        }
        self
    }
}
