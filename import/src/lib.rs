#![doc = include_str!("../README.md")]

mod accuracy;
mod calibrate;
mod curve;
mod equalise;
mod error;
mod extensions;
mod grids;
mod judge;
mod lower;
mod options;
mod preact;
mod progress;
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
pub use judge::Fault;
pub use options::{ImportOptions, Preset, Rounding};
pub use progress::Progress;
pub use quantise::{Imported, Unrounded, imported, quantise, quantise_observed};
pub use ranges::Ranges;
pub use report::ImportReport;
pub use widths::LayerWidths;
