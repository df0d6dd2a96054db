//! Convolutions and matrix products of the server's weights with shared activations, by oblivious
//! transfer.
//!
//! Everything is a view of one operation, [`Products`]: a batch of products of a server matrix
//! with a shared matrix, each with its own weight width and ring. [`Conv2d`] and [`MatMul`] only
//! compute which elements meet. Weights cost in their *own* width, and
//! products with padding cost nothing: for w-bit weights and an l-bit ring a multiplication takes
//! Σ_{j<w} (l−j) bits of traffic. [`clear`] has the same functions on clear integers.
//!
//! ```
//! use linear::{Conv2d, ConvSpec, clear};
//! use ndarray::Array4;
//! use ring_arith::Bits;
//! use testkit::run_sessions;
//!
//! // Two channels of 4 x 4 to three, 3 x 3, padded by one.
//! let spec = ConvSpec::new([2, 3], [4, 4], [3, 3], [1, 1], [1; 4], 1)?;
//! let conv = Conv2d { spec, weight_bits: Bits::of(5), bits: Bits::of(20) };
//! let weights = Array4::from_shape_fn((3, 2, 3, 3), |(o, c, ..)| o as i32 * 7 - c as i32);
//! let at_client = Array4::from_shape_fn((1, 2, 4, 4), |(_, c, i, j)| (c + 3 * i + j) as u64);
//! let at_server = Array4::from_elem((1, 2, 4, 4), 1000);
//!
//! let (ys, yc, cost) = run_sessions(
//!     1,
//!     |s| conv.run_server(s, weights.view(), at_server.view()).unwrap(),
//!     |s| conv.run_client(s, at_client.view()).unwrap(),
//! );
//! let x = &at_client + &at_server;
//! let y = (ys + yc).mapv(|y| conv.bits.reduce(y));
//! assert_eq!(y, clear::conv2d(&spec, conv.bits, weights.view(), x.view()));
//! assert_eq!(cost, conv.cost()?);
//! # Ok::<(), linear::Error>(())
//! ```
//!
//! - [RRK+20] Rathee, Rathee, Kumar, Chandran, Gupta, Rastogi, Sharma. *CrypTFlow2: Practical
//!   2-Party Secure Inference*. CCS 2020, arXiv 2010.06457 (linear layers by COT).

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
mod products;
mod protocol;
mod rows;
mod spec;
mod tally;
pub mod work;

pub use bias::add_bias;
pub use client_chooses::ClientChooses;
pub use conv::Conv2d;
pub use direct::{Direct, products_work};
pub use error::Error;
pub use item::{Item, Rect};
pub use layer::{LayerParameters, LinearLayer, LinearShape};
pub use matmul::MatMul;
pub use products::Products;
pub use protocol::{AheadProtocol, LinearAlgorithm, LinearProtocol, Prepared, Refusal};
pub use spec::ConvSpec;
pub use work::Work;
