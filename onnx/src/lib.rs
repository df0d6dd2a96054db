#![doc = include_str!("../README.md")]

mod array;
mod context;
mod decode;
mod error;
mod external;
mod finish;
mod load;
mod node;
mod ops;
mod value;
mod wire;

pub use error::{Error, Unsupported};
pub use load::{MAX_FILE_BYTES, Network, OPSETS, from_bytes, load};
