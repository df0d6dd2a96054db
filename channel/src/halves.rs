//! The two directions of a channel, for two threads.

use std::io::Result as IoResult;

use crate::buffered::{Reader, Writer};
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
        self.call(|writer| writer.send(bytes))?;
        self.sent += bytes.len();
        Ok(())
    }

    /// Delivers everything sent so far; the other half does not do it.
    ///
    /// # Errors
    ///
    /// As [`crate::Channel::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.call(Writer::flush)
    }

    fn call(&mut self, act: impl FnOnce(&mut Writer) -> IoResult<()>) -> Result<(), Error> {
        if self.writer.line().is_dead() {
            return Err(Error::Dead);
        }
        act(&mut self.writer).map_err(|cause| {
            self.writer.line().kill();
            Error::from_io(
                cause,
                self.ledger.current().name(),
                self.writer.line().waited(),
            )
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
        if self.reader.line().is_dead() {
            return Err(Error::Dead);
        }
        self.reader.recv(out).map_err(|cause| {
            self.reader.line().kill();
            Error::from_io(cause, &self.phase, self.reader.line().waited())
        })?;
        self.received += out.len();
        Ok(())
    }
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
