//! What can go wrong in this crate.

/// Failure of an oblivious-transfer step. A peer or the network caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The channel failed: input/output, time-out, or closed by the peer.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// The peer sent bytes that are no valid group element in a base OT.
    #[error("the peer sent an invalid group element in base OT {index}")]
    InvalidPoint {
        /// Number of the base OT, from 0.
        index: usize,
    },
    /// A batch of correlated OTs failed its consistency check, and none of it was used. The peer deviated from
    /// the protocol, or the line changed what passed.
    #[error(
        "the peer's oblivious transfers are inconsistent: it deviated from the protocol, or the line changed bytes"
    )]
    Inconsistent,
}
