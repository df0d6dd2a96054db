//! A float network with what belongs to it.

use super::part::Part;
use super::preprocess::Preprocessing;
use super::public::Head;
use crate::FloatModel;

/// A float network with its preprocessing, labels and head: what the crate `import` quantises.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "other readers of networks build it"
)]
pub struct Source {
    /// The name of the network's architecture.
    pub arch: String,
    /// The network.
    pub float: FloatModel,
    /// What happens to a picture before it.
    pub preprocessing: Preprocessing,
    /// The names of the outputs.
    pub labels: Vec<String>,
    /// How outputs become probabilities.
    pub head: Head,
    /// The network's outputs, one after the other, where it has several; then each has its own head.
    pub parts: Vec<Part>,
}
