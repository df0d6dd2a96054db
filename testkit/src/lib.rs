#![doc = include_str!("../README.md")]

mod mangle;
mod parties;
mod random;
mod sessions;
mod transcript;

pub use mangle::{Harm, Mangle, memory_pair_mangled};
pub use parties::{run_2pc, run_over, run_tcp};
pub use random::{
    TestRng, bits, edges, elements, reconstruct, reconstruct_bits, rng, seed, share, share_bits,
};
pub use sessions::{ideal_session, run_sessions, run_sessions_over, run_sessions_real};
pub use transcript::Transcript;
