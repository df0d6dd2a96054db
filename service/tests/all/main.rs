//! The tests of this crate, in one binary.

mod ahead;
mod common;
mod hostile;
mod prepared;
mod refusals;
mod sessions;
mod vanishing;
