//! The raw line under a channel: any duplex byte stream, cut for good after an error.

use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::duplex::{Duplex, retry};

/// A duplex byte line. Reading and writing may go on in two threads.
pub(crate) struct Line {
    stream: Box<dyn Duplex>,
    dead: AtomicBool,
    patience: Mutex<Patience>,
}

/// How long calls may wait.
#[derive(Clone, Copy)]
struct Patience {
    /// Each of them.
    timeout: Duration,
    /// All together.
    total: Option<Deadline>,
}

impl Line {
    pub(crate) fn new(stream: Box<dyn Duplex>, timeout: Duration) -> IoResult<Self> {
        stream.set_timeout(timeout)?;
        let patience = Patience {
            timeout,
            total: None,
        };
        Ok(Self {
            stream,
            dead: AtomicBool::new(false),
            patience: Mutex::new(patience),
        })
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a call may wait for the peer.
    pub(crate) fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        self.patience().timeout = timeout;
        self.stream.set_timeout(timeout)
    }

    /// How long all calls from now on may take together.
    pub(crate) fn set_total(&self, total: Option<Duration>) -> IoResult<()> {
        let mut patience = self.patience();
        patience.total = total.map(Deadline::after);
        self.stream.set_timeout(patience.timeout)
    }

    /// The time that passed, of a call that timed out just now.
    pub(crate) fn waited(&self) -> Duration {
        match *self.patience() {
            Patience {
                total: Some(deadline),
                ..
            } if deadline.left().is_err() => deadline.allowed,
            Patience { timeout, .. } => timeout,
        }
    }

    /// Sees to it that the next call waits no longer than it may.
    fn prepare(&self) -> IoResult<()> {
        let Patience {
            timeout,
            total: Some(deadline),
        } = *self.patience()
        else {
            return Ok(());
        };
        self.stream.set_timeout(deadline.left()?.min(timeout))
    }

    /// Reads at least one byte into a slice that is not empty.
    pub(crate) fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        self.prepare()?;
        read_some(&*self.stream, out)
    }

    /// Writes at least one byte of a slice that is not empty.
    pub(crate) fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        self.prepare()?;
        write_some(&*self.stream, bytes)
    }

    /// Writes what the line takes without waiting, which may be nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        believable(self.stream.try_write(bytes)?, bytes.len())
    }

    /// No more bytes will come from us.
    pub(crate) fn end(&self) {
        self.stream.end();
    }

    /// Cuts the line both ways, for good; whether nobody had done so before.
    pub(crate) fn kill(&self) -> bool {
        let first = !self.dead.swap(true, Ordering::Relaxed);
        self.stream.cut();
        first
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

/// Reads at least one byte into a slice that is not empty.
pub(crate) fn read_some(stream: &dyn Duplex, out: &mut [u8]) -> IoResult<usize> {
    debug_assert!(!out.is_empty());
    match retry(|| stream.read(out))? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => believable(count, out.len()),
    }
}

/// Writes at least one byte of a slice that is not empty.
pub(crate) fn write_some(stream: &dyn Duplex, bytes: &[u8]) -> IoResult<usize> {
    debug_assert!(!bytes.is_empty());
    match retry(|| stream.write(bytes))? {
        0 => Err(ErrorKind::WriteZero.into()),
        count => believable(count, bytes.len()),
    }
}

/// The stream may come from outside, and what it says is checked.
fn believable(count: usize, given: usize) -> IoResult<usize> {
    if count > given {
        let what = format!("the stream reports {count} bytes of {given}");
        return Err(IoError::other(what));
    }
    Ok(count)
}
