//! The errors of this crate.

/// What can go wrong in a protocol on shares.
///
/// After any of these the [`Session`](crate::Session) is dead: its state may differ from the
/// peer's, so every further call returns [`Error::Dead`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream to the peer failed, or the peer broke its format.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// An oblivious transfer failed.
    #[error(transparent)]
    Ot(#[from] ot::Error),
    /// An earlier call on this session failed.
    #[error("the session ended with an earlier error")]
    Dead,
}
