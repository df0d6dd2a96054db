#![doc = include_str!("../README.md")]

mod and;
mod and_each;
mod arithmetic;
mod b2a;
mod bit_products;
mod boolean;
mod cross;
mod error;
pub mod ideal;
mod meter;
mod mul;
mod mux;
mod party;
mod prg;
mod random_bits;
mod random_products;
mod rounds;
mod scale_rows;
mod session;
mod triples;

pub use and::{And, AndLevel};
pub use and_each::AndEach;
pub use arithmetic::{Input, Open, Reveal};
pub use b2a::B2a;
pub use bit_products::{BitProducts, Factors};
pub use boolean::{OpenBits, RevealBits, input_bits};
pub use error::Error;
pub use mul::Mul;
pub use mux::Mux;
pub use ot::{CotPrice, Extension, default_extension};
pub use party::{Later, Party};
pub use prg::Prg;
pub use random_bits::RandomBits;
pub use rounds::Rounds;
pub use scale_rows::ScaleRows;
pub use session::Session;
