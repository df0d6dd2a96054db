//! The handshake of TLS over a wire, within a deadline whatever the peer does.

use std::io::{Error as IoError, ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::time::{Duration, Instant};

use channel::{Error as ChannelError, HANDSHAKE, Ready, Wire};
use rustls::Connection;

use crate::{Error, Fingerprint};

/// Ciphertext that is read at once.
pub(crate) const BUFFER: usize = 64 << 10;

/// How long a peer that is refused may take to hear why.
const FAREWELL: Duration = Duration::from_secs(1);

/// After a handshake.
pub(crate) struct Shaken {
    pub(crate) connection: Connection,
    pub(crate) wire: Box<dyn Wire>,
    /// Ciphertext that was read and belongs to the session.
    pub(crate) ahead: Vec<u8>,
}

/// Writes what TLS wants to say, as far as the wire takes it; for [`Connection::write_tls`].
pub(crate) struct Writes<'a>(pub(crate) &'a dyn Wire);

impl std::io::Write for Writes<'_> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        self.0.try_write(&[IoSlice::new(bytes)])
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// Makes the handshake.
///
/// # Errors
/// [`ChannelError::Guard`], [`ChannelError::Timeout`], [`ChannelError::Closed`], or [`ChannelError::Io`].
pub(crate) fn shake(
    mut connection: Connection,
    wire: Box<dyn Wire>,
    allowed: Duration,
    ours: Fingerprint,
) -> Result<Shaken, ChannelError> {
    let end = Instant::now().checked_add(allowed);
    let left = || match end {
        None => Ok(allowed),
        Some(end) => match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(IoError::from(ErrorKind::TimedOut)),
            left => Ok(left),
        },
    };
    let failed = |cause: IoError| failure(cause, allowed);
    let mut buffer = vec![0; BUFFER];
    let mut ahead = Vec::new();
    while connection.is_handshaking() || connection.wants_write() {
        let count = step(&mut connection, &*wire, &mut buffer, left).map_err(failed)?;
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() && connection.is_handshaking() {
            connection.read_tls(&mut bytes).map_err(failed)?;
            if let Err(error) = connection.process_new_packets() {
                let _ = bid_farewell(&mut connection, &*wire, left);
                return Err(ChannelError::Guard {
                    phase: HANDSHAKE.to_owned(),
                    cause: Error::of_tls(error, ours),
                });
            }
        }
        // What follows the handshake is the session's.
        ahead.extend(bytes);
    }
    Ok(Shaken {
        connection,
        wire,
        ahead,
    })
}

/// Writes and reads some, and waits for either where neither can be done: two ends that both have to write must not stop each
/// other, however little the line between them holds. After the handshake nothing is read: a peer that is still in its own
/// reads what it is owed. How many bytes were read.
fn step(
    connection: &mut Connection,
    wire: &dyn Wire,
    buffer: &mut [u8],
    left: impl Fn() -> IoResult<Duration>,
) -> IoResult<usize> {
    while connection.wants_write() {
        match connection.write_tls(&mut Writes(wire)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if is_early(&error) => break,
            Err(error) => return Err(error),
        }
    }
    let wanted = Ready {
        read: connection.is_handshaking(),
        write: connection.wants_write(),
    };
    if !wanted.write {
        return if wanted.read {
            hear(wire, buffer, left)
        } else {
            Ok(0)
        };
    }
    let ready = wire.wait(wanted, left()?)?;
    if !(wanted.read && ready.read) {
        return Ok(0);
    }
    match wire.try_read(&mut [IoSliceMut::new(buffer)]) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(error) if is_early(&error) => Ok(0),
        outcome => outcome,
    }
}

/// Delivers all that TLS has to say.
fn speak(
    connection: &mut Connection,
    wire: &dyn Wire,
    left: impl Fn() -> IoResult<Duration>,
) -> IoResult<()> {
    while connection.wants_write() {
        match connection.write_tls(&mut Writes(wire)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if is_early(&error) => {
                let wanted = Ready {
                    read: false,
                    write: true,
                };
                wire.wait(wanted, left()?)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn hear(
    wire: &dyn Wire,
    buffer: &mut [u8],
    left: impl Fn() -> IoResult<Duration>,
) -> IoResult<usize> {
    loop {
        let left = left()?;
        match wire.read(&mut [IoSliceMut::new(buffer)], left) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if is_early(&error) => {}
            outcome => return outcome,
        }
    }
}

/// Tells the peer why, and waits until it has heard: a system that closes a socket with unread bytes in it forgets what it
/// had still to send.
fn bid_farewell(
    connection: &mut Connection,
    wire: &dyn Wire,
    left: impl Fn() -> IoResult<Duration>,
) -> IoResult<()> {
    let end = Instant::now() + FAREWELL;
    let left = || {
        let left = left()?.min(end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    };
    speak(connection, wire, left)?;
    wire.end();
    let mut rest = [0; 4096];
    loop {
        hear(wire, &mut rest, left)?;
    }
}

/// Whether a call is to be made again.
pub(crate) fn is_early(error: &IoError) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn failure(cause: IoError, allowed: Duration) -> ChannelError {
    let phase = HANDSHAKE.to_owned();
    match cause.kind() {
        ErrorKind::TimedOut => ChannelError::Timeout {
            phase,
            after: allowed,
        },
        ErrorKind::UnexpectedEof
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected => ChannelError::Closed {
            phase: "handshake, in TLS, which the peer may not speak".to_owned(),
        },
        _ => ChannelError::Io { phase, cause },
    }
}
