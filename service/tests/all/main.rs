//! The tests of this crate, in one binary.

mod ahead;
mod audit;
mod common;
mod damaged;
mod fair;
mod host;
mod hostile;
mod measuring;
mod once;
mod prepared;
mod refusals;
mod sessions;
mod shelves;
mod tokens;
mod vanishing;
