//! Exact, narrow Winograd convolution of shared images with the server's weights.
//!
//! A convolution with a 3 × 3 or 5 × 5 kernel and stride 1 takes a third to a half of the traffic
//! of the direct one, [`linear::Conv2d`], and gives the same integers: [`WinogradConv`] returns
//! shares of 2^g times the convolution in a ring that is wider by the tile's g guard bits, which
//! the truncation after it removes. [`clear`] does the same on clear integers.
//!
//! ```
//! use linear::ConvSpec;
//! use ndarray::Array4;
//! use ring_arith::Bits;
//! use testkit::run_sessions;
//! use winograd::{Tile, WinogradConv};
//!
//! // Two channels of 8 x 8 to three, 3 x 3, padded by one, results of 20 bits.
//! let spec = ConvSpec::new([2, 3], [8, 8], [3, 3], [1, 1], [1; 4], 1)?;
//! let conv = WinogradConv::new(spec, Tile::F4x4_3x3, Bits::of(5), Bits::of(20))?;
//! let weights = Array4::from_shape_fn((3, 2, 3, 3), |(o, c, ..)| o as i32 * 7 - c as i32);
//! let at_client = Array4::from_shape_fn((1, 2, 8, 8), |(_, c, i, j)| (c + 3 * i + j) as u64);
//! let at_server = Array4::from_elem((1, 2, 8, 8), 1000);
//!
//! let (ys, yc, cost) = run_sessions(
//!     1,
//!     |s| conv.run_server(s, weights.view(), at_server.view()).unwrap(),
//!     |s| conv.run_client(s, at_client.view()).unwrap(),
//! );
//! let x = &at_client + &at_server;
//! let y = (ys + yc).mapv(|y| conv.ring().reduce(y) >> conv.guard_bits());
//! assert_eq!(y, linear::clear::conv2d(&spec, conv.bits(), weights.view(), x.view()));
//! assert_eq!(cost, conv.cost());
//! # Ok::<(), winograd::Error>(())
//! ```
//!
//! - \[LG16\] Lavin, Gray. *Fast Algorithms for Convolutional Neural Networks*. CVPR 2016,
//!   arXiv 1509.09308.
//! - \[GGS+22\] Ganesan, Bhattacharya, Kumar, Gupta, Sharma, Chandran. *Efficient ML Models for
//!   Practical Secure Inference*. arXiv 2209.00411 (Winograd under secret sharing).

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
