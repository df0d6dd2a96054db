#![doc = include_str!("../README.md")]

mod automorphism;
mod client;
mod convert;
mod crt;
mod encode;
mod error;
mod format;
mod ntt;
mod number;
mod pack;
mod product;
mod public;
mod random;
mod respond;
mod ring;
mod sample;
mod secret;
mod server;
mod set;
mod switch;
#[cfg(test)]
mod tests;
mod wire;

pub use client::ClientKey;
pub use error::Error;
pub use format::{Demand, Format};
#[doc(hidden)]
pub use ntt::bench;
pub use number::{Mask, Masks, Number, Numbers};
pub use pack::Packer;
pub use product::{Accumulator, Ciphertext, Product, Weights};
pub use server::ServerKey;
pub use set::{DEGREE, Set};
