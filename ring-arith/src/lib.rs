//! Arithmetic modulo 2^l for l from 1 to 64, on words and slices, without parties or channels.
//!
//! An element of Z_2^l is a machine word (`u32` where l <= 32, else `u64`, see [`Word`]) that is
//! *canonical*: all bits from l upwards are zero. [`Bits`] names l. On top of that the crate offers
//! exact l-bit [`pack`]ing, bit vectors ([`BitVec`]), fixed point ([`Fixed`]), fused slice kernels
//! ([`slices`]) and wrapping matrix products ([`gemm()`]). Hot loops are compiled a second time
//! for AVX2 and chosen at run time, those of other crates through [`dispatch`]; results never depend
//! on which copy ran.
//!
//! ```
//! use ring_arith::{Bits, pack, packed_len, slices, unpack};
//!
//! let bits = Bits::of(13);
//! let x: Vec<u64> = (0..100).map(|i| bits.from_signed(i - 50)).collect();
//! let y = slices::add(bits, &x, &x);
//! let mut wire = vec![0; packed_len(y.len(), bits)];
//! pack(&y, bits, &mut wire);
//! let mut back = vec![0; y.len()];
//! unpack(&wire, bits, &mut back);
//! assert_eq!(back, y);
//! assert_eq!(bits.to_signed(back[0]), -100);
//! ```
//!
//! The vertical (lane-interleaved) packing follows the layout idea of Lemire and Boytsov,
//! "Decoding billions of integers per second through vectorization" (arXiv 1209.2137).

mod backend;
mod bits;
mod bitvec;
mod error;
mod fixed;
mod gemm;
mod pack;
pub mod slices;
mod word;

pub use backend::{Kernel, dispatch};
pub use bits::Bits;
pub use bitvec::BitVec;
pub use error::Error;
pub use fixed::Fixed;
pub use gemm::{Weight, gemm, gemm_parallel, matmul};
pub use pack::{PACK_BLOCK, pack, packed_len, unpack};
pub use word::Word;
