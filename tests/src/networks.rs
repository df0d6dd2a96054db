//! Networks for tests of several crates: random ones, trained ones, and both parties of a run.

pub mod floats;
pub mod grids;
pub mod ints;
pub mod noise;
pub mod parties;
pub mod partly;
pub mod preact;
pub mod tiles;
pub mod trained;
