#![doc = include_str!("../README.md")]

mod analyse;
pub mod clear;
mod error;
mod spatial;
mod spec;

pub use analyse::{Analysis, Layer, Member, Rescale, Widths, analyse};
pub use error::{Error, Warning};
pub use spatial::Spatial;
pub use spec::{Operation, Step, XOp};
