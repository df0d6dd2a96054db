#![doc = include_str!("../README.md")]

mod accuracy;
mod calibrate;
mod equalise;
mod error;
mod extensions;
mod grids;
mod lower;
mod options;
mod preact;
mod proof;
mod quantise;
mod ranges;
mod report;
mod rescale;
mod rounding;
mod scales;
mod variants;
mod widths;

pub use accuracy::{WeightBits, WidthReport};
pub use error::Error;
pub use options::{ImportOptions, Preset, Rounding};
pub use quantise::quantise;
pub use ranges::Ranges;
pub use report::ImportReport;
pub use widths::LayerWidths;
