//! The tests of this crate, in one binary.

mod backbones;
mod replace;
mod state_dict;
mod x_backbones;
