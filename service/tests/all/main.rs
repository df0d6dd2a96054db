//! The tests of this crate, in one binary.

mod ahead;
mod audit;
mod common;
mod fair;
mod host;
mod hostile;
mod measuring;
mod prepared;
mod refusals;
mod sessions;
mod tokens;
mod vanishing;
