//! A float network with what travels beside it.

use super::preprocess::Preprocessing;
use super::public::Head;
use crate::FloatModel;

/// A float network with what travels beside it: what is imported.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "other readers of networks build it"
)]
pub struct Source {
    /// The backbone's name.
    pub arch: String,
    /// The network.
    pub float: FloatModel,
    /// What happens to a picture before it.
    pub preprocessing: Preprocessing,
    /// The names of the outputs.
    pub labels: Vec<String>,
    /// How outputs become probabilities.
    pub head: Head,
}
