//! The tests of this crate, in one binary.

mod ahead;
mod common;
mod fair;
mod hostile;
mod refusals;
mod sessions;
mod vanishing;
