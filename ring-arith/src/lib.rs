#![doc = include_str!("../README.md")]

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
