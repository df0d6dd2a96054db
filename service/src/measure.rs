//! Measuring the line between two parties, before they want anything of each other.
//!
//! In place of its request, a client may say how many bytes it will send and how many it wants to be sent; the server, which may have to look up what this client may use,
//! says whether it does that. Then it takes and sends them, and says what its clock shows. Once or some times over; then the client makes its request, or hangs
//! up.
//!
//! | from | message | at most |
//! |---|---|---|
//! | client | `{"measure": {"up": n, "down": m}}` | 4096 bytes |
//! | server | `{"allowed": true}`, or `{"refused": why}` | 4096 bytes |
//! | client | `{"go": true}`, and n bytes | 4096 bytes, 16 MiB |
//! | server | `{"unix_ms": its clock}`, and m bytes | 4096 bytes, 16 MiB |
//!
//! What is timed is the latter half. A server answers no more than [`MOST`] of them in a session, and moves no more than [`MOST_BYTES`], which
//! are charged like those of a session. The bytes are noise that no line can compress, and mean nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use channel::{Channel, Connection};
use nets::PublicModel;
use ot::{EXTENSIONS, Extension};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::{self, Control, Reception};
use crate::{Error, Request};

/// Measurements of a session.
const MOST: u32 = 64;
/// Bytes of all of them, both ways.
const MOST_BYTES: u64 = 64 << 20;
/// Bytes of one, one way.
const LARGEST: u64 = 16 << 20;
/// Round trips that are timed.
const ROUND_TRIPS: usize = 9;
/// Bytes of the first transfer; each has four times those of the one before.
const FIRST: u64 = 64 << 10;
/// A transfer that takes as long has shown the rate.
const ENOUGH: Duration = Duration::from_millis(400);
/// Bytes that are said at once.
const CHUNK: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    measure: Transfer,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    up: u64,
    down: u64,
}

/// The server lets it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    allowed: bool,
}

/// The bytes follow.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Go {
    go: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    unix_ms: u64,
}

/// What a client finds on its way to a server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Line {
    /// The model that the server offers.
    pub model: PublicModel,
    /// The OT extension that it uses.
    pub extension: &'static dyn Extension,
    /// Seconds there and back, the middle of some.
    pub round_trip_s: f64,
    /// Bytes a second to the server.
    pub up_bytes_per_s: f64,
    /// Bytes a second to the client.
    pub down_bytes_per_s: f64,
    /// Seconds that the server's clock is ahead of this one's, up to half a round trip.
    pub clock_ahead_s: f64,
}

impl Line {
    /// Meets the server, measures the line within a few seconds, and asks for nothing: the server's [`Server::serve`](crate::Server::serve)
    /// ends with [`Error::OnlyMeasured`]. Nothing secret is said.
    ///
    /// # Errors
    /// As [`Client::over`](crate::Client::over) until the server has presented its model; then [`Error::Refused`] where that is more than this
    /// client may use, [`Error::Transport`], or [`Error::PeerMisbehaved`] where it does not answer as it should.
    pub fn measure(connection: &Connection, request: &Request) -> Result<Self, Error> {
        let mut control = Control::open(connection, &request.terms())?;
        let model = control.meet(request.expect)?;
        let extension = control.extension(&EXTENSIONS)?;
        let mut trips = Vec::with_capacity(ROUND_TRIPS);
        let mut clock_ahead_s = 0.0;
        for _ in 0..ROUND_TRIPS {
            let (took, clock) = control.transfer(Transfer { up: 0, down: 0 })?;
            trips.push(took);
            // The last is of a line that has woken up.
            clock_ahead_s = clock;
        }
        trips.sort();
        let trip = trips[ROUND_TRIPS / 2];
        let down = |bytes| Transfer { up: 0, down: bytes };
        let up = |bytes| Transfer { up: bytes, down: 0 };
        Ok(Self {
            down_bytes_per_s: control.rate(trip, down)?,
            up_bytes_per_s: control.rate(trip, up)?,
            round_trip_s: trip.as_secs_f64(),
            clock_ahead_s,
            model,
            extension,
        })
    }

    /// The rate of both directions where either carries as much: what a plan takes for the rate of a network.
    #[must_use]
    pub fn bytes_per_s(&self) -> f64 {
        2.0 / (1.0 / self.up_bytes_per_s + 1.0 / self.down_bytes_per_s)
    }
}

impl Control {
    /// Server: answers measurements and questions about preparations, and hears what the client wants then.
    pub(crate) fn wish<T: DeserializeOwned>(
        &mut self,
        reception: &mut impl Reception,
    ) -> Result<T, Error> {
        let (mut moved, mut asked) = (0, false);
        for _ in 0..=MOST {
            let json = match self.message() {
                Err(Error::Transport(channel::Error::Closed { .. })) if asked => {
                    return Err(Error::OnlyMeasured);
                }
                message => message?,
            };
            if let Ok(ask) = serde_json::from_slice::<control::Ask>(&json) {
                self.tell_kept(ask, reception)?;
                asked = true;
                continue;
            }
            let Ok(Ask { measure }) = serde_json::from_slice(&json) else {
                return Self::parsed(&json, "request");
            };
            asked = true;
            let Transfer { up, down } = measure;
            let bytes = up.min(MOST_BYTES) + down.min(MOST_BYTES);
            moved += bytes;
            if up.max(down) > LARGEST || moved > MOST_BYTES {
                break;
            }
            match reception.measure(bytes) {
                Ok(()) => self.say(&Allowed { allowed: true })?,
                Err(reason) => return self.refuse(reason).map(|never| match never {}),
            }
            let Go { .. } = Self::parsed(&self.message()?, "measurement")?;
            take(&mut self.channel, up)?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let unix_ms = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
            self.say(&Clock { unix_ms })?;
            give(&mut self.channel, down)?;
        }
        Err(Error::peer("the client measures more than it may"))
    }

    /// Client: how long a transfer takes, and by how many seconds the server's clock is ahead.
    fn transfer(&mut self, transfer: Transfer) -> Result<(Duration, f64), Error> {
        self.say(&Ask { measure: transfer })?;
        let Allowed { .. } = self.unless_refused("measurement")?;
        let (begin, now) = (Instant::now(), SystemTime::now());
        self.say(&Go { go: true })?;
        give(&mut self.channel, transfer.up)?;
        let json = self.message()?;
        let Clock { unix_ms }: Clock = Self::parsed(&json, "measurement")?;
        take(&mut self.channel, transfer.down)?;
        let took = begin.elapsed();
        let ours = now.duration_since(UNIX_EPOCH).unwrap_or_default() + took / 2;
        let theirs = Duration::from_millis(unix_ms);
        Ok((took, theirs.as_secs_f64() - ours.as_secs_f64()))
    }

    /// Client: bytes a second of transfers that grow until one takes long enough.
    fn rate(&mut self, trip: Duration, of: impl Fn(u64) -> Transfer) -> Result<f64, Error> {
        let mut bytes = FIRST;
        loop {
            let (took, _) = self.transfer(of(bytes))?;
            let moving = took.saturating_sub(trip).max(Duration::from_micros(1));
            if moving >= ENOUGH || bytes >= LARGEST {
                #[expect(clippy::cast_precision_loss, reason = "24 bits at most")]
                return Ok(bytes as f64 / moving.as_secs_f64());
            }
            bytes *= 4;
        }
    }
}

/// Sends noise.
fn give(channel: &mut Channel, bytes: u64) -> Result<(), Error> {
    let (mut chunk, mut left, mut state) = (vec![0; CHUNK], bytes, 0_u64);
    while left > 0 {
        for word in chunk.chunks_exact_mut(8) {
            // SplitMix64.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        }
        let now = part(left);
        channel.send(&chunk[..now])?;
        left -= now as u64;
    }
    Ok(channel.flush()?)
}

/// Takes what the peer sends.
fn take(channel: &mut Channel, bytes: u64) -> Result<(), Error> {
    let (mut chunk, mut left) = (vec![0; CHUNK], bytes);
    while left > 0 {
        let now = part(left);
        channel.recv(&mut chunk[..now])?;
        left -= now as u64;
    }
    Ok(())
}

fn part(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))
}
