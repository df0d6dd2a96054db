//! What may stand between a fresh line and the greetings: something that encrypts, and knows who is at the other end.

use std::error::Error as StdError;
use std::fmt::{Debug, Display, Formatter, Result as FmtResult};
use std::io::{Error as IoError, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Digest;
use crate::greeter::Greeter;
use crate::wire::Wire;
use crate::{Config, Error, HANDSHAKE, Role};

/// Who is at the other end, as a [`Guard`] found out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "guards write it out")]
pub struct PeerIdentity {
    /// What tells one identity from another: what limits and fairness go by, and what all connections of a session have
    /// in common.
    pub key: Digest,
    /// The same for people.
    pub name: String,
}

/// A line that a [`Guard`] has let through.
#[expect(clippy::exhaustive_structs, reason = "guards write it out")]
pub struct Guarded {
    /// What the greetings and the session are said over. It has begun: [`Wire::begin`] is not called.
    pub wire: Box<dyn Wire>,
    /// Who is at the other end, if the guard asks.
    pub identity: Option<PeerIdentity>,
    /// The same at both ends of this line and at no other line's, as of an exporter of TLS: the session's id depends on it,
    /// so that a session is over this line or over none.
    pub binding: [u8; 32],
}

/// Stands between each fresh connection and its greetings, and decides who gets through: TLS, for one. See
/// [`Config::guard`].
///
/// What `allowed` says holds whatever the peer does: a guard that waits longer for a silent or slow one lets strangers
/// take up places. The line that it is given has begun, and is cut under it when its place goes to somebody else.
pub trait Guard: Debug + Send + Sync {
    /// This party's end of a fresh connection: accepted if it is the server, made if it is the client.
    ///
    /// # Errors
    /// [`Error::Guard`] with the reason if the peer does not get through, [`Error::Timeout`] or [`Error::Closed`] if it
    /// falls silent or hangs up.
    fn pass(&self, role: Role, wire: Box<dyn Wire>, allowed: Duration) -> Result<Guarded, Error>;
}

/// Why a [`Guard`] lets nobody through, or what it found on a line that it watches over.
#[derive(Clone, Debug)]
pub struct GuardError(Arc<dyn StdError + Send + Sync>);

impl GuardError {
    /// The reason, as the guard's own error.
    #[must_use]
    pub fn new(reason: impl StdError + Send + Sync + 'static) -> Self {
        Self(Arc::new(reason))
    }

    /// What a call of a [`Wire`] failed with, if that was it.
    pub(crate) fn within(error: &IoError) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The reason, if it is of this type.
    #[must_use]
    pub fn reason<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl Display for GuardError {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Display::fmt(&self.0, f)
    }
}

impl StdError for GuardError {}

/// For a [`Wire`] of a guard: a channel that fails with it says [`Error::Guard`].
impl From<GuardError> for IoError {
    fn from(error: GuardError) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

impl Debug for Guarded {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.debug_struct("Guarded")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Brings a fresh socket as far as its greetings, through the guard if there is one, within a deadline that goes on.
pub(crate) fn pass(
    config: &Config,
    role: Role,
    socket: TcpStream,
    deadline: Deadline,
) -> Result<Greeter, Error> {
    let failed = |cause| Error::from_io(cause, HANDSHAKE, deadline.allowed);
    // Small messages leave at once. The buffers of the socket stay the system's: it grows them with the delay of
    // the network, and a size set by hand would stop that.
    socket
        .set_nodelay(true)
        .and_then(|()| Ok(rustix::net::sockopt::set_socket_keepalive(&socket, true)?))
        .and_then(|()| socket.begin())
        .map_err(failed)?;
    let wire: Box<dyn Wire> = Box::new(socket);
    let Some(guard) = &config.guard else {
        return Ok(Greeter::new(wire, None, None, deadline));
    };
    let left = deadline.left().map_err(failed)?;
    let Guarded {
        wire,
        identity,
        binding,
    } = guard.pass(role, wire, left)?;
    Ok(Greeter::new(wire, identity, Some(binding), deadline))
}
