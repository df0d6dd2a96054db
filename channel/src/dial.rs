//! The client's end over TCP.

use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use crate::connection::{Connection, Parts};
use crate::deadline::Deadline;
use crate::greeter::{Greeter, Greeting};
use crate::guard::pass;
use crate::handshake::{Hello, compare, session_id};
use crate::lanes::Lanes;
use crate::{Config, Error, HANDSHAKE, Role, SessionId, Terms};

/// How long a client pauses before it dials again for a connection that was hung up on.
const PAUSE: Duration = Duration::from_millis(50);
/// A client in line hears of its place each second; without any news for so long it gives up.
const NEWS: Duration = Duration::from_secs(5);
/// How often a client dials a server that hangs up without an answer.
const TRIES: usize = 5;

/// What a client in line hears about each second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// Clients that come before it, as things stand.
    pub ahead: u32,
    /// How long it may take until its turn, in whole seconds, if sessions last as long as those before; unknown before the server has
    /// seen one end.
    pub wait: Option<Duration>,
    /// It comes before all who are not urgent: it said so, and the server allows it.
    pub urgent: bool,
}

/// Connects to a server and agrees on a session. If the server is busy, waits in line for no longer than
/// [`Config::max_wait`]; [`connect_in_line`] tells how the line moves.
///
/// `entropy` must be fresh: the session id is new only if one of the parties brings something new.
///
/// # Errors
///
/// [`Error::Unreachable`] if nobody answers at the address, whose name may stand for several, which are all tried;
/// [`Error::Io`] if it is no address or unknown, or `config` cannot be;
/// [`Error::NotBlindray`] or [`Error::BadHello`] if
/// somebody else answers, [`Error::VersionMismatch`], [`Error::ParametersMismatch`] or
/// [`Error::ModelMismatch`] if the parties do not agree (the server gets the same),
/// [`Error::Guard`] if the guard of either party does not let the other through, [`Error::OtherIdentity`] if further
/// connections reach somebody else, [`Error::Refused`] if the server does not serve this client, or nobody now, [`Error::Timeout`] or [`Error::Closed`]
/// if it falls silent or hangs up, or if the wait in line is too long.
pub fn connect(
    address: impl ToSocketAddrs,
    terms: &Terms,
    config: &Config,
    entropy: [u8; 16],
) -> Result<Connection, Error> {
    connect_in_line(address, terms, config, entropy, &mut |_| {})
}

/// The same, and tells `waiting` about each second where in line this client is and how long that may take, if it has to
/// wait.
///
/// # Errors
///
/// As [`connect`].
pub fn connect_in_line(
    address: impl ToSocketAddrs,
    terms: &Terms,
    config: &Config,
    entropy: [u8; 16],
    waiting: &mut dyn FnMut(Waiting),
) -> Result<Connection, Error> {
    let allowed = config.handshake_timeout;
    if let Some(fault) = config.fault() {
        let fault = IoError::new(ErrorKind::InvalidInput, fault);
        return Err(Error::from_io(fault, "connecting", allowed));
    }
    let Terms {
        version,
        parameters,
        model,
    } = *terms;
    let hello = Hello::Session {
        parameters,
        model,
        entropy,
        lanes: config.connections,
        urgent: config.urgent,
    };
    let (address, mut greeter, heard) = greet(&address, &hello, version, config)?;
    let (theirs, server_entropy, urgent) =
        hear_terms(&mut greeter, heard, version, config, waiting)?;
    compare(Role::Client, terms, &theirs)?;
    let parts = Parts {
        role: Role::Client,
        session: session_id(&theirs, &entropy, &server_entropy, greeter.binding.as_ref()),
        peer: address.to_string(),
        peer_terms: Some(theirs),
        peer_identity: greeter.identity,
        progress: Arc::default(),
        urgent,
    };
    let lanes = Lanes::new(
        config.connections.into(),
        config.keep_alive,
        Arc::clone(&parts.progress),
        None,
    );
    let put = |lane: u8, wire| {
        let put = lanes.put(lane.into(), wire);
        put.map_err(|cause| Error::from_io(cause, HANDSHAKE, allowed))
    };
    put(0, greeter.wire)?;
    for lane in 1..config.connections {
        let further = dial_lane(address, parts.session, lane, version, config)?;
        if further.identity != parts.peer_identity {
            return Err(Error::OtherIdentity);
        }
        put(lane, further.wire)?;
    }
    Ok(Connection::on_lanes(parts, config, Arc::new(lanes), None))
}

/// Greets a server and hears its first answer. A server under many strangers may hang up before it has read the greeting;
/// then it is greeted again.
fn greet(
    address: &impl ToSocketAddrs,
    hello: &Hello,
    version: u32,
    config: &Config,
) -> Result<(SocketAddr, Greeter, Greeting), Error> {
    let deadline = Deadline::after(config.handshake_timeout);
    let mut hung_up = None;
    for _ in 0..TRIES {
        let left = deadline.left().unwrap_or(Duration::ZERO);
        let (address, stream) = match (dial_any(address, left), hung_up.take()) {
            (Err(_), Some(reason)) => return Err(reason),
            (dialled, _) => dialled?,
        };
        match pass(config, Role::Client, stream, deadline) {
            Err(reason @ Error::Closed { .. }) => hung_up = Some(reason),
            passed => {
                let mut greeter = passed?;
                let said = greeter.say(hello, version);
                match said.and_then(|()| greeter.hear()) {
                    Err(reason @ Error::Closed { .. }) if !greeter.heard => hung_up = Some(reason),
                    heard => return Ok((address, greeter, heard?)),
                }
            }
        }
        std::thread::sleep(PAUSE);
    }
    Err(hung_up.expect("it was tried"))
}

/// What the server says, from its first answer on, when there is a place for this client; and whether it took it as urgent.
fn hear_terms(
    greeter: &mut Greeter,
    mut heard: Greeting,
    version: u32,
    config: &Config,
    waiting: &mut dyn FnMut(Waiting),
) -> Result<(Terms, [u8; 16], bool), Error> {
    let in_line = Deadline::after(config.max_wait);
    let too_long = |cause| Error::from_io(cause, "waiting in line for the server", config.max_wait);
    loop {
        match heard.decode(version)? {
            Hello::Session {
                parameters,
                model,
                entropy,
                lanes: _,
                urgent,
            } => {
                let theirs = Terms {
                    version,
                    parameters,
                    model,
                };
                return Ok((theirs, entropy, urgent));
            }
            Hello::Waiting(place) => {
                waiting(place);
                let left = in_line.left().map_err(too_long)?;
                greeter.restart(left.min(config.handshake_timeout.max(NEWS)));
                heard = match greeter.hear() {
                    Err(Error::Timeout { .. }) if in_line.is_over() => {
                        return Err(too_long(ErrorKind::TimedOut.into()));
                    }
                    heard => heard?,
                };
            }
            Hello::Answer(answer) => {
                answer.into_result(0)?;
                return Err(Error::BadHello {
                    reason: "a welcome out of place",
                });
            }
            Hello::Refusal(refusal) => {
                return Err(Error::Refused {
                    reason: refusal.reason().to_owned(),
                    again: refusal.again(),
                });
            }
            Hello::Lane { .. } => {
                return Err(Error::BadHello {
                    reason: "a connection's from a server",
                });
            }
        }
    }
}

/// A further connection of a session. A server under many strangers may hang up on it; it is tried again for as long as a
/// handshake may take.
fn dial_lane(
    address: SocketAddr,
    session: SessionId,
    lane: u8,
    version: u32,
    config: &Config,
) -> Result<Greeter, Error> {
    let allowed = config.handshake_timeout;
    let deadline = Deadline::after(allowed);
    let greet = |left| {
        let stream = dial(address, left).map_err(|cause| unreachable(vec![(address, cause)]))?;
        let mut greeter = pass(config, Role::Client, stream, deadline)?;
        greeter.say(&Hello::Lane { session, lane }, version)?;
        match greeter.hear()?.decode(version)? {
            Hello::Answer(answer) => answer.into_result(lane.into())?,
            _ => {
                return Err(Error::BadHello {
                    reason: "no answer",
                });
            }
        }
        Ok(greeter)
    };
    loop {
        let left = deadline.left();
        let left = left.map_err(|cause| Error::from_io(cause, HANDSHAKE, allowed))?;
        match greet(left) {
            Err(Error::Closed { .. }) => std::thread::sleep(PAUSE.min(left)),
            outcome => return outcome,
        }
    }
}

fn dial_any(
    address: &impl ToSocketAddrs,
    allowed: Duration,
) -> Result<(SocketAddr, TcpStream), Error> {
    let looked_up = address.to_socket_addrs().map_err(|cause| {
        let cause = if cause.kind() == ErrorKind::InvalidInput {
            let what = format!("{cause}: an address is a name and a port, as in localhost:9000");
            IoError::new(ErrorKind::InvalidInput, what)
        } else {
            cause
        };
        Error::from_io(cause, "looking up the server's address", allowed)
    });
    let addresses = interleaved(looked_up?);
    if addresses.is_empty() {
        let nothing = IoError::new(ErrorKind::NotFound, "it names no machine");
        let phase = "looking up the server's address";
        return Err(Error::from_io(nothing, phase, allowed));
    }
    let deadline = Deadline::after(allowed);
    let mut tried = Vec::new();
    for (place, &address) in (0..).zip(&addresses) {
        let others = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - place;
        // One that does not answer leaves as much time to each of the others.
        let outcome = deadline
            .left()
            .and_then(|left| dial(address, left / others));
        match outcome {
            Ok(stream) => return Ok((address, stream)),
            Err(cause) => tried.push((address, cause)),
        }
    }
    Err(unreachable(tried))
}

/// By turns one of each family, in the order in which they came, so that a family that leads nowhere is soon left.
fn interleaved(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut ranks = [0_usize; 2];
    let mut ranked: Vec<_> = addresses
        .map(|address| {
            let rank = &mut ranks[usize::from(address.is_ipv6())];
            *rank += 1;
            (*rank, address)
        })
        .collect();
    ranked.sort_by_key(|&(rank, _)| rank);
    ranked.into_iter().map(|(_, address)| address).collect()
}

fn dial(address: SocketAddr, allowed: Duration) -> std::io::Result<TcpStream> {
    // The clock of the system may be too coarse for less.
    TcpStream::connect_timeout(&address, allowed.max(Duration::from_millis(1)))
}

const fn unreachable(tried: Vec<(SocketAddr, IoError)>) -> Error {
    Error::Unreachable { tried }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let six = ["[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let four = ["10.0.0.1:1", "10.0.0.2:1"].map(address);
        let sorted = interleaved([six[0], six[1], six[2], four[0], four[1]].into_iter());
        assert_eq!(sorted, [six[0], four[0], six[1], four[1], six[2]]);
    }
}
