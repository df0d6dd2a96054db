//! The tests of this crate, in one binary.

mod algorithms;
mod backbones;
mod bounds;
mod chestnet;
mod dense;
mod densenet;
mod grids;
mod imported;
mod mobile_block;
mod openings;
mod preact;
mod prices;
mod random;
mod ranges;
mod rescale;
mod resnet20;
mod ring_lwe;
mod savings;
mod sessions;
mod size;
mod stock;
mod tiled_networks;
mod wire;
