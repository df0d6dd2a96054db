//! What a host tells.

use std::io::Error as IoError;

use channel::{Digest, PeerIdentity, TurnedAway};

use crate::server::Asked;
use crate::{AuditError, Error, QuotaKind, Served, StoreError};

/// Something that happened at a [`crate::Host`]. Nothing in it is secret: no image, no finding, no key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Somebody came to no session.
    TurnedAway {
        /// Who, and why.
        turned_away: &'a TurnedAway,
    },
    /// A client was let go, because the system had no thread for it.
    NoThread {
        /// What the system said.
        error: &'a IoError,
    },
    /// A session begins.
    Opened {
        /// Whose.
        peer: Peer<'a>,
    },
    /// A client gets what it asked for, and was charged for it.
    Granted {
        /// Who.
        peer: Peer<'a>,
        /// What.
        asked: &'a Asked,
    },
    /// The protocols of an image begin. Those of the image before have ended well.
    Image {
        /// Whose.
        peer: Peer<'a>,
        /// Which of its session, from 1.
        number: u64,
    },
    /// A session has ended.
    Ended {
        /// Whose.
        peer: Peer<'a>,
        /// How: what was served, or why not, with the reason if this host refused.
        outcome: Result<&'a Served, (&'a Error, Option<RefusalKind>)>,
        /// After which time.
        seconds: f64,
    },
    /// The audit log did not take a line, so that a session was refused or cut.
    Audit {
        /// What the matter is.
        error: &'a AuditError,
    },
    /// The store failed, so that a client was refused.
    Store {
        /// What the matter is.
        error: &'a StoreError,
    },
    /// The store answers and can be written again, after it had failed.
    StoreBack,
}

/// A client in its session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer<'a> {
    /// The number of the session at this host, from 1.
    pub session: u64,
    /// Where it is, for people.
    pub address: &'a str,
    /// Who it is, where the guard of the connection knows.
    pub identity: Option<&'a PeerIdentity>,
    /// The digest of the model that it is served.
    pub model: Digest,
}

/// Why a host refused a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RefusalKind {
    /// More images than a session has, or a mode that is not served.
    Request,
    /// Beyond its quota.
    Quota(QuotaKind),
    /// Too many sessions of one client at the same time.
    Parallel,
    /// The host stops.
    Stopping,
    /// The store failed.
    Store,
    /// The host cannot do its part.
    Server,
}

impl RefusalKind {
    /// One word for it, for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Quota(QuotaKind::ImagesPerHour) => "images_per_hour",
            Self::Quota(QuotaKind::Images) => "images",
            Self::Quota(QuotaKind::SessionsPerHour) => "sessions_per_hour",
            Self::Quota(QuotaKind::Bytes) => "bytes",
            Self::Parallel => "parallel",
            Self::Stopping => "stopping",
            Self::Store => "store",
            Self::Server => "server",
        }
    }

    pub(super) const ALL: [Self; 9] = [
        Self::Request,
        Self::Quota(QuotaKind::ImagesPerHour),
        Self::Quota(QuotaKind::Images),
        Self::Quota(QuotaKind::SessionsPerHour),
        Self::Quota(QuotaKind::Bytes),
        Self::Parallel,
        Self::Stopping,
        Self::Store,
        Self::Server,
    ];
}
