//! The two directions of a channel, for two threads.

use std::io::{ErrorKind, Result as IoResult};
use std::sync::Arc;

use crate::buffered::{Reader, Writer};
use crate::deadline::Deadline;
use crate::line::Line;
use crate::{Error, Ledger, Role, SessionId};

/// The sending half of a [`crate::Channel`]; dropping it ends this direction.
pub struct WriteHalf {
    pub(crate) writer: Writer,
    pub(crate) ledger: Ledger,
    pub(crate) role: Role,
    pub(crate) session: SessionId,
    pub(crate) sent: usize,
}

/// The receiving half of a [`crate::Channel`].
pub struct ReadHalf {
    pub(crate) reader: Reader,
    pub(crate) phase: String,
    pub(crate) received: usize,
}

impl WriteHalf {
    /// Sends bytes, through a buffer if they are few.
    ///
    /// # Errors
    ///
    /// As [`crate::Channel::send`]; an error of one half also ends the other.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.call(bytes.len(), |writer, call| writer.send(bytes, call))?;
        self.sent += bytes.len();
        Ok(())
    }

    /// Delivers everything sent so far; the other half does not do it.
    ///
    /// # Errors
    ///
    /// As [`crate::Channel::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.call(0, Writer::flush)
    }

    fn call(
        &mut self,
        bytes: usize,
        act: impl FnOnce(&mut Writer, &Deadline) -> IoResult<()>,
    ) -> Result<(), Error> {
        let call = self.writer.call(bytes);
        let line = Arc::clone(self.writer.line());
        guard(&line, self.ledger.current().name(), || {
            act(&mut self.writer, &call)
        })
    }
}

impl ReadHalf {
    /// Fills `out` with the peer's next bytes.
    ///
    /// # Errors
    ///
    /// As [`crate::Channel::recv`]; an error of one half also ends the other.
    pub fn recv(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let line = Arc::clone(self.reader.line());
        let call = line.call(out.len());
        guard(&line, &self.phase, || self.reader.recv(out, &call))?;
        self.received += out.len();
        Ok(())
    }
}

/// One call of a half: none on a dead line or past the session's time, and an error kills the line.
fn guard(line: &Line, phase: &str, act: impl FnOnce() -> IoResult<()>) -> Result<(), Error> {
    if line.is_dead() {
        return Err(Error::Dead);
    }
    let outcome = if line.session_is_over() {
        Err(ErrorKind::TimedOut.into())
    } else {
        act()
    };
    outcome.map_err(|cause| {
        line.kill();
        line.error(cause, phase)
    })
}

impl std::fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteHalf")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadHalf")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
