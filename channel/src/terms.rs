//! What parties agree on, and the limits each keeps to.

use std::time::Duration;

use crate::error::Digest;

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

/// Limits of a connection; local to each party. None of them may be zero.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `Config { timeout, ..Config::default() }`"
)]
pub struct Config {
    /// How long the peer may stay silent, or refuse to take bytes, before a call gives up.
    pub timeout: Duration,
    /// How long a whole handshake may take, however slowly its bytes drip.
    pub handshake_timeout: Duration,
    /// Sessions a listener serves at the same time.
    pub max_sessions: usize,
    /// Connections that may be in their handshake, or wait for `accept`, at the same time.
    pub max_pending: usize,
    /// Streams of one session that may have arrived without having been opened here.
    pub max_streams: usize,
}

impl Config {
    /// The limit that is zero, under which nobody could be served.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        let Self {
            timeout,
            handshake_timeout,
            max_sessions,
            max_pending,
            max_streams,
        } = self;
        let limits = [
            ("timeout", timeout.is_zero()),
            ("handshake_timeout", handshake_timeout.is_zero()),
            ("max_sessions", *max_sessions == 0),
            ("max_pending", *max_pending == 0),
            ("max_streams", *max_streams == 0),
        ];
        limits
            .iter()
            .find_map(|&(name, is_zero)| is_zero.then_some(name))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            handshake_timeout: Duration::from_secs(10),
            max_sessions: 64,
            max_pending: 64,
            max_streams: 256,
        }
    }
}
