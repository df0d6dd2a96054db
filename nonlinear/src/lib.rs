//! Non-linear functions of values shared between two parties: comparison, `ReLU`, max-pool, arg-max,
//! clipping, hard-swish, and the truncations and extensions that move values between rings.
//!
//! Values are additive shares x = x_S + x_C mod 2^l in canonical `u64` words, bits are XOR shares in
//! [`ring_arith::BitVec`]. Every protocol is a small value of public parameters with
//! `run(&mut Session, …)`, which both parties call in lock-step, and `cost(n)`, which says before
//! the run what it will have said and drawn, byte for byte. Its result is the function in [`clear`]
//! for every input, whatever overflows; where an input must be in a range for that, the type says so.
//! The price of a COT, `sharing::Session::cot_price`, is given to the constructors, and decides how
//! comparisons are cut into digits.
//!
//! ```
//! use nonlinear::{Relu, TruncFaithful};
//! use ring_arith::Bits;
//! use testkit::{reconstruct, rng, run_sessions, share};
//!
//! let bits = Bits::of(32);
//! let x = [-3000, -1, 0, 4095, 4096, 1_000_000].map(|x| bits.from_signed(x));
//! let (at_server, at_client) = share(&x, bits, &mut rng(1));
//!
//! let layer = |s: &mut sharing::Session, x: &[u64]| {
//!     let x = Relu::new(bits, s.cot_price()).run(s, x)?;
//!     TruncFaithful::new(bits, 12, s.cot_price()).run(s, &x)
//! };
//! let (server, client, _cost) =
//!     run_sessions(7, |s| layer(s, &at_server), |s| layer(s, &at_client));
//! assert_eq!(reconstruct(&server?, &client?, bits), [0, 0, 0, 0, 1, 244]);
//! # Ok::<(), nonlinear::Error>(())
//! ```
//!
//! # Memory and flights
//!
//! A call has the same number of flights for one value as for a million. It holds less than a
//! hundred bytes per value at a time (a [`HardSwish`] some hundreds), input and output included; callers with more values than fit
//! cut them.
//!
//! # Papers
//!
//! - \[RRK+20\] Rathee, Rathee, Kumar, Chandran, Gupta, Rastogi, Sharma, "CrypTFlow2: Practical 2-Party
//!   Secure Inference" (arXiv 2010.06457): comparison, `DReLU`, truncation.
//! - \[RRG+21\] Rathee, Rathee, Goli, Gupta, Sharma, Chandran, Rastogi, "SiRNN: A Math Library for Secure
//!   RNN Inference" (arXiv 2105.04236): extension, truncate-and-reduce, known signs.
//! - \[HLHD22\] Huang, Lu, Hong, Ding, "Cheetah: Lean and Fast Secure Two-Party Deep Neural Network
//!   Inference" (eprint 2022/207): truncation of values of known sign.

mod argmax;
mod chunked;
pub mod clear;
mod clip;
mod digits;
mod drelu;
mod error;
mod extend;
mod hard_swish;
mod kernel;
mod leaves;
mod maxpool;
mod millionaires;
mod pool2d;
mod relu;
mod signed_relu;
mod truncate;
mod wrap;

pub use argmax::{ArgMax, Winner};
pub use chunked::Chunked;
pub use clip::Clip;
pub use digits::Digits;
pub use drelu::Drelu;
pub use error::Error;
pub use extend::{Range, SignExtend, ZeroExtend};
pub use hard_swish::HardSwish;
pub use maxpool::MaxPool;
pub use millionaires::{Comparison, Millionaire, SplitMillionaire};
pub use pool2d::Pool2d;
pub use relu::Relu;
pub use signed_relu::{ChannelSigns, SignedRelu};
pub use truncate::{TruncFaithful, TruncReduce};

/// What both parties must have in common, by name: AGREEMENT constants, for the digest that the
/// handshake compares.
pub const AGREEMENT: &[(&str, u64)] = &[("nonlinear leaf tile", leaves::TILE as u64)];
