//! Both parties in one process.

use std::collections::HashMap;
use std::io::Result as IoResult;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::connection::Connection;
use crate::duplex::{Duplex, write_ready};
use crate::pipe::{PipeReader, PipeWriter, pipe};
use crate::{Error, Relay, Role, Way};

/// Every in-memory session has this id, so that seeded runs are the same bytes each time.
const SESSION: [u8; 16] = *b"blindray in ram\0";

/// How an in-memory connection behaves.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `Memory { timeout, ..Memory::default() }`"
)]
pub struct Memory {
    /// Bytes that each direction of each stream holds before its writer has to wait.
    pub capacity: usize,
    /// Time-out of every channel.
    pub timeout: Duration,
    /// What sits on the line.
    pub relay: Option<Arc<dyn Relay>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            capacity: 64 << 10,
            timeout: Duration::from_secs(60),
            relay: None,
        }
    }
}

impl Memory {
    /// Both ends of a new connection: the server's, then the client's.
    ///
    /// # Panics
    ///
    /// If the capacity or the time-out is zero.
    #[must_use]
    pub fn pair(&self) -> (Connection, Connection) {
        assert!(self.capacity > 0, "a pipe needs room for a byte");
        assert!(!self.timeout.is_zero(), "a channel needs a time-out");
        let hub = Arc::new(Hub {
            options: self.clone(),
            state: Mutex::default(),
        });
        let end = |role| Connection::in_memory(role, SESSION, self.timeout, Arc::clone(&hub));
        (end(Role::Server), end(Role::Client))
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("capacity", &self.capacity)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Both ends of an in-memory connection with bounded pipes: the server's, then the client's.
///
/// # Panics
///
/// If `capacity` is zero.
#[must_use]
pub fn memory_pair(capacity: usize) -> (Connection, Connection) {
    Memory {
        capacity,
        ..Memory::default()
    }
    .pair()
}

/// One end of two pipes.
struct MemoryLine {
    reader: PipeReader,
    writer: PipeWriter,
    /// In nanoseconds.
    timeout: AtomicU64,
}

impl MemoryLine {
    const fn new(reader: PipeReader, writer: PipeWriter) -> Self {
        let timeout = AtomicU64::new(u64::MAX);
        Self {
            reader,
            writer,
            timeout,
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout.load(Ordering::Relaxed))
    }
}

impl Duplex for MemoryLine {
    fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.timeout.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        self.reader.read(out, self.timeout())
    }

    fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        self.writer.write(bytes, self.timeout())
    }

    fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        write_ready(bytes, |rest| self.writer.try_write(rest))
    }

    fn room(&self) -> usize {
        self.writer.capacity()
    }

    fn end(&self) {
        self.writer.close();
    }

    fn cut(&self) {
        self.reader.close();
        self.writer.close();
    }
}

/// Where the two ends meet.
pub(crate) struct Hub {
    options: Memory,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Lines that one party has made and the other not yet opened.
    waiting: HashMap<(Role, u32), MemoryLine>,
    gone: Vec<Role>,
}

impl Hub {
    pub(crate) fn open(&self, role: Role, stream: u32) -> Result<Box<dyn Duplex>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.waiting.remove(&(role, stream)) {
            return Ok(Box::new(line));
        }
        if state.gone.contains(&role.peer()) {
            return Err(Error::Closed {
                phase: format!("opening stream {stream}"),
            });
        }
        let way = |from| {
            self.options
                .relay
                .clone()
                .map(|relay| (Way { stream, from }, relay))
        };
        let (here_out, there_in) = pipe(self.options.capacity, way(role));
        let (there_out, here_in) = pipe(self.options.capacity, way(role.peer()));
        state
            .waiting
            .insert((role.peer(), stream), MemoryLine::new(there_in, there_out));
        Ok(Box::new(MemoryLine::new(here_in, here_out)))
    }

    /// This party is gone: what waited for it ends.
    pub(crate) fn leave(&self, role: Role) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gone.push(role);
        state.waiting.retain(|(owner, _), _| *owner != role);
    }
}
