//! A connection: numbered byte streams to one peer.

use std::collections::HashSet;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::dial::Dialled;
use crate::duplex::{Duplex, Transport};
use crate::line::Line;
use crate::listener::Accepted;
use crate::memory::Hub;
use crate::{Channel, Error, HANDSHAKE, Ledger, Progress, Role, Terms};

/// Names a session; fresh for every handshake, and the same at both parties.
pub type SessionId = [u8; 16];

/// The stream of the online protocol; the handshake opens it.
pub const ONLINE: u32 = 0;
/// The stream that refills the correlations in which the server is the sender.
pub const REFILL_SERVER_SENDS: u32 = 1;
/// The stream that refills the correlations in which the client is the sender.
pub const REFILL_CLIENT_SENDS: u32 = 2;
/// The phase a channel is in before its owner names one.
const FIRST_PHASE: &str = "start";

/// Numbered, ordered byte streams to one peer under one session id.
///
/// A handle: clones are the same connection, usable from any thread.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    role: Role,
    session: SessionId,
    peer: String,
    peer_terms: Option<Terms>,
    timeout: Duration,
    progress: Arc<Progress>,
    opened: Mutex<HashSet<u32>>,
    origin: Origin,
}

/// Where streams come from.
pub(crate) enum Origin {
    Dialled(Dialled),
    Accepted(Accepted),
    Memory(Arc<Hub>),
    Outside(Box<dyn Transport>),
}

/// A stream fresh from its origin, and how many bytes each side greeted with.
pub(crate) struct Greeted {
    pub(crate) stream: TcpStream,
    pub(crate) by_client: usize,
    pub(crate) by_server: usize,
}

impl Connection {
    pub(crate) fn new(
        role: Role,
        session: SessionId,
        peer: String,
        peer_terms: Option<Terms>,
        timeout: Duration,
        origin: Origin,
    ) -> Self {
        let progress = Arc::default();
        let opened = Mutex::default();
        let inner = Inner {
            role,
            session,
            peer,
            peer_terms,
            timeout,
            progress,
            opened,
            origin,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A connection over streams from outside: TLS, Unix sockets, tunnels.
    ///
    /// Nothing is said to the peer here; [`Channel::agree`] then compares the id and the terms of the protocol. `peer`
    /// says to people who is at the other end.
    ///
    /// Both parties give the same session id, which must be fresh for every session; it need not be secret. It may come
    /// from
    ///
    /// - [`draw_session`](crate::draw_session) on one of the streams, which is the simplest;
    /// - the server, which draws it and says it in the first message of the program around;
    /// - the transport: both parties export the same 16 bytes from a TLS connection (RFC 5705), under a label of their
    ///   own.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::{collections::BTreeMap, os::unix::net::UnixStream, sync::Mutex, thread, time::Duration};
    ///
    /// use channel::{Connection, Duplex, Error, ONLINE, Role, draw_session};
    ///
    /// fn connection(role: Role, stream: UnixStream, entropy: [u8; 16]) -> Result<Connection, Error> {
    ///     let timeout = Duration::from_secs(60);
    ///     let session = draw_session(role, &stream, entropy, timeout)?;
    ///     let streams = BTreeMap::from([(ONLINE, Box::new(stream) as Box<dyn Duplex>)]);
    ///     Ok(Connection::over(role, session, "a socket", timeout, Mutex::new(streams)))
    /// }
    ///
    /// let (at_server, at_client) = UnixStream::pair()?;
    /// // Real parties take their entropy from the operating system.
    /// let server = thread::spawn(|| connection(Role::Server, at_server, [1; 16]));
    /// let client = connection(Role::Client, at_client, [2; 16])?;
    /// assert_eq!(server.join().expect("no panic")?.session_id(), client.session_id());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn over(
        role: Role,
        session: SessionId,
        peer: impl Into<String>,
        timeout: Duration,
        transport: impl Transport + 'static,
    ) -> Self {
        let origin = Origin::Outside(Box::new(transport));
        Self::new(role, session, peer.into(), None, timeout, origin)
    }

    /// The party at this end.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// The session's name.
    ///
    /// The handshake over TCP derives it from the entropy of both parties and what they agreed on. Public; a party
    /// that speaks last can try several values, none can choose it.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.inner.session
    }

    /// Who is at the other end, for people: an address, or `memory`.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.inner.peer
    }

    /// What the peer said in the handshake; `None` where there is none: in memory and over streams from
    /// outside.
    #[must_use]
    pub fn peer_terms(&self) -> Option<&Terms> {
        self.inner.peer_terms.as_ref()
    }

    /// How long the peer may stay silent on a stream, or refuse to take bytes, before a call gives up.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// The bytes of all streams so far, to be read while protocols run.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.inner.progress)
    }

    /// Opens a stream; both parties open the same number, in any order and from any thread, each
    /// number once.
    ///
    /// # Errors
    ///
    /// [`Error::StreamTaken`] if this party opened the number before, [`Error::NoStream`] if a transport from
    /// outside does not have it, [`Error::Timeout`] or
    /// [`Error::Closed`] if the peer does not open it or is gone, [`Error::UnknownSession`] or
    /// [`Error::Refused`] if the server says so, [`Error::Io`] otherwise.
    pub fn open(&self, stream: u32) -> Result<Channel, Error> {
        let inner = &self.inner;
        if !inner
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(stream)
        {
            return Err(Error::StreamTaken { stream });
        }
        match &inner.origin {
            Origin::Memory(hub) => self.plain(stream, hub.open(inner.role, stream)?),
            Origin::Outside(transport) => self.plain(stream, transport.open(stream)?),
            Origin::Dialled(origin) => self.greeted(stream, origin.open(inner.session, stream)?),
            Origin::Accepted(origin) => self.greeted(stream, origin.open(stream)?),
        }
    }

    /// A stream without a handshake of its own.
    fn plain(&self, stream: u32, duplex: Box<dyn Duplex>) -> Result<Channel, Error> {
        self.channel(stream, duplex, Ledger::new(FIRST_PHASE))
    }

    fn greeted(&self, stream: u32, greeted: Greeted) -> Result<Channel, Error> {
        let mut ledger = Ledger::new(HANDSHAKE);
        ledger.record(Role::Client, greeted.by_client, 0);
        ledger.record(Role::Server, greeted.by_server, 0);
        ledger.enter(FIRST_PHASE.into());
        // Small messages leave at once. The buffers of the socket stay the system's: it grows them with
        // the delay of the network, and a size set by hand would stop that.
        let socket = greeted.stream;
        let nodelay = socket.set_nodelay(true);
        nodelay.map_err(|cause| self.opening(stream, cause))?;
        self.channel(stream, Box::new(socket), ledger)
    }

    fn channel(
        &self,
        stream: u32,
        duplex: Box<dyn Duplex>,
        ledger: Ledger,
    ) -> Result<Channel, Error> {
        let line = Line::new(duplex, self.inner.timeout);
        let line = line.map_err(|cause| self.opening(stream, cause))?;
        let (role, session) = (self.role(), self.session_id());
        Ok(Channel::new(role, session, line, ledger, self.progress()))
    }

    fn opening(&self, stream: u32, cause: std::io::Error) -> Error {
        Error::from_io(
            cause,
            &format!("opening stream {stream}"),
            self.inner.timeout,
        )
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        match &self.origin {
            Origin::Memory(hub) => hub.leave(self.role),
            Origin::Dialled(_) | Origin::Accepted(_) | Origin::Outside(_) => {}
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.inner.role)
            .field("peer", &self.inner.peer)
            .finish_non_exhaustive()
    }
}
