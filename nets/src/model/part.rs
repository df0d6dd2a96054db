//! Several outputs of one network.

use serde::{Deserialize, Serialize};

use super::public::Head;

/// One of several outputs of a network: a part of the values that it computes, with a head of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "readers of networks build it")]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How many values it has.
    pub outputs: usize,
    /// How these become probabilities.
    pub head: Head,
}
