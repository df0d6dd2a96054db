//! The client's end over TCP.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::connection::{Connection, Greeted, Origin, SessionId};
use crate::greeter::Greeter;
use crate::handshake::{ANSWER, Hello, SESSION_HELLO, STREAM_HELLO, compare, session_id};
use crate::{Config, Error, ONLINE, Role, Terms};

/// Connects to a server and agrees on a session.
///
/// `entropy` must be fresh: the session id is new only if one of the parties brings something new.
///
/// # Errors
///
/// [`Error::Io`] if nobody answers at the address, [`Error::NotBlindray`] or [`Error::BadHello`] if
/// somebody else does, [`Error::VersionMismatch`], [`Error::ParametersMismatch`] or
/// [`Error::ModelMismatch`] if the parties do not agree (the server gets the same),
/// [`Error::Refused`] if the server takes no more sessions, [`Error::Timeout`] or [`Error::Closed`]
/// if it falls silent or hangs up.
pub fn connect(
    address: impl ToSocketAddrs,
    terms: &Terms,
    config: &Config,
    entropy: [u8; 16],
) -> Result<Connection, Error> {
    let (address, stream) = dial_any(address, config.handshake_timeout)?;
    let mut greeter = Greeter::new(stream, config.handshake_timeout);
    let Terms {
        version,
        parameters,
        model,
    } = *terms;
    greeter.say(
        &Hello::Session {
            parameters,
            model,
            entropy,
        },
        version,
    )?;
    let (theirs, server_entropy) = match greeter.hear()?.decode(version)? {
        Hello::Session {
            parameters,
            model,
            entropy,
        } => (
            Terms {
                version,
                parameters,
                model,
            },
            entropy,
        ),
        Hello::Answer(answer) => {
            answer.into_result(ONLINE)?;
            return Err(Error::BadHello {
                reason: "a welcome out of place",
            });
        }
        Hello::Stream { .. } => {
            return Err(Error::BadHello {
                reason: "a stream from a server",
            });
        }
    };
    compare(Role::Client, terms, &theirs)?;
    let session = session_id(&theirs, &entropy, &server_entropy);
    let origin = Origin::Dialled(Dialled {
        address,
        version,
        allowed: config.handshake_timeout,
        first: Mutex::new(Some(greeter.stream)),
    });
    let peer = address.to_string();
    Ok(Connection::new(
        Role::Client,
        session,
        peer,
        Some(theirs),
        config.timeout,
        origin,
    ))
}

/// Dials again for each further stream.
pub(crate) struct Dialled {
    address: SocketAddr,
    version: u32,
    allowed: Duration,
    /// The connection of the handshake, which becomes stream 0.
    first: Mutex<Option<TcpStream>>,
}

impl Dialled {
    pub(crate) fn open(&self, session: SessionId, stream: u32) -> Result<Greeted, Error> {
        if stream == ONLINE {
            let first = self
                .first
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let stream = first.expect("the connection hands out each number once");
            return Ok(Greeted {
                stream,
                by_client: SESSION_HELLO,
                by_server: SESSION_HELLO,
            });
        }
        let socket = dial(self.address, self.allowed)?;
        let mut greeter = Greeter::new(socket, self.allowed);
        greeter.say(&Hello::Stream { session, stream }, self.version)?;
        match greeter.hear()?.decode(self.version)? {
            Hello::Answer(answer) => answer.into_result(stream)?,
            _ => {
                return Err(Error::BadHello {
                    reason: "no answer",
                });
            }
        }
        Ok(Greeted {
            stream: greeter.stream,
            by_client: STREAM_HELLO,
            by_server: ANSWER,
        })
    }
}

fn dial_any(
    address: impl ToSocketAddrs,
    allowed: Duration,
) -> Result<(SocketAddr, TcpStream), Error> {
    let looking_up = "looking up the server's address";
    let addresses = address
        .to_socket_addrs()
        .map_err(|cause| Error::from_io(cause, looking_up, allowed))?;
    let nothing = std::io::Error::new(std::io::ErrorKind::NotFound, "it names no machine");
    let mut outcome = Err(Error::from_io(nothing, looking_up, allowed));
    for address in addresses {
        outcome = dial(address, allowed).map(|stream| (address, stream));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn dial(address: SocketAddr, allowed: Duration) -> Result<TcpStream, Error> {
    TcpStream::connect_timeout(&address, allowed)
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(|cause| Error::from_io(cause, &format!("connecting to {address}"), allowed))
}
