//! What can go wrong between two parties.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use crate::SessionId;
use crate::guard::GuardError;
use crate::leave::{Leave, Left};

/// A digest as the handshake compares it.
pub type Digest = [u8; 32];

/// What can go wrong between two parties: the network, or a peer that breaks the rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused, or a stream from outside did.
    #[error("{phase}: {cause}")]
    Io {
        /// What was being done.
        phase: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The peer neither spoke nor listened for this long.
    #[error("{phase}: nothing from the peer for {after:?}")]
    Timeout {
        /// What was being done.
        phase: String,
        /// The time-out that passed.
        after: Duration,
    },
    /// The session has lasted as long as it may.
    #[error("{phase}: the session has lasted for {after:?}, as long as it may")]
    SessionOver {
        /// What was being done.
        phase: String,
        /// How long that is.
        after: Duration,
    },
    /// The peer ended the connection.
    #[error("{phase}: the peer closed the connection")]
    Closed {
        /// What was being done.
        phase: String,
    },
    /// One of the parties has left before its time, and said why ([`Connection::leave`](crate::Connection::leave)).
    #[error("{phase}: {}", Left { why: *why, here: *here })]
    Left {
        /// What was being done.
        phase: String,
        /// Why.
        why: Leave,
        /// Whether it was this party.
        here: bool,
    },
    /// This channel failed before; what it failed of was returned then.
    #[error("the channel is dead since an earlier error")]
    Dead,
    /// The peer announced more bytes than the protocol allows here.
    #[error("{phase}: the peer announced {length} bytes where at most {limit} are allowed")]
    FrameTooLong {
        /// What was being done.
        phase: String,
        /// The announced length.
        length: u64,
        /// The most that would have been taken.
        limit: u64,
    },
    /// The peer broke the rules by which streams share a connection.
    #[error("{phase}: the peer sent {reason}")]
    BadFrame {
        /// What was being done.
        phase: String,
        /// What it sent.
        reason: &'static str,
    },
    /// Nobody answers at any of the server's addresses.
    #[error("nobody answers at {}", Tried(tried))]
    Unreachable {
        /// Each address, and what the system said.
        tried: Vec<(SocketAddr, std::io::Error)>,
    },
    /// The guard of the connection did not let the peer through, or the peer's guard this party; or it found the line
    /// harmed.
    #[error("{phase}: {cause}")]
    Guard {
        /// What was being done.
        phase: String,
        /// Why.
        cause: GuardError,
    },
    /// A further connection of a session is with somebody else than the first.
    #[error("a further connection of the session is with another identity than the first")]
    OtherIdentity,
    /// The peer speaks TLS, and this party was not told to.
    #[error("the peer speaks TLS, and this end does not")]
    SpeaksTls,
    /// The peer's bytes are not this protocol's.
    #[error("the peer does not speak the Blindray protocol")]
    NotBlindray,
    /// The peer's greeting starts right and goes on wrong.
    #[error("the peer sent a malformed greeting: {reason}")]
    BadHello {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The parties speak different versions of the protocol.
    #[error("protocol version {theirs} at the peer, {ours} here")]
    VersionMismatch {
        /// Our version.
        ours: u32,
        /// The peer's version.
        theirs: u32,
    },
    /// The parties gave their connection different session ids.
    #[error(
        "session {} at the peer, {} here: both parties must give the same",
        Hex(theirs),
        Hex(ours)
    )]
    SessionMismatch {
        /// Our id.
        ours: SessionId,
        /// The peer's id.
        theirs: SessionId,
    },
    /// The parties were built with different protocol parameters.
    #[error("protocol parameters {} at the peer, {} here", Hex(theirs), Hex(ours))]
    ParametersMismatch {
        /// Digest of our parameters.
        ours: Digest,
        /// Digest of the peer's parameters.
        theirs: Digest,
    },
    /// The client asks for another model than the server has.
    #[error("the client expects model {}, the server offers {}", Hex(expected), offered.as_ref().map_or_else(|| "none".to_owned(), |d| Hex(d).to_string()))]
    ModelMismatch {
        /// What the client asked for.
        expected: Digest,
        /// What the server has.
        offered: Option<Digest>,
    },
    /// A stream was asked for under a session id that the server does not have.
    #[error("unknown session")]
    UnknownSession,
    /// The stream number is in use, or was.
    #[error("stream {stream} was opened before")]
    StreamTaken {
        /// The number asked for.
        stream: u32,
    },
    /// A connection was brought to a session that has it already, or never asked for it.
    #[error("the session does not expect connection {connection}")]
    UnexpectedConnection {
        /// Its number.
        connection: usize,
    },
    /// The transport has no stream of this number; over TCP, it is too high.
    #[error("the transport has no stream {stream}")]
    NoStream {
        /// The number asked for.
        stream: u32,
    },
    /// The server does not serve this client, or not now.
    #[error("refused by the server: {reason}{}", Again(*again))]
    Refused {
        /// Why, in its own words: at most 200 bytes without control characters.
        reason: String,
        /// After how long it may be worth to come again.
        again: Option<Duration>,
    },
    /// A client was refused that greeted as it should: there was no place in line for it, or the
    /// [`Admission`](crate::Admission) was against it.
    #[error("refused: {reason}")]
    NotAdmitted {
        /// What it heard.
        reason: String,
    },
    /// The listener was closed on our side.
    #[error("the listener is closed")]
    ListenerClosed,
}

impl Error {
    /// Sorts what the system reports about a line into the peer's doing and the rest.
    pub(crate) fn from_io(cause: std::io::Error, phase: &str, timeout: Duration) -> Self {
        let phase = phase.to_owned();
        let bad = cause.get_ref().and_then(|cause| cause.downcast_ref());
        if let Some(&BadFrame(reason)) = bad {
            return Self::BadFrame { phase, reason };
        }
        if let Some(&Left { why, here }) = cause.get_ref().and_then(|e| e.downcast_ref()) {
            return Self::Left { phase, why, here };
        }
        if let Some(found) = GuardError::within(&cause) {
            let cause = found.clone();
            return Self::Guard { phase, cause };
        }
        match cause.kind() {
            // A socket with a time-out reports `WouldBlock` on some systems.
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout {
                phase,
                after: timeout,
            },
            ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected => Self::Closed { phase },
            _ => Self::Io { phase, cause },
        }
    }
}

/// How the peer broke the rules of frames, on its way through an [`std::io::Error`].
#[derive(Debug)]
pub(crate) struct BadFrame(pub(crate) &'static str);

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadFrame {}

/// Prints addresses and why nobody answers there.
struct Tried<'a>(&'a [(SocketAddr, std::io::Error)]);

impl std::fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (address, cause)) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{address} ({cause})")?;
        }
        Ok(())
    }
}

/// Prints when to come again.
struct Again(Option<Duration>);

impl std::fmt::Display for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(again) => write!(f, "; come again after {} s", again.as_secs()),
            None => Ok(()),
        }
    }
}

/// Prints the first eight bytes of a digest or an id, enough to tell two apart.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0[..8]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
