//! The raw line under a channel: any duplex byte stream, cut for good after an error.

use std::io::{ErrorKind, Result as IoResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::duplex::{Duplex, retry};

/// A duplex byte line. Reading and writing may go on in two threads.
pub(crate) struct Line {
    stream: Box<dyn Duplex>,
    dead: AtomicBool,
}

impl Line {
    pub(crate) fn new(stream: Box<dyn Duplex>) -> Self {
        Self {
            stream,
            dead: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        self.stream.set_timeout(timeout)
    }

    /// Reads at least one byte into a slice that is not empty.
    pub(crate) fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        debug_assert!(!out.is_empty());
        match retry(|| self.stream.read(out))? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    /// Writes at least one byte of a slice that is not empty.
    pub(crate) fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        debug_assert!(!bytes.is_empty());
        match retry(|| self.stream.write(bytes))? {
            0 => Err(ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    }

    /// Writes what the line takes without waiting, which may be nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        self.stream.try_write(bytes)
    }

    /// No more bytes will come from us.
    pub(crate) fn end(&self) {
        self.stream.end();
    }

    /// Cuts the line both ways, for good.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.stream.cut();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}
