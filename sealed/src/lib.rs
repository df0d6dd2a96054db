#![doc = include_str!("../README.md")]

mod error;
mod key;
mod object;

pub use error::Error;
pub use key::Key;
pub use object::{MAX_CONTENT, OVERHEAD, is_sealed, open, open_in_place, seal, seal_in_place};
