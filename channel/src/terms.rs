//! What parties agree on, and the limits each keeps to.

use std::sync::Arc;
use std::time::Duration;

use crate::admission::Admission;
use crate::error::Digest;
use crate::guard::Guard;

/// The most TCP connections that a session may run over.
pub const MAX_CONNECTIONS: u8 = 8;

/// What both parties must agree on before the first byte of a protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Terms {
    /// Version of the wire format.
    pub version: u32,
    /// Digest over every constant on which the parties must agree.
    pub parameters: Digest,
    /// The server: digest of the model it serves. The client: the model it insists on, or `None`
    /// to take what the server has.
    pub model: Option<Digest>,
}

/// Limits of a connection; local to each party. None of them may be zero, except `max_waiting`.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `Config { timeout, ..Config::default() }`"
)]
pub struct Config {
    /// How long the peer may stay silent, or refuse to take bytes, before a call gives up.
    pub timeout: Duration,
    /// The least speed, in bytes a second. A call is over within `timeout` and the time that its bytes take at this speed,
    /// however they drip.
    pub least_rate: u64,
    /// How long a session may last in all; past it, every call fails.
    pub max_session: Option<Duration>,
    /// A connection on which nothing was sent for this long sends a sign of life, so that no firewall between the
    /// parties takes it for abandoned.
    pub keep_alive: Duration,
    /// The client: how many TCP connections a session runs over, at most [`MAX_CONNECTIONS`]. All must reach the same
    /// server: more than one does not go with a forwarder of a single connection, nor with a balancer in front of
    /// several servers.
    pub connections: u8,
    /// How long a whole handshake may take, however slowly its bytes drip. Time in the waiting line does not count.
    pub handshake_timeout: Duration,
    /// The client: it asks to come before others. Whether it may is up to the server, by [`Config::admission`].
    pub urgent: bool,
    /// The client: how long it waits in line for a server that is busy with others.
    pub max_wait: Duration,
    /// Sessions a listener serves at the same time. One counts until its client has hung up, ten seconds after its end at most.
    pub max_sessions: usize,
    /// Clients that may wait in line for a place among them; 0 refuses whoever finds none. The urgent come first, and within each class
    /// identities take turns; in a full line one that has more of it makes room for others, and whoever is not urgent for the
    /// urgent. Without a guard that knows identities, addresses stand for them (of IPv6 the network's 64 bits).
    pub max_waiting: usize,
    /// Connections that may be in their greeting at the same time. One more takes the place of the oldest.
    pub max_pending: usize,
    /// The same for the connections of one address, or one network of 64 bits of IPv6.
    pub max_pending_per_address: usize,
    /// The server: which clients it serves, and what it grants them. Without one it serves all, none is urgent, and none is limited.
    pub admission: Option<Arc<dyn Admission>>,
    /// What encrypts each connection and knows who is at the other end. Without one nothing is encrypted, and anybody may
    /// be at the other end.
    pub guard: Option<Arc<dyn Guard>>,
}

impl Config {
    /// What is wrong with it, if anything: a limit that is zero, under which nobody could be served, or too many
    /// connections.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self {
            timeout,
            least_rate,
            max_session,
            keep_alive,
            connections,
            handshake_timeout,
            urgent: _,
            max_wait,
            max_sessions,
            max_waiting: _,
            max_pending,
            max_pending_per_address,
            admission: _,
            guard: _,
        } = self;
        let limits = [
            ("timeout", timeout.is_zero()),
            ("least_rate", *least_rate == 0),
            (
                "max_session",
                max_session.is_some_and(|most| most.is_zero()),
            ),
            ("keep_alive", keep_alive.is_zero()),
            ("connections", *connections == 0),
            ("handshake_timeout", handshake_timeout.is_zero()),
            ("max_wait", max_wait.is_zero()),
            ("max_sessions", *max_sessions == 0),
            ("max_pending", *max_pending == 0),
            ("max_pending_per_address", *max_pending_per_address == 0),
        ];
        let zero = limits
            .iter()
            .find_map(|&(name, is_zero)| is_zero.then_some(name));
        if let Some(name) = zero {
            return Some(format!("{name} is 0, so that nobody could be served"));
        }
        (*connections > MAX_CONNECTIONS).then(|| {
            format!("connections is {connections}, at most {MAX_CONNECTIONS} are possible")
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            least_rate: 4 << 10,
            max_session: None,
            keep_alive: Duration::from_secs(1),
            connections: 1,
            handshake_timeout: Duration::from_secs(10),
            urgent: false,
            max_wait: Duration::from_secs(600),
            max_sessions: 64,
            max_waiting: 16,
            max_pending: 64,
            max_pending_per_address: 16,
            admission: None,
            guard: None,
        }
    }
}
