//! Runs both parties of a protocol in one process, for tests and benches.
//!
//! Lines are small and bounded, so that a protocol that relies on buffering hangs here, and ends in
//! a time-out, before it does so in production. Panics if anything goes wrong: that is what a test
//! wants. Nothing here is for use outside tests. [`check_linear`] is the one test that every way to
//! compute a linear layer has to pass.
//!
//! ```
//! use ring_arith::Bits;
//! use testkit::{elements, reconstruct, rng, run_sessions, share};
//!
//! // "Protocol": each party sends its share to the other.
//! let bits = Bits::of(13);
//! let mut rng = rng(1);
//! let x = elements(100, bits, &mut rng);
//! let (at_server, at_client) = share(&x, bits, &mut rng);
//! let swap = |session: &mut sharing::Session, share: &[u64]| {
//!     let bytes: Vec<u8> = share.iter().flat_map(|x| x.to_le_bytes()).collect();
//!     let mut other = vec![0; bytes.len()];
//!     session.channel().exchange(&bytes, &mut other).expect("exchange");
//! };
//! let ((), (), cost) =
//!     run_sessions(7, |s| swap(s, &at_server), |s| swap(s, &at_client));
//! assert_eq!(cost, channel::Cost::exchange(800, 800));
//! assert_eq!(reconstruct(&at_server, &at_client, bits), x);
//! ```

mod linear_layers;
mod mangle;
mod parties;
mod random;
mod sessions;
mod transcript;

pub use linear_layers::{
    any_conv, any_linear_layer, check_linear, check_linear_real, linear_reference,
    linear_transcript, weights,
};
pub use mangle::{Harm, Mangle, memory_pair_mangled};
pub use parties::{run_2pc, run_over, run_tcp};
pub use random::{
    TestRng, bits, edges, elements, reconstruct, reconstruct_bits, rng, seed, share, share_bits,
};
pub use sessions::{ideal_session, run_sessions, run_sessions_over, run_sessions_real};
pub use transcript::Transcript;
