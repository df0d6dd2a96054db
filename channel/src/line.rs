//! The raw line under a channel: any duplex byte stream, cut for good after an error.

use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::duplex::{Duplex, retry};
use crate::{Config, Error};

/// A duplex byte line. Reading and writing may go on in two threads.
pub(crate) struct Line {
    stream: Box<dyn Duplex>,
    dead: AtomicBool,
    limits: Limits,
    patience: Mutex<Patience>,
    /// What the stream was told last, in nanoseconds; telling it may cost a call of the system.
    told: AtomicU64,
    /// The limit that the last step ran under, in nanoseconds: what has passed if it timed out.
    limit: AtomicU64,
}

/// What holds for all lines of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How long the peer may be silent, at the start.
    pub(crate) timeout: Duration,
    /// Bytes a second.
    least_rate: u64,
    /// When the session must be over.
    session: Option<Deadline>,
}

impl Limits {
    /// A session begins.
    pub(crate) fn start(config: &Config) -> Self {
        Self {
            timeout: config.timeout,
            least_rate: config.least_rate,
            session: config.max_session.map(Deadline::after),
        }
    }
}

/// How long calls may wait.
#[derive(Clone, Copy)]
struct Patience {
    /// Each step of them.
    timeout: Duration,
    /// All together.
    total: Option<Deadline>,
}

impl Line {
    pub(crate) fn new(stream: Box<dyn Duplex>, limits: Limits) -> IoResult<Self> {
        let timeout = limits.timeout;
        stream.set_timeout(timeout)?;
        let patience = Patience {
            timeout,
            total: None,
        };
        Ok(Self {
            stream,
            dead: AtomicBool::new(false),
            limits,
            patience: Mutex::new(patience),
            told: AtomicU64::new(nanos(timeout)),
            limit: AtomicU64::new(nanos(timeout)),
        })
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the stream takes unread.
    pub(crate) fn room(&self) -> usize {
        self.stream.room()
    }

    /// How long the peer may be silent.
    pub(crate) fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        self.patience().timeout = timeout;
        self.tell(timeout)
    }

    /// How long all calls from now on may take together.
    pub(crate) fn set_total(&self, total: Option<Duration>) {
        self.patience().total = total.map(Deadline::after);
    }

    /// A call that moves so many bytes begins: when it must be over, however they drip.
    pub(crate) fn call(&self, bytes: usize) -> Deadline {
        let for_bytes = Duration::from_secs(bytes as u64 / self.limits.least_rate)
            + Duration::from_nanos(
                bytes as u64 % self.limits.least_rate * 1_000_000_000 / self.limits.least_rate,
            );
        Deadline::after(self.patience().timeout.saturating_add(for_bytes))
    }

    /// Whether the session has lasted as long as it may.
    pub(crate) fn session_is_over(&self) -> bool {
        self.limits.session.is_some_and(|end| end.is_over())
    }

    /// What a failed call means.
    pub(crate) fn error(&self, cause: IoError, phase: &str) -> Error {
        let late = matches!(cause.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
        match self.limits.session {
            Some(session) if late && session.is_over() => Error::SessionOver {
                phase: phase.to_owned(),
                after: session.allowed,
            },
            _ => {
                let limit = Duration::from_nanos(self.limit.load(Ordering::Relaxed));
                Error::from_io(cause, phase, limit)
            }
        }
    }

    /// How long the next step of a call may wait.
    fn left(&self, call: &Deadline) -> IoResult<Duration> {
        let Patience { timeout, total } = *self.patience();
        let now = Instant::now();
        let deadlines = [Some(*call), total, self.limits.session];
        let (mut left, mut limit) = (Ok(timeout), timeout);
        for deadline in deadlines.into_iter().flatten() {
            let of_deadline = deadline.left_at(now);
            // A time that is over is less than any.
            if of_deadline.as_ref().ok() < left.as_ref().ok() {
                (left, limit) = (of_deadline, deadline.allowed);
            }
        }
        self.limit.store(nanos(limit), Ordering::Relaxed);
        left
    }

    fn tell(&self, timeout: Duration) -> IoResult<()> {
        if self.told.swap(nanos(timeout), Ordering::Relaxed) == nanos(timeout) {
            return Ok(());
        }
        self.stream.set_timeout(timeout)
    }

    /// One step of a call, as long as it may wait.
    fn step(
        &self,
        call: &Deadline,
        mut step: impl FnMut(&dyn Duplex) -> IoResult<usize>,
    ) -> IoResult<usize> {
        loop {
            let left = self.left(call)?;
            self.tell(left)?;
            match step(&*self.stream) {
                // The other direction may have told the stream to wait less than this one may. The call has its end all
                // the same.
                Err(error)
                    if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
                        && self.told.load(Ordering::Relaxed) != nanos(left) => {}
                outcome => return outcome,
            }
        }
    }

    /// Reads at least one byte into a slice that is not empty.
    pub(crate) fn read(&self, out: &mut [u8], call: &Deadline) -> IoResult<usize> {
        self.step(call, |stream| read_some(stream, out))
    }

    /// Writes at least one byte of a slice that is not empty.
    pub(crate) fn write(&self, bytes: &[u8], call: &Deadline) -> IoResult<usize> {
        self.step(call, |stream| write_some(stream, bytes))
    }

    /// Writes some of one slice and reads some of the other, neither of them empty.
    pub(crate) fn exchange(
        &self,
        send: &[u8],
        recv: &mut [u8],
        call: &Deadline,
    ) -> IoResult<(usize, usize)> {
        self.tell(self.left(call)?)?;
        let (sent, received) = self.stream.exchange(send, recv)?;
        Ok((
            believable(sent, send.len())?,
            believable(received, recv.len())?,
        ))
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

fn nanos(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads at least one byte into a slice that is not empty.
pub(crate) fn read_some(stream: &(impl Duplex + ?Sized), out: &mut [u8]) -> IoResult<usize> {
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
pub(crate) fn believable(count: usize, given: usize) -> IoResult<usize> {
    if count > given {
        let what = format!("the stream reports {count} bytes of {given}");
        return Err(IoError::other(what));
    }
    Ok(count)
}
