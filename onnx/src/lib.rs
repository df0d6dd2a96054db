#![doc = include_str!("../README.md")]

mod array;
mod context;
mod decode;
mod error;
mod external;
mod fresh;
mod functions;
mod layout;
mod load;
mod node;
mod ops;
mod proto;
mod qlinear;
mod value;
mod wire;

pub use error::{Error, Unsupported};
pub use load::{MAX_FILE_BYTES, Network, OPSETS, Output, from_bytes, load};
pub use ops::{OPERATORS, Operator, operators};
