//! Networks of integers: what the two parties compute, and all that both may know of it.
//!
//! Every tensor is signed integers of a declared width and scale ([`crate::TensorType`]); every operation
//! is defined on *all* inputs, overflow included, because everything is reduced modulo 2^l. Weights
//! are not in the graph but in [`crate::PrivateWeights`].

pub(crate) mod algorithm;
pub(crate) mod executor;
pub(crate) mod interval;
pub(crate) mod op;
pub(crate) mod pieces;
mod reference;
pub(crate) mod rewrite;
pub(crate) mod types;
pub(crate) mod weights;
