#![doc = include_str!("../README.md")]

mod format;
mod set;

pub use format::{Demand, Format};
pub use set::{DEGREE, Set};
