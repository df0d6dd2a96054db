//! Arithmetic and boolean secret shares between two parties, the protocols that compute on them,
//! and the [`Session`] in which they run.
//!
//! A value x mod 2^l is shared as x = x_S + x_C mod 2^l, the server's share and the client's; a
//! vector of shares is a slice of `u64`, every element below 2^l. A bit is shared as
//! b = b_S ⊕ b_C, vectors of them packed in [`BitVec`](ring_arith::BitVec). Sums, xors and public
//! factors are local. Products go through oblivious transfer, a session's in both directions.
//!
//! A protocol is a value of its public parameters: `run` is what a party does, and the peer does
//! the same at the same time; `cost` is exactly what that takes. Both parties are semi-honest. This
//! crate does not know neural networks, nor which OT extension it runs on above the set-up.
//!
//! ```
//! use ring_arith::{BitVec, Bits};
//! use sharing::{Error, Mux, Session};
//! use testkit::{reconstruct, rng, run_sessions, share, share_bits};
//!
//! let bits = Bits::of(12);
//! let mux = Mux { bits };
//! let rng = &mut rng(1);
//! let x: Vec<u64> = (0..100).collect();
//! let odd = BitVec::lsb_of(&x);
//! let (xs, xc) = share(&x, bits, rng);
//! let (bs, bc) = share_bits(&odd, rng);
//!
//! let (zs, zc, cost) = run_sessions(
//!     1,
//!     |server| mux.run(server, &bs, &xs),
//!     |client| mux.run(client, &bc, &xc),
//! );
//! let z = reconstruct(&zs?, &zc?, bits);
//! assert_eq!(z[..6], [0, 1, 0, 3, 0, 5]);
//! assert_eq!(cost, mux.cost(100));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Papers
//!
//! - \[RRK+20\] Rathee et al., *`CrypTFlow2`: Practical 2-Party Secure Inference*, arXiv 2010.06457:
//!   AND pairs, B2A, mux.
//! - \[ALSZ13\] Asharov, Lindell, Schneider, Zohner, *More Efficient Oblivious Transfer and
//!   Extensions for Faster Secure Computation*, eprint 2013/552: COT, triples from random OTs.
//! - \[Gilboa99\] Gilboa, *Two Party RSA Key Generation*, CRYPTO 1999: products by OT.
//! - \[Beaver91\] Beaver, *Efficient Multiparty Protocols Using Circuit Randomization*, CRYPTO 1991.
//! - \[RRG+21\] Rathee et al., *SiRNN: A Math Library for Secure RNN Inference*, arXiv 2105.04236: factors
//!   of different widths.
//! - \[Roy22\] Roy, *`SoftSpokenOT`*, eprint 2022/192: what a session is set up with.

mod and;
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
mod prg;
mod scale_rows;
mod session;
mod triples;

pub use and::{And, AndLevel};
pub use arithmetic::{Input, Open, Reveal};
pub use b2a::B2a;
pub use bit_products::BitProducts;
pub use boolean::{OpenBits, RevealBits, input_bits};
pub use error::Error;
pub use mul::Mul;
pub use mux::Mux;
pub use ot::{CotPrice, Extension, default_extension};
pub use scale_rows::ScaleRows;
pub use session::Session;
