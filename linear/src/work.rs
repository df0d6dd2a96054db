//! Counts of what the processors do in a protocol.

use std::collections::BTreeMap;

/// Unit: a correlated OT of a linear layer, which carries a vector.
pub const ROWS: &str = "row";
/// Unit: a word of 32 bits in such a vector; an element of a ring of more than 32 bits counts as two.
pub const WORDS: &str = "word";
/// Unit: a value that a local transform makes.
pub const ELEMENTS: &str = "element";
/// Unit: a request by ring-LWE, modulo one prime: its encryption and its transform.
pub const RLWE_REQUESTS: &str = "rlwe request";
/// Unit: a pass of the transform of a weight polynomial, modulo one prime.
pub const RLWE_PASSES: &str = "rlwe pass";
/// Unit: the product of a ciphertext with a weight polynomial, both transformed, modulo one prime.
pub const RLWE_PRODUCTS: &str = "rlwe product";
/// Unit: the product of a ciphertext with a weight, modulo one prime.
pub const RLWE_SCALED: &str = "rlwe scaled";
/// Unit: a sum of such products that is transformed back, modulo one prime.
pub const RLWE_SUMS: &str = "rlwe sum";
/// Unit: a key switch that packs results, modulo one prime.
pub const RLWE_MERGES: &str = "rlwe merge";
/// Unit: a response, modulo one prime: made by the server, and turned into shares by the client.
pub const RLWE_RESPONSES: &str = "rlwe response";
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
