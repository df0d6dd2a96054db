//! What can go wrong in this crate.

use crate::stock::Draw;

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
    /// A stock of random OTs is not what it should be: its bytes were changed, or are of something else.
    #[error("the stored oblivious transfers are damaged")]
    BadStock,
    /// A stock of random OTs is not that of the protocol which draws from it. Nothing of the draw was used.
    #[error("the stored oblivious transfers are of another run: {asked} are asked for, and {} are stored", StoredDraw(.stored))]
    OtherDraw {
        /// What the protocol draws.
        asked: Draw,
        /// What is stored there, if anything is left.
        stored: Option<Draw>,
    },
}

/// What is stored, in words.
struct StoredDraw<'a>(&'a Option<Draw>);

impl core::fmt::Display for StoredDraw<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(draw) => draw.fmt(f),
            None => f.write_str("no more"),
        }
    }
}
