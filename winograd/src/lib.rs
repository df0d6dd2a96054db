#![doc = include_str!("../README.md")]

pub mod clear;
mod conv;
mod error;
mod filters;
mod grid;
mod kernel;
mod layout;
mod protocol;
mod tile;
mod transform;

pub use conv::WinogradConv;
pub use error::Error;
pub use filters::Filters;
pub use tile::Tile;
