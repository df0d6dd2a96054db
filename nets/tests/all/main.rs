//! The tests of this crate, in one binary.

mod folding;
mod generators;
mod graph;
mod products;
mod resize;
