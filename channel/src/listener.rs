//! The server's end over TCP.

use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::acceptor;
use crate::connection::{Connection, Parts};
use crate::greeter::Greeting;
use crate::guard::PeerIdentity;
use crate::handshake::{Hello, compare, session_id};
use crate::lanes::Lanes;
use crate::origin::Origin;
use crate::registry::{Caller, Registry};
use crate::{Config, Error, HANDSHAKE, Role, SessionId, Terms};

/// Takes the connections of many clients and hands out their sessions.
///
/// Greetings are read in the background, each within its own time, so that a client that says
/// nothing or nonsense delays nobody. Strangers who say nothing push out each other, and never a client that has
/// greeted. Clients beyond [`Config::max_sessions`] wait in line, the urgent first and identities by turns, and are told their
/// place and how long it may take; so [`Listener::accept`] returns only when there is a client *and* a place for it.
///
/// Further connections of the sessions at hand are routed to them, also after the listener was closed or dropped: the
/// port stays in use until the last [`Connection`] that came from it is gone.
pub struct Listener {
    registry: Arc<Registry>,
    address: SocketAddr,
}

/// Closes a [`Listener`] from another thread.
#[derive(Clone)]
pub struct ListenerHandle {
    registry: Arc<Registry>,
}

impl Listener {
    /// Listens at an address; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be used, or if a limit of `config` is zero, which would refuse everybody.
    pub fn bind(address: impl ToSocketAddrs, config: Config) -> Result<Self, Error> {
        let failed = |cause| Error::from_io(cause, "listening", config.handshake_timeout);
        if let Some(fault) = config.fault() {
            return Err(failed(IoError::new(ErrorKind::InvalidInput, fault)));
        }
        let socket = TcpListener::bind(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let registry = Arc::new(Registry::new(config.clone()));
        acceptor::start(socket, &registry).map_err(failed)?;
        Ok(Self { registry, address })
    }

    /// The address listened at, with the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Something to close this listener with from another thread.
    #[must_use]
    pub fn handle(&self) -> ListenerHandle {
        ListenerHandle {
            registry: Arc::clone(&self.registry),
        }
    }

    /// Waits for the next client, and for a place among the sessions, and agrees with it on a session.
    ///
    /// An error is one client's, and the listener goes on; only [`Error::ListenerClosed`] is the
    /// end. `entropy` must be fresh: the session id is new only if one of the parties brings
    /// something new.
    ///
    /// # Errors
    ///
    /// [`Error::ListenerClosed`] after [`ListenerHandle::close`]. [`Error::NotBlindray`],
    /// [`Error::BadHello`], [`Error::Timeout`] or [`Error::Closed`] for somebody who did not get
    /// through a greeting, [`Error::Guard`] for somebody whom the guard did not let through,
    /// [`Error::OtherIdentity`] for somebody who brought a connection to the session of another, [`Error::VersionMismatch`], [`Error::ParametersMismatch`] or
    /// [`Error::ModelMismatch`] for a client with other ideas (it gets the same).
    pub fn accept(&self, terms: &Terms, entropy: [u8; 16]) -> Result<Connection, Error> {
        let received = self.receive(terms, entropy);
        received.map_err(|turned_away| turned_away.error)
    }

    /// [`Listener::accept`] that also says with whom it did not come to a session.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`], and [`Error::NotAdmitted`] for a client that was refused.
    pub fn receive(&self, terms: &Terms, entropy: [u8; 16]) -> Result<Connection, TurnedAway> {
        self.receive_on(&|| terms.clone(), entropy)
    }

    /// The same on terms that may change while nobody comes: they are asked for again when there is a client.
    ///
    /// # Errors
    ///
    /// As [`Listener::receive`].
    pub fn receive_on(
        &self,
        terms: &dyn Fn() -> Terms,
        entropy: [u8; 16],
    ) -> Result<Connection, TurnedAway> {
        let (caller, taken) = self.registry.next_caller(terms().version)?;
        let terms = &terms();
        let seat = Arc::new(Seat {
            registry: Arc::clone(&self.registry),
            address: self.address,
            from: caller.origin(),
            taken,
            session: AtomicBool::new(false),
        });
        let (peer, identity) = (
            Some(caller.peer),
            caller.greeter.identity.clone().map(Box::new),
        );
        let met = self.meet(caller, seat, terms, entropy);
        met.map_err(|error| TurnedAway {
            peer,
            identity,
            error,
        })
    }

    /// Agrees with a caller whose turn it is.
    fn meet(
        &self,
        caller: Caller,
        seat: Arc<Seat>,
        terms: &Terms,
        entropy: [u8; 16],
    ) -> Result<Connection, Error> {
        let Caller {
            mut greeter,
            greeting,
            peer,
            admitted,
            ..
        } = caller;
        let config = &self.registry.config;
        if greeter.has_left() {
            return Err(Error::Closed {
                phase: HANDSHAKE.to_owned(),
            });
        }
        greeter.restart(config.handshake_timeout);
        let agreed = agree(&greeting, terms).map(|(theirs, client_entropy, count)| {
            seat.session.store(true, Ordering::Relaxed);
            // At hand before the client can bring its further connections.
            let binding = greeter.binding.as_ref();
            let session = session_id(terms, &client_entropy, &entropy, binding);
            let progress = Arc::default();
            let lanes = Lanes::new(count, config.keep_alive, Arc::clone(&progress), Some(seat));
            let lanes = Arc::new(lanes);
            lanes.announce(0);
            let identity = greeter.identity.clone();
            let entry = self.enter(session, &lanes, identity, peer.ip());
            (theirs, progress, lanes, entry)
        });
        let ours = Hello::Session {
            parameters: terms.parameters,
            model: terms.model,
            entropy,
            lanes: 1,
            urgent: admitted.urgent,
        };
        // Whatever is wrong, the client hears our terms and can tell for itself.
        let said = greeter.say(&ours, terms.version);
        let (theirs, progress, lanes, entry) = agreed?;
        said?;
        lanes
            .put(0, greeter.wire)
            .map_err(|cause| Error::from_io(cause, HANDSHAKE, config.handshake_timeout))?;
        let parts = Parts {
            role: Role::Server,
            session: entry.session,
            peer: peer.to_string(),
            peer_terms: Some(theirs),
            peer_identity: greeter.identity,
            progress,
            urgent: admitted.urgent,
        };
        Ok(Connection::on_lanes(parts, config, lanes, Some(entry)))
    }

    /// The session is made, and its further connections find it.
    fn enter(
        &self,
        session: SessionId,
        lanes: &Arc<Lanes>,
        identity: Option<PeerIdentity>,
        from: IpAddr,
    ) -> Entry {
        self.registry
            .enter(session, Arc::clone(lanes), identity, from);
        let registry = Arc::clone(&self.registry);
        Entry { registry, session }
    }
}

/// What the client said, if it goes with our terms.
fn agree(greeting: &Greeting, terms: &Terms) -> Result<(Terms, [u8; 16], usize), Error> {
    let version = terms.version;
    let Hello::Session {
        parameters,
        model,
        entropy,
        lanes,
        urgent: _,
    } = greeting.decode(version)?
    else {
        return Err(Error::BadHello {
            reason: "not a client's",
        });
    };
    let theirs = Terms {
        version,
        parameters,
        model,
    };
    compare(Role::Server, terms, &theirs)?;
    Ok((theirs, entropy, usize::from(lanes)))
}

impl ListenerHandle {
    /// Takes no more sessions: `accept` returns [`Error::ListenerClosed`], new clients and those in line are refused.
    /// Sessions at hand go on.
    pub fn close(&self) {
        self.registry.close();
    }

    /// How busy the listener is.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.registry.busy()
    }
}

/// How busy a [`Listener`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Busy {
    /// Sessions at hand, those being made and those not yet ended included.
    pub sessions: usize,
    /// Clients that wait, the urgent included.
    pub waiting: usize,
    /// Those of them who are urgent.
    pub urgent: usize,
    /// How long sessions last, as a mean that follows the last few; unknown before one has ended.
    pub mean_session: Option<Duration>,
}

/// With whom a [`Listener`] did not come to a session, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}{error}", Who(peer.as_ref(), identity.as_deref()))]
#[non_exhaustive]
pub struct TurnedAway {
    /// Where the client is; none if this is about the listener.
    pub peer: Option<SocketAddr>,
    /// Who it is, where a guard found out.
    pub identity: Option<Box<PeerIdentity>>,
    /// Why.
    #[source]
    pub error: Error,
}

impl TurnedAway {
    /// Somebody who did not say who it is.
    pub(crate) const fn unknown(peer: SocketAddr, error: Error) -> Self {
        Self {
            peer: Some(peer),
            identity: None,
            error,
        }
    }
}

/// About the listener.
impl From<Error> for TurnedAway {
    fn from(error: Error) -> Self {
        Self {
            peer: None,
            identity: None,
            error,
        }
    }
}

/// Prints where somebody is, and who, if that is known.
struct Who<'a>(Option<&'a SocketAddr>, Option<&'a PeerIdentity>);

impl std::fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self(Some(peer), Some(identity)) => write!(f, "{peer} ({}): ", identity.name),
            Self(Some(peer), None) => write!(f, "{peer}: "),
            Self(None, _) => Ok(()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.registry.close();
        self.registry.abandon();
        wake_if_idle(&self.registry, self.address);
    }
}

/// The acceptor sits in a blocking call; a connection from here makes it look whether it is needed.
fn wake_if_idle(registry: &Registry, mut address: SocketAddr) {
    if !registry.is_over() {
        return;
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    // Without it the thread stays until the next client calls.
    drop(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
}

/// A place among the sessions. It comes free when it is dropped: not with the connection, but when the last of its lanes has
/// ended, so that a client that does not hang up takes up no more than its place.
pub(crate) struct Seat {
    registry: Arc<Registry>,
    address: SocketAddr,
    from: Origin,
    taken: Instant,
    /// The parties agreed on a session.
    session: AtomicBool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let session = self.session.load(Ordering::Relaxed);
        self.registry.leave(self.from, self.taken, session);
        wake_if_idle(&self.registry, self.address);
    }
}

/// A session whose further connections find it until this is dropped.
pub(crate) struct Entry {
    registry: Arc<Registry>,
    session: SessionId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.dismiss(&self.session);
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ListenerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerHandle").finish_non_exhaustive()
    }
}
