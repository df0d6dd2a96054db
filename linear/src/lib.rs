#![doc = include_str!("../README.md")]

mod ahead;
mod batch;
mod bias;
pub mod clear;
mod client_chooses;
mod columns;
mod conv;
mod direct;
mod error;
mod item;
mod layer;
mod local;
mod matmul;
mod prepared;
mod products;
mod protocol;
mod refusal;
mod rlwe;
mod rows;
mod set_up;
mod spec;
pub mod work;

pub use self::rlwe::RingLwe;
pub use ahead::{AheadProtocol, AheadTurn};
pub use batch::{AlikeRows, products_cost, products_work};
pub use bias::add_bias;
pub use client_chooses::ClientChooses;
pub use conv::Conv2d;
pub use direct::Direct;
pub use error::Error;
pub use item::{Item, Rect};
pub use layer::{LayerParameters, LinearLayer, LinearShape};
pub use matmul::MatMul;
pub use prepared::Prepared;
pub use products::Products;
pub use protocol::{LinearAlgorithm, LinearProtocol, Timing, Turn};
pub use refusal::Refusal;
pub use set_up::SetUp;
pub use spec::ConvSpec;
pub use work::Work;

/// What both parties must have in common, by name: AGREEMENT constants, for the digest that the handshake compares.
pub const AGREEMENT: &[(&str, u64)] = &[("linear ring-LWE plans", rlwe::PLANS)];

/// Holds the example of the page for those who add a back-end.
#[cfg(doctest)]
#[doc = include_str!("../docs/backends.md")]
struct Backends;
