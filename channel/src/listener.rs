//! The server's end over TCP.

use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use crate::acceptor;
use crate::connection::{Connection, Greeted, Origin};
use crate::greeter::Greeting;
use crate::handshake::{ANSWER, Answer, Hello, SESSION_HELLO, STREAM_HELLO, compare, session_id};
use crate::registry::{Caller, Mailbox, Registry};
use crate::{Config, Error, HANDSHAKE, ONLINE, Role, SessionId, Terms};

/// Takes the connections of many clients and hands out their sessions.
///
/// Greetings are read in the background, each within its own time, so that a client that says
/// nothing or nonsense delays nobody. Further streams of the sessions at hand are routed to them,
/// also after the listener was closed or dropped: the port stays in use until the last
/// [`Connection`] that came from it is gone.
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
        if let Some(limit) = config.zero() {
            let what = format!("{limit} is 0, so that nobody could be served");
            return Err(failed(IoError::new(ErrorKind::InvalidInput, what)));
        }
        let socket = TcpListener::bind(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let registry = Arc::new(Registry::new(config.clone()));
        acceptor::start(socket, Arc::clone(&registry)).map_err(failed)?;
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

    /// Waits for the next client and agrees with it on a session.
    ///
    /// An error is one client's, and the listener goes on; only [`Error::ListenerClosed`] is the
    /// end. `entropy` must be fresh: the session id is new only if one of the parties brings
    /// something new.
    ///
    /// # Errors
    ///
    /// [`Error::ListenerClosed`] after [`ListenerHandle::close`]. [`Error::NotBlindray`],
    /// [`Error::BadHello`], [`Error::Timeout`] or [`Error::Closed`] for somebody who did not get
    /// through a greeting, [`Error::VersionMismatch`], [`Error::ParametersMismatch`] or
    /// [`Error::ModelMismatch`] for a client with other ideas (it gets the same).
    pub fn accept(&self, terms: &Terms, entropy: [u8; 16]) -> Result<Connection, Error> {
        let Caller {
            greeter,
            greeting,
            peer,
        } = self.registry.next_caller()?;
        if greeter.has_left() {
            return Err(Error::Closed {
                phase: HANDSHAKE.to_owned(),
            });
        }
        let mut greeter = greeter.restart();
        let Terms {
            version,
            parameters,
            model,
        } = *terms;
        let ours = Hello::Session {
            parameters,
            model,
            entropy,
        };
        let agreed = agree(&greeting, terms).and_then(|(theirs, client_entropy)| {
            // In the registry before the client can ask for its streams.
            let session = session_id(terms, &client_entropy, &entropy);
            Ok((theirs, self.admit(session)?))
        });
        let answer = match agreed {
            Err(Error::Refused { .. }) => Hello::Answer(Answer::TooManySessions),
            // Whatever else is wrong, the client hears our terms and can tell for itself.
            _ => ours,
        };
        let said = greeter.say(&answer, version);
        let (theirs, accepted) = agreed?;
        said?;
        let session = accepted.session;
        accepted.mailbox.put(ONLINE, greeter.stream);
        let timeout = self.registry.config.timeout;
        let origin = Origin::Accepted(accepted);
        Ok(Connection::new(
            Role::Server,
            session,
            peer.to_string(),
            Some(theirs),
            timeout,
            origin,
        ))
    }

    fn admit(&self, session: SessionId) -> Result<Accepted, Error> {
        let refused = Error::Refused {
            reason: "too many sessions",
        };
        let mailbox = self.registry.admit(session).ok_or(refused)?;
        mailbox.announce(ONLINE, 1);
        let registry = Arc::clone(&self.registry);
        Ok(Accepted {
            registry,
            address: self.address,
            session,
            mailbox,
        })
    }
}

/// What the client said, if it goes with our terms.
fn agree(greeting: &Greeting, terms: &Terms) -> Result<(Terms, [u8; 16]), Error> {
    let version = terms.version;
    let Hello::Session {
        parameters,
        model,
        entropy,
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
    Ok((theirs, entropy))
}

impl ListenerHandle {
    /// Takes no more sessions: `accept` returns [`Error::ListenerClosed`], new clients are refused.
    /// Sessions at hand go on.
    pub fn close(&self) {
        self.registry.close();
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

/// Takes further streams of one session from its mailbox.
pub(crate) struct Accepted {
    registry: Arc<Registry>,
    address: SocketAddr,
    session: SessionId,
    mailbox: Arc<Mailbox>,
}

impl Accepted {
    pub(crate) fn open(&self, stream: u32) -> Result<Greeted, Error> {
        let socket = self.mailbox.take(stream, self.registry.config.timeout)?;
        let (by_client, by_server) = if stream == ONLINE {
            (SESSION_HELLO, SESSION_HELLO)
        } else {
            (STREAM_HELLO, ANSWER)
        };
        Ok(Greeted {
            stream: socket,
            by_client,
            by_server,
        })
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.registry.dismiss(&self.session);
        wake_if_idle(&self.registry, self.address);
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
