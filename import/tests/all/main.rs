//! The tests of this crate, in one binary.

mod grids;
mod import;
mod judged;
mod model_file;
mod moves;
mod preact;
mod resnet20;
mod size;
mod standardise;
