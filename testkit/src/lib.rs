#![doc = include_str!("../README.md")]

#[cfg(unix)]
mod database;
mod linear_layers;
mod mangle;
mod middle_box;
mod noisy;
mod parties;
mod random;
mod sessions;
mod transcript;

#[cfg(unix)]
pub use database::Database;
pub use linear_layers::{
    any_conv, any_linear_layer, check_linear, check_linear_real, linear_reference,
    linear_transcript, weights,
};
pub use mangle::{Harm, Mangle, memory_pair_mangled};
pub use middle_box::MiddleBox;
pub use noisy::Noisy;
pub use parties::{run_2pc, run_over, run_tcp};
pub use random::{
    TestRng, bits, edges, elements, reconstruct, reconstruct_bits, rng, seed, share, share_bits,
};
pub use sessions::{ideal_session, run_sessions, run_sessions_over, run_sessions_real};
pub use transcript::Transcript;
