//! A bounded one-way byte pipe between two threads.

use std::collections::VecDeque;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::relay::{Relay, Way};

/// What both ends of a pipe share.
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    capacity: usize,
}

struct State {
    bytes: VecDeque<u8>,
    writer_gone: bool,
    reader_gone: bool,
    /// Position of the next byte in the stream, counted from its start.
    offset: u64,
}

impl Shared {
    /// Nothing is left half-done under the lock, so a panic elsewhere does not spoil the state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready`, or fails after `timeout`.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
        ready: impl Fn(&State) -> bool,
    ) -> IoResult<MutexGuard<'a, State>> {
        let (state, outcome) = self
            .moved
            .wait_timeout_while(state, timeout, |state| !ready(state))
            .unwrap_or_else(PoisonError::into_inner);
        if outcome.timed_out() {
            Err(IoError::from(ErrorKind::TimedOut))
        } else {
            Ok(state)
        }
    }
}

/// The end that bytes go into. Dropping it ends the stream.
pub(crate) struct PipeWriter {
    shared: Arc<Shared>,
    relay: Option<(Way, Arc<dyn Relay>)>,
}

/// The end that bytes come out of. Dropping it makes the writer fail.
pub(crate) struct PipeReader {
    shared: Arc<Shared>,
}

/// A pipe that holds at most `capacity` bytes; `relay` sees every byte that goes in.
pub(crate) fn pipe(
    capacity: usize,
    relay: Option<(Way, Arc<dyn Relay>)>,
) -> (PipeWriter, PipeReader) {
    let state = State {
        bytes: VecDeque::with_capacity(capacity),
        writer_gone: false,
        reader_gone: false,
        offset: 0,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        moved: Condvar::new(),
        capacity,
    });
    (
        PipeWriter {
            shared: Arc::clone(&shared),
            relay,
        },
        PipeReader { shared },
    )
}

impl PipeWriter {
    /// How many bytes it holds at most.
    pub(crate) fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Puts in at least one byte, waiting for room; returns how many.
    pub(crate) fn write(&self, bytes: &[u8], timeout: Duration) -> IoResult<usize> {
        let state = self.shared.lock();
        let capacity = self.shared.capacity;
        let state = self.shared.wait(state, timeout, |s| {
            s.reader_gone || s.writer_gone || s.bytes.len() < capacity
        })?;
        self.put(state, bytes)
    }

    /// Puts in what fits now; `WouldBlock` if nothing does.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        let state = self.shared.lock();
        if state.bytes.len() >= self.shared.capacity && !state.reader_gone && !state.writer_gone {
            return Err(IoError::from(ErrorKind::WouldBlock));
        }
        self.put(state, bytes)
    }

    fn put(&self, mut state: MutexGuard<'_, State>, bytes: &[u8]) -> IoResult<usize> {
        if state.reader_gone || state.writer_gone {
            return Err(IoError::from(ErrorKind::BrokenPipe));
        }
        let count = bytes.len().min(self.shared.capacity - state.bytes.len());
        match &self.relay {
            None => state.bytes.extend(&bytes[..count]),
            Some((way, relay)) => {
                let mut passing = bytes[..count].to_vec();
                let kept = relay.pass(*way, state.offset, &mut passing).min(count);
                state.bytes.extend(&passing[..kept]);
                // A relay that holds bytes back has cut the line.
                state.writer_gone = kept < count;
            }
        }
        state.offset += count as u64;
        drop(state);
        self.shared.moved.notify_all();
        Ok(count)
    }

    /// Ends the stream: the reader gets what is in the pipe and then the end.
    pub(crate) fn close(&self) {
        self.shared.lock().writer_gone = true;
        self.shared.moved.notify_all();
    }
}

impl PipeReader {
    /// Takes out at least one byte, waiting for it; 0 at the end of the stream.
    pub(crate) fn read(&self, out: &mut [u8], timeout: Duration) -> IoResult<usize> {
        let state = self.shared.lock();
        let mut state = self.shared.wait(state, timeout, |s| {
            s.writer_gone || s.reader_gone || !s.bytes.is_empty()
        })?;
        let count = out.len().min(state.bytes.len());
        let (front, back) = state.bytes.as_slices();
        let split = front.len().min(count);
        out[..split].copy_from_slice(&front[..split]);
        out[split..count].copy_from_slice(&back[..count - split]);
        state.bytes.drain(..count);
        drop(state);
        self.shared.moved.notify_all();
        Ok(count)
    }

    /// Makes the writer fail from now on.
    pub(crate) fn close(&self) {
        self.shared.lock().reader_gone = true;
        self.shared.moved.notify_all();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.close();
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.close();
    }
}
