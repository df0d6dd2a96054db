//! Why a session failed, and whose fault it was.

use channel::Leave;

use crate::words::counted;

/// The most characters of the peer's words that a message repeats.
const MAX_WORDS: usize = 200;

/// Why a session did not begin, or ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the rules of the conversation or of a protocol: it is faulty, another program,
    /// or hostile.
    #[error("{what}")]
    PeerMisbehaved {
        /// What it did.
        what: String,
    },
    /// Two honest parties that do not fit together: other versions, other session ids, other parameters, or
    /// another model than the client insists on.
    #[error(transparent)]
    Incompatible(channel::Error),
    /// The server does not do what the client asked for; both parties get this.
    #[error("the server refused: {reason}")]
    Refused {
        /// Why, in at most 200 characters without control characters.
        reason: String,
    },
    /// The server makes its correlations with an OT extension in which this client does not take part, or which is another
    /// one by that name; nothing was asked of the server.
    #[error(
        "the server makes its correlations by {offered}; this client takes part in {} alone, with the parameters of its version",
        accepted.join(", ")
    )]
    OtherExtension {
        /// The name of the server's extension, in at most 200 characters without control characters.
        offered: String,
        /// The names of those of [`Request::extensions`](crate::Request::extensions).
        accepted: Vec<&'static str>,
    },
    /// The server computes a layer by homomorphic encryption, and the client takes part in none.
    #[error(
        "the server computes `{layer}` by homomorphic encryption; this client takes part in layers by oblivious transfer alone"
    )]
    Homomorphic {
        /// The first such layer, in at most 200 characters without control characters.
        layer: String,
    },
    /// The connection failed, or the peer fell silent or went away; by itself or not, nobody can tell.
    #[error(transparent)]
    Transport(channel::Error),
    /// This party cannot do its part: a model that no protocol computes or that exceeds its limits, weights of
    /// another model, or a connection that was used before or lacks one of the [`STREAMS`](crate::STREAMS).
    #[error(transparent)]
    Local(secure::Error),
    /// The model takes more traffic than this client allows; nothing was asked of the server.
    #[error("the session would take {planned} bytes, and {allowed} are allowed")]
    TooMuchTraffic {
        /// The bytes that the session would take, in both directions.
        planned: u64,
        /// The bytes that the request allows.
        allowed: u64,
    },
    /// Every image that this client asked for has had its turn.
    #[error("the {} of this session had their turn", counted(u64::from(*images), "image"))]
    NoImagesLeft {
        /// The images asked for.
        images: u32,
    },
    /// There are too few preparations for this server, its model and mode; nothing was asked of the server.
    #[error("there are preparations for {there} of {}", counted(*wanted, "image"))]
    NotPrepared {
        /// Images that are asked for.
        wanted: u64,
        /// Images for which there are preparations that are still good.
        there: u64,
    },
    /// This party's store of preparations failed.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    /// A preparation of this party does not open: its key is another one now, or what was stored was changed. It is left where it is.
    #[error("a preparation does not open: {0}")]
    Damaged(#[from] crate::Damage),
    /// The client has measured the line or looked after its preparations, and asked for no session.
    #[error("the client measured the line or counted its preparations, and asked for nothing more")]
    OnlyMeasured,
    /// An earlier error ended the session.
    #[error("the session ended with an earlier error")]
    Ended,
}

impl Error {
    /// Whether the peer, and not this party or the network between them, is certainly at fault.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        matches!(self, Self::PeerMisbehaved { .. })
    }

    /// Why the peer left before its time, if it said so.
    #[must_use]
    pub const fn peer_left(&self) -> Option<Leave> {
        match self {
            Self::Transport(channel::Error::Left {
                why, here: false, ..
            }) => Some(*why),
            _ => None,
        }
    }

    /// The peer's doing; what it said itself is shortened and stripped of control characters.
    pub(crate) fn peer(what: &str) -> Self {
        let what = cleaned(what);
        Self::PeerMisbehaved { what }
    }
}

/// Words of the peer, fit to be shown: no escape sequences, no novels.
pub(crate) fn cleaned(words: &str) -> String {
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_WORDS)
        .collect()
}

impl From<channel::Error> for Error {
    fn from(error: channel::Error) -> Self {
        use channel::Error as E;
        match error {
            E::FrameTooLong { .. }
            | E::BadFrame { .. }
            | E::NotBlindray
            | E::BadHello { .. }
            | E::UnknownSession => Self::peer(&error.to_string()),
            E::VersionMismatch { .. }
            | E::SessionMismatch { .. }
            | E::ParametersMismatch { .. }
            | E::ModelMismatch { .. } => Self::Incompatible(error),
            E::Refused { reason, again } => {
                let again = again.map(|again| format!("; come again after {} s", again.as_secs()));
                let reason = reason + &again.unwrap_or_default();
                Self::Refused { reason }
            }
            E::Dead => Self::Ended,
            E::StreamTaken { .. } | E::NoStream { .. } => Self::Local(error.into()),
            other => Self::Transport(other),
        }
    }
}

impl From<sharing::Error> for Error {
    fn from(error: sharing::Error) -> Self {
        use sharing::Error as E;
        match error {
            E::Channel(error) | E::Ot(ot::Error::Channel(error)) => error.into(),
            E::Ot(ot::Error::InvalidPoint { .. } | ot::Error::Inconsistent) => {
                Self::peer(&error.to_string())
            }
            E::Dead => Self::Ended,
            other => Self::Local(other.into()),
        }
    }
}

impl From<secure::Error> for Error {
    fn from(error: secure::Error) -> Self {
        use secure::Error as E;
        match error {
            E::Channel(error) => error.into(),
            E::Sharing(error)
            | E::Nonlinear(nonlinear::Error::Sharing(error))
            | E::Linear(linear::Error::Sharing(error)) => error.into(),
            E::Linear(error @ (linear::Error::OtherRequests | linear::Error::Rlwe(_))) => {
                Self::peer(&error.to_string())
            }
            other => Self::Local(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_tells_whose_fault_it_was() {
        let closed = || channel::Error::Closed {
            phase: "conv1".into(),
        };
        let sharing = || sharing::Error::Channel(closed());
        let lost: [Error; 5] = [
            closed().into(),
            sharing().into(),
            sharing::Error::Ot(ot::Error::Channel(closed())).into(),
            secure::Error::Nonlinear(nonlinear::Error::Sharing(sharing())).into(),
            secure::Error::Linear(linear::Error::Sharing(sharing())).into(),
        ];
        for error in lost {
            assert!(!error.is_peer_fault());
            let said = "conv1: the peer closed the connection";
            assert!(matches!(&error, Error::Transport(_)) && error.to_string() == said);
        }
        for bad in [
            ot::Error::InvalidPoint { index: 3 },
            ot::Error::Inconsistent,
        ] {
            let error = Error::from(secure::Error::Sharing(sharing::Error::Ot(bad)));
            assert!(error.is_peer_fault(), "{error}");
        }
        let long = channel::Error::FrameTooLong {
            phase: "conv1".into(),
            length: 2,
            limit: 1,
        };
        assert!(Error::from(long).is_peer_fault());
        let dead = Error::from(secure::Error::Sharing(sharing::Error::Dead));
        assert!(matches!(dead, Error::Ended));
        let other = Error::from(secure::Error::Linear(linear::Error::OtherRequests));
        assert!(other.is_peer_fault(), "{other}");
        let own = Error::from(secure::Error::Linear(linear::Error::TooLarge));
        assert!(matches!(own, Error::Local(_)) && !own.is_peer_fault());
    }

    #[test]
    fn words_of_the_peer_are_short_and_plain() {
        assert_eq!(cleaned("a\u{1b}[31mred\r\nline\u{7f}"), "a[31mredline");
        assert_eq!(cleaned(&"é".repeat(1000)).chars().count(), MAX_WORDS);
    }
}
