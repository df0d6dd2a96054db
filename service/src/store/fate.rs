//! What becomes of preparations.

use thiserror::Error as ThisError;

/// What becomes of a preparation that was taken out of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third thing")]
pub enum Fate {
    /// A run draws from it.
    Used,
    /// It is thrown away, and no run draws from it.
    Discarded(Discard),
}

/// Why a preparation is thrown away.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Discard {
    /// It does not open.
    Damaged(Damage),
    /// Its time is over.
    Expired,
    /// The other party has not its half any more.
    Lost,
    /// The other party did not confirm that it has put its half aside.
    Unconfirmed,
    /// The session for which it was taken out came to no run from it.
    Unused,
}

impl Discard {
    /// One word for it, for logs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "damaged",
            Self::Expired => "expired",
            Self::Lost => "lost",
            Self::Unconfirmed => "unconfirmed",
            Self::Unused => "unused",
        }
    }
}

/// Why a preparation does not open.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Damage {
    /// It is not what was sealed, or not with this key.
    #[error(transparent)]
    Sealed(#[from] sealed::Error),
    /// Its bytes cannot be read.
    #[error("{what}")]
    Unreadable {
        /// Why not.
        what: String,
    },
    /// What was sealed is no preparation for this plan.
    #[error("it is no preparation for this model and plan")]
    NoPreparation,
}
