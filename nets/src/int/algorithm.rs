//! How a product with weights is computed between two parties, as far as the integers depend on it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name.
const MAX_NAME: usize = 64;

/// An algorithm by its name. Of the algorithm itself a graph knows only its number of guard bits, g: the
/// result is 2^g times the product, in a ring that is g bits wider. Whoever executes the graph finds the
/// protocol by the name, and refuses a graph that names an algorithm it does not have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    name: Cow<'static, str>,
    guard_bits: u32,
}

impl Algorithm {
    /// Every product by itself, in oblivious transfers in which the bits of the weights choose.
    pub const DIRECT: Self = Self::named("direct", 0);

    /// An algorithm with this name and this number of guard bits.
    #[must_use]
    pub const fn named(name: &'static str, guard_bits: u32) -> Self {
        Self {
            name: Cow::Borrowed(name),
            guard_bits,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of bits by which the ring of the result is wider than that of the input.
    #[must_use]
    pub const fn guard_bits(&self) -> u32 {
        self.guard_bits
    }

    /// Whether it is [`Algorithm::DIRECT`].
    #[must_use]
    pub fn is_direct(&self) -> bool {
        *self == Self::DIRECT
    }

    /// Refuses names that are not fit to be shown to people.
    pub(crate) fn check(&self) -> Result<(), String> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(good) {
            return Err("its algorithm has no usable name".into());
        }
        Ok(())
    }
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::DIRECT
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
