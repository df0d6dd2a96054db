//! A fresh session id over a stream from outside.

use std::io::Result as IoResult;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::line::{read_some, write_some};
use crate::{Duplex, Error, HANDSHAKE, Role, SessionId};

/// Draws the id of a session over one of its streams, before [`Connection::over`](crate::Connection::over) gets id and
/// stream. The peer does the same on its end of the same stream.
///
/// Each party says 16 bytes, the client first, and both hash all 32: the id is fresh if the `entropy` of one of the
/// parties is. All of it must be over within `timeout`, however slowly the peer's bytes drip. It is public, and tells
/// nothing about who the peer is.
///
/// # Errors
///
/// [`Error::Timeout`] if the peer is not there in time, [`Error::Closed`] if it is gone, [`Error::Io`] otherwise.
pub fn draw_session(
    role: Role,
    stream: &dyn Duplex,
    entropy: [u8; 16],
    timeout: Duration,
) -> Result<SessionId, Error> {
    let [client, server] = swap(role, stream, entropy, Deadline::after(timeout))
        .map_err(|cause| Error::from_io(cause, HANDSHAKE, timeout))?;
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026 channel drawn session id");
    hasher.update(&client).update(&server);
    let mut id = SessionId::default();
    hasher.finalize_xof().fill(&mut id);
    Ok(id)
}

/// What the client and the server said.
fn swap(
    role: Role,
    stream: &dyn Duplex,
    ours: [u8; 16],
    deadline: Deadline,
) -> IoResult<[[u8; 16]; 2]> {
    let mut theirs = [0; 16];
    if role.is_server() {
        hear(stream, &mut theirs, deadline)?;
        say(stream, &ours, deadline)?;
        Ok([theirs, ours])
    } else {
        say(stream, &ours, deadline)?;
        hear(stream, &mut theirs, deadline)?;
        Ok([ours, theirs])
    }
}

fn say(stream: &dyn Duplex, mut bytes: &[u8], deadline: Deadline) -> IoResult<()> {
    while !bytes.is_empty() {
        stream.set_timeout(deadline.left()?)?;
        bytes = &bytes[write_some(stream, bytes)?..];
    }
    Ok(())
}

fn hear(stream: &dyn Duplex, mut out: &mut [u8], deadline: Deadline) -> IoResult<()> {
    while !out.is_empty() {
        stream.set_timeout(deadline.left()?)?;
        let count = read_some(stream, out)?;
        out = &mut out[count..];
    }
    Ok(())
}
