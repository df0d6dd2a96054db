//! The tests of this crate, in one binary.

mod acts;
mod curves;
mod folding;
mod generators;
mod graph;
mod hostile;
mod intervals;
mod moves;
mod parts;
mod picks;
mod products;
mod resize;
mod wraps;
