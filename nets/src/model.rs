//! Models: an integer network with what belongs to it, and the file that holds them.

pub(crate) mod calibration;
mod decimal;
pub(crate) mod file;
pub(crate) mod geometry;
pub(crate) mod grid;
pub(crate) mod opening;
pub(crate) mod part;
pub(crate) mod preprocess;
pub(crate) mod public;
pub(crate) mod resize;
pub(crate) mod source;
