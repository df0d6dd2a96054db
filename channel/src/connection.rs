//! A connection: numbered byte streams to one peer.

use std::collections::HashSet;
use std::io::{Error as IoError, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::duplex::Transport;
use crate::guard::PeerIdentity;
use crate::handshake::SESSION_HELLO;
use crate::lanes::Lanes;
use crate::leave::{Leave, Leaver};
use crate::line::{Limits, Line};
use crate::listener::Entry;
use crate::memory::Hub;
use crate::wire::Wire;
use crate::{Channel, Config, Error, HANDSHAKE, Ledger, Progress, Role, Terms};

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

pub(crate) struct Inner {
    parts: Parts,
    limits: Limits,
    opened: Mutex<HashSet<u32>>,
    origin: Origin,
}

/// What a connection is, wherever its streams come from.
pub(crate) struct Parts {
    pub(crate) role: Role,
    pub(crate) session: SessionId,
    pub(crate) peer: String,
    pub(crate) peer_terms: Option<Terms>,
    pub(crate) peer_identity: Option<PeerIdentity>,
    pub(crate) progress: Arc<Progress>,
    /// The client asked to come first, and the server let it.
    pub(crate) urgent: bool,
}

/// Where streams come from.
enum Origin {
    Lanes {
        lanes: Arc<Lanes>,
        /// Both parties greeted on the first lane.
        greeted: bool,
        /// At a server over TCP.
        _entry: Option<Entry>,
    },
    Memory(Arc<Hub>),
    Outside(Box<dyn Transport>),
}

impl Connection {
    fn new(parts: Parts, config: &Config, origin: Origin) -> Self {
        let inner = Inner {
            parts,
            limits: Limits::start(config),
            opened: Mutex::default(),
            origin,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// After the handshake over TCP.
    pub(crate) fn on_lanes(
        parts: Parts,
        config: &Config,
        lanes: Arc<Lanes>,
        entry: Option<Entry>,
    ) -> Self {
        let origin = Origin::Lanes {
            lanes,
            greeted: true,
            _entry: entry,
        };
        Self::new(parts, config, origin)
    }

    pub(crate) fn in_memory(
        role: Role,
        session: SessionId,
        timeout: Duration,
        hub: Arc<Hub>,
    ) -> Self {
        let parts = Parts::of(role, session, "memory".to_owned());
        Self::new(parts, &patient(timeout), Origin::Memory(hub))
    }

    /// A connection over one stream from outside, such as TLS, a Unix socket or a tunnel, which carries all numbered
    /// streams as frames, as [`connect`](crate::connect) and [`Listener`](crate::Listener) do with one TCP connection.
    ///
    /// Both parties give the same session id, as to [`Connection::over`]. `config` says how long calls may take, how long
    /// the session, and how often there is a sign of life; the rest of it is for TCP.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::os::unix::net::UnixStream;
    ///
    /// use channel::{Config, Connection, ONLINE, Role};
    ///
    /// let (at_server, at_client) = UnixStream::pair()?;
    /// let (session, config) = ([7; 16], Config::default());
    /// let server = Connection::multiplex(Role::Server, session, "a socket", &config, at_server)?;
    /// let client = Connection::multiplex(Role::Client, session, "a socket", &config, at_client)?;
    /// // As many streams as are wanted, over the one socket.
    /// for stream in [ONLINE, 3] {
    ///     client.open(stream)?.send_u64(7)?;
    ///     assert_eq!(server.open(stream)?.recv_u64()?, 7);
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the stream cannot be used, the system has no thread to spare, or a limit of `config` is zero.
    pub fn multiplex(
        role: Role,
        session: SessionId,
        peer: impl Into<String>,
        config: &Config,
        wire: impl Wire + 'static,
    ) -> Result<Self, Error> {
        let failed = |cause| Error::from_io(cause, "starting a connection", config.timeout);
        if let Some(fault) = config.fault() {
            return Err(failed(IoError::new(ErrorKind::InvalidInput, fault)));
        }
        let parts = Parts::of(role, session, peer.into());
        let lanes = Lanes::new(1, config.keep_alive, Arc::clone(&parts.progress), None);
        wire.begin().map_err(failed)?;
        lanes.put(0, Box::new(wire)).map_err(failed)?;
        let origin = Origin::Lanes {
            lanes: Arc::new(lanes),
            greeted: false,
            _entry: None,
        };
        Ok(Self::new(parts, config, origin))
    }

    /// A connection over streams from outside, one for each number: TLS, Unix sockets, tunnels. For one stream that carries
    /// all of them there is [`Connection::multiplex`].
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
        let parts = Parts::of(role, session, peer.into());
        let origin = Origin::Outside(Box::new(transport));
        Self::new(parts, &patient(timeout), origin)
    }

    /// The party at this end.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.parts.role
    }

    /// The session's name.
    ///
    /// The handshake over TCP derives it from the entropy of both parties, what they agreed on, and the binding of a
    /// [`Guard`](crate::Guard)'s line. Public; a party
    /// that speaks last can try several values, none can choose it.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.inner.parts.session
    }

    /// Who is at the other end, for people: an address, or `memory`.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.inner.parts.peer
    }

    /// Who is at the other end, as the [`Guard`](crate::Guard) of the connection found out; `None` without one.
    #[must_use]
    pub fn peer_identity(&self) -> Option<&PeerIdentity> {
        self.inner.parts.peer_identity.as_ref()
    }

    /// Whether the client asked to come before others ([`Config::urgent`]) and the server let it.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.inner.parts.urgent
    }

    /// What the peer said in the handshake; `None` where there is none: in memory and over streams from
    /// outside.
    #[must_use]
    pub fn peer_terms(&self) -> Option<&Terms> {
        self.inner.parts.peer_terms.as_ref()
    }

    /// How long the peer may stay silent on a stream, or refuse to take bytes, before a call gives up.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.inner.limits.timeout
    }

    /// The bytes of all streams so far, to be read while protocols run.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.inner.parts.progress)
    }

    /// Lets go of the connection, and waits until the peer has done so too, for no longer than `within`; whether it has.
    /// If not, the connection is cut. The channels have been dropped before.
    ///
    /// What was sent is delivered without this call as well, but not by a process that ends at once: it should close its
    /// last connections before.
    #[must_use = "the peer may not have taken everything"]
    pub fn close(self, within: Duration) -> bool {
        let Origin::Lanes { lanes, .. } = &self.inner.origin else {
            return true;
        };
        let ends = lanes.ends();
        drop(self);
        let deadline = Deadline::after(within);
        // The last to use a lane is the thread that sees it to its end.
        while ends.iter().any(|lane| lane.strong_count() > 0) {
            if deadline.is_over() {
                let late = ends.iter().filter_map(Weak::upgrade);
                late.for_each(|lane| lane.cut_unless_leaving());
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Leaves the connection before its time, at once: whoever waits on it at this end gets an error, and the peer, who has so much time to take it, hears why
    /// ([`Error::Left`]). What was sent before arrives before. Without effect where streams come from memory or from outside: there the
    /// peer hears nothing before the connection is gone.
    pub fn leave(&self, why: Leave, within: Duration) {
        match &self.inner.origin {
            Origin::Lanes { lanes, .. } => lanes.leave(why, within),
            Origin::Memory(_) | Origin::Outside(_) => {}
        }
    }

    /// After [`Connection::leave`]: whether the peer is gone, or has had its time. Then the connection is cut.
    #[must_use]
    pub fn has_left(&self) -> bool {
        match &self.inner.origin {
            Origin::Lanes { lanes, .. } => lanes.has_left(),
            Origin::Memory(_) | Origin::Outside(_) => true,
        }
    }

    /// What leaves the connection from elsewhere.
    #[must_use]
    pub fn leaver(&self) -> Leaver {
        Leaver::new(Arc::downgrade(&self.inner))
    }

    pub(crate) const fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Opens a stream; both parties open the same number, in any order and from any thread, each
    /// number once. Over TCP, numbers are below [`MAX_STREAMS`](crate::MAX_STREAMS), and opening one tells the peer nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StreamTaken`] if this party opened the number before, [`Error::NoStream`] if it is too high or a
    /// transport from outside does not have it, [`Error::Timeout`] or
    /// [`Error::Closed`] if the peer does not bring what it needs or is gone, [`Error::Io`] otherwise.
    pub fn open(&self, stream: u32) -> Result<Channel, Error> {
        let Inner {
            parts,
            limits,
            opened,
            origin,
        } = &*self.inner;
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.insert(stream) {
            return Err(Error::StreamTaken { stream });
        }
        drop(opened);
        let (duplex, greeted) = match origin {
            Origin::Memory(hub) => (hub.open(parts.role, stream)?, false),
            Origin::Outside(transport) => (transport.open(stream)?, false),
            Origin::Lanes { lanes, greeted, .. } => (
                lanes.open(stream, limits.timeout)?,
                *greeted && stream == ONLINE,
            ),
        };
        let line = Line::new(duplex, *limits).map_err(|cause| {
            let phase = format!("opening stream {stream}");
            Error::from_io(cause, &phase, limits.timeout)
        })?;
        Ok(Channel::new(
            parts.role,
            parts.session,
            line,
            ledger(greeted),
            self.progress(),
        ))
    }
}

impl Parts {
    fn of(role: Role, session: SessionId, peer: String) -> Self {
        Self {
            role,
            session,
            peer,
            peer_terms: None,
            peer_identity: None,
            progress: Arc::default(),
            urgent: false,
        }
    }
}

/// The usual limits with another time-out.
fn patient(timeout: Duration) -> Config {
    Config {
        timeout,
        ..Config::default()
    }
}

/// The account of a stream from its start; the handshake is in that of the stream that is opened first by all.
fn ledger(greeted: bool) -> Ledger {
    if !greeted {
        return Ledger::new(FIRST_PHASE);
    }
    let mut ledger = Ledger::new(HANDSHAKE);
    ledger.record(Role::Client, SESSION_HELLO, 0);
    ledger.record(Role::Server, SESSION_HELLO, 0);
    ledger.enter(FIRST_PHASE.into());
    ledger
}

impl Drop for Inner {
    fn drop(&mut self) {
        match &self.origin {
            Origin::Memory(hub) => hub.leave(self.parts.role),
            Origin::Lanes { .. } | Origin::Outside(_) => {}
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.inner.parts.role)
            .field("peer", &self.inner.parts.peer)
            .finish_non_exhaustive()
    }
}
