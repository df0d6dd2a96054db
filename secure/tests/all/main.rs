//! The tests of this crate, in one binary.

mod algorithms;
mod chestnet;
mod densenet;
mod mobile_block;
mod model_file;
mod preact;
mod random;
mod rescale;
mod resnet20;
mod secure_resnet20;
mod tiled_networks;
