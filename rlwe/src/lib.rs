#![doc = include_str!("../README.md")]

mod format;
#[allow(dead_code, unused_imports, reason = "the scheme comes to use them")]
mod ntt;
mod set;

#[doc(hidden)]
pub use ntt::bench;

pub use format::{Demand, Format};
pub use set::{DEGREE, Set};
