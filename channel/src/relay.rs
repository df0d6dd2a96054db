//! What may sit on an in-memory line.

use crate::Role;

/// Which way bytes pass: the number of the stream and who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stream and a direction name a way"
)]
pub struct Way {
    /// The stream.
    pub stream: u32,
    /// The party that sends.
    pub from: Role,
}

/// Sits on the line of an in-memory connection: for transcripts and for hostile peers in tests.
///
/// Called with consecutive pieces of each way, cut wherever the pipe happened to be full, from the
/// sender's thread.
pub trait Relay: Send + Sync {
    /// Bytes pass, the first of them the `offset`-th of its way. They may be changed; the number
    /// returned is how many are let through, and fewer than all cut the line after them.
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize;
}
