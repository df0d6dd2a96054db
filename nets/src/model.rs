//! Models: an integer network with what belongs to it, and the file that holds them.

mod decimal;
pub(crate) mod file;
pub(crate) mod geometry;
pub(crate) mod levels;
pub(crate) mod opening;
pub(crate) mod preprocess;
pub(crate) mod public;
pub(crate) mod resize;
pub(crate) mod source;
