//! A stream under TLS.
//!
//! The library of TLS is one state for both directions, behind a lock that is held for no longer than a few records take,
//! and never over a call of the system. Each direction has a buffer of its own beside it, so that one thread reads while
//! another writes. The locks are taken in this order: incoming, outgoing, that of TLS; none of the first two is waited for
//! with the other in hand.
//!
//! # Who pays what is owed
//!
//! TLS wants to say things that no caller waits for: answers, an alert, its end. They are owed until they are on their way.
//! `owes` says that something may be; whoever causes it sets the mark afterwards. Whoever pays holds `outgoing`, and
//! takes the mark away *before* he asks TLS what there is: so what was there before is his to write, and what comes later
//! is marked anew. Where the line takes no more, he sets it again before he lets go. So a debt without a mark is one
//! that somebody is just writing.
//!
//! Every call that waits or writes pays first, and what is left then is among what it waits for. Nothing is owed for ever,
//! then, at an end where somebody goes on to wait: whoever caused it, for one.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Result as IoResult, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use channel::{GuardError, Ready, Wire};
use rustls::Connection;

use crate::handshake::{BUFFER, Shaken, is_early};
use crate::{Error, Fingerprint};

/// What one record of TLS carries.
const RECORD: usize = 16 << 10;
/// Records that are encrypted before they are written: enough that few calls of the system are made, and few enough that
/// the peer decrypts while this party encrypts.
const BATCH: usize = 4;

/// A wire that encrypts what goes over another.
pub(crate) struct TlsWire {
    inner: Box<dyn Wire>,
    ours: Fingerprint,
    tls: Mutex<Connection>,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
    /// Something can be read without a look at the wire below.
    at_hand: AtomicBool,
    /// Something may have to be written that no caller waits for.
    owes: AtomicBool,
}

/// Ciphertext that has come.
struct Incoming {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that TLS has decrypted.
    plain: usize,
    /// The peer has said that no more will come.
    closed: bool,
    /// What came does not decrypt, or is the peer's word that it goes: nothing is read any more.
    failed: Option<GuardError>,
}

/// Ciphertext that is to go.
#[derive(Default)]
struct Outgoing {
    pending: Vec<u8>,
    sent: usize,
    /// Where in `pending` a record ends, and how many bytes it carries: they count as written when it is sent.
    records: VecDeque<(usize, usize)>,
    /// How many bytes all of them carry, and
    carried: usize,
    /// how many those carried that left in other calls than the caller's: his to hear in the next.
    left: usize,
    /// No more bytes will come from here.
    ended: bool,
}

impl TlsWire {
    pub(crate) fn new(shaken: Shaken, ours: Fingerprint) -> Self {
        let Shaken {
            connection,
            wire,
            ahead,
        } = shaken;
        let mut buffer = ahead.clone();
        buffer.resize(BUFFER.max(ahead.len()), 0);
        let incoming = Incoming {
            buffer: buffer.into(),
            start: 0,
            end: ahead.len(),
            plain: 0,
            closed: false,
            failed: None,
        };
        let wire = Self {
            inner: wire,
            ours,
            tls: Mutex::new(connection),
            incoming: Mutex::new(incoming),
            outgoing: Mutex::default(),
            at_hand: AtomicBool::new(true),
            owes: AtomicBool::new(false),
        };
        // What came with the last bytes of the handshake is decrypted already.
        wire.advance(&mut wire.incoming());
        wire
    }

    fn tls(&self) -> MutexGuard<'_, Connection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn incoming(&self) -> MutexGuard<'_, Incoming> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives TLS what has come, as far as it takes it, and looks what that is.
    fn advance(&self, incoming: &mut Incoming) {
        let mut tls = self.tls();
        let mut bytes = &incoming.buffer[incoming.start..incoming.end];
        let taken = bytes.is_empty() || matches!(tls.read_tls(&mut bytes), Ok(1..));
        incoming.start = incoming.end - bytes.len();
        let state = tls.process_new_packets();
        let owes = tls.wants_write();
        drop(tls);
        if owes {
            self.owes.store(true, Ordering::Release);
            self.pay();
        }
        match state {
            Ok(state) => {
                incoming.plain = state.plaintext_bytes_to_read();
                incoming.closed = state.peer_has_closed();
                if !taken && !incoming.closed {
                    incoming.failed = Some(GuardError::new(Error::Harmed));
                }
            }
            Err(error) => incoming.failed = Some(Error::in_session(error, self.ours)),
        }
        if incoming.closed || incoming.failed.is_some() {
            // Nothing that comes after it means anything.
            incoming.start = incoming.end;
        }
    }

    /// Fills the slices from what is at hand, and by `get` if that is nothing.
    fn take(
        &self,
        out: &mut [IoSliceMut<'_>],
        get: impl Fn(&mut [u8]) -> IoResult<usize>,
    ) -> IoResult<usize> {
        let mut incoming = self.incoming();
        let incoming = &mut *incoming;
        let mut filled = 0;
        let outcome = loop {
            if incoming.plain > 0 {
                let count = self.decrypted(out, filled)?;
                incoming.plain -= count;
                filled += count;
                if incoming.plain > 0 {
                    break Ok(filled);
                }
            }
            if incoming.start < incoming.end {
                self.advance(incoming);
                continue;
            }
            if filled > 0 {
                break Ok(filled);
            }
            if let Some(failed) = &incoming.failed {
                break Err(failed.clone().into());
            }
            if incoming.closed {
                break Ok(0);
            }
            match get(&mut incoming.buffer) {
                // Without the peer's word that this is the end, it may be anybody's doing.
                Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => (incoming.start, incoming.end) = (0, count.min(BUFFER)),
                Err(error) => break Err(error),
            }
        };
        let over = incoming.closed || incoming.failed.is_some();
        let rest = incoming.plain > 0 || incoming.start < incoming.end || over;
        let broken = outcome.as_ref().is_err_and(|error| !is_early(error));
        self.at_hand.store(rest || broken, Ordering::Release);
        outcome
    }

    /// Copies what is decrypted into the slices, from a place on.
    fn decrypted(&self, out: &mut [IoSliceMut<'_>], mut skip: usize) -> IoResult<usize> {
        let mut tls = self.tls();
        let mut reader = tls.reader();
        let mut count = 0;
        for slice in out {
            let from = skip.min(slice.len());
            skip -= from;
            let mut room = &mut slice[from..];
            while !room.is_empty() {
                match reader.read(room) {
                    Ok(0) => return Ok(count),
                    Ok(read) => {
                        count += read;
                        room = &mut room[read..];
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(count)
    }

    /// Writes what is encrypted, as far as the wire below takes it.
    fn push(&self, outgoing: &mut Outgoing) -> IoResult<()> {
        let mut outcome = Ok(());
        while outgoing.sent < outgoing.pending.len() {
            let rest = &outgoing.pending[outgoing.sent..];
            match self.inner.try_write(&[IoSlice::new(rest)]) {
                Ok(0) => outcome = Err(ErrorKind::WriteZero.into()),
                Ok(count) => outgoing.sent += count.min(rest.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => outcome = Err(error),
            }
            if outcome.is_err() {
                break;
            }
        }
        while let Some(&(end, carried)) = outgoing.records.front()
            && end <= outgoing.sent
        {
            outgoing.records.pop_front();
            outgoing.carried -= carried;
            outgoing.left += carried;
        }
        if outgoing.sent == outgoing.pending.len() {
            outgoing.pending.clear();
            outgoing.sent = 0;
            if outgoing.ended {
                self.inner.end();
            }
        }
        outcome
    }

    /// Encrypts the next records of what the slices have from a place on.
    fn encrypt(
        &self,
        outgoing: &mut Outgoing,
        bytes: &[IoSlice<'_>],
        mut from: usize,
    ) -> IoResult<()> {
        for _ in 0..BATCH {
            let record = cut(bytes, from, RECORD);
            if record.is_empty() {
                break;
            }
            let mut tls = self.tls();
            let carried = tls
                .writer()
                .write_vectored(&record)
                .map_err(|error| self.sorted(error))?;
            if carried == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            while tls.wants_write() {
                tls.write_tls(&mut outgoing.pending)?;
            }
            drop(tls);
            outgoing
                .records
                .push_back((outgoing.pending.len(), carried));
            outgoing.carried += carried;
            from += carried;
        }
        Ok(())
    }

    /// What TLS has failed of before, said in the same way.
    fn sorted(&self, error: std::io::Error) -> std::io::Error {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Error::in_session(error, self.ours).into(),
            Err(error) => error,
        }
    }

    /// Writes what is owed, without waiting; whether something may be owed still.
    fn pay(&self) -> bool {
        while self.owes.load(Ordering::Acquire) {
            let mut outgoing = match self.outgoing.try_lock() {
                Ok(outgoing) => outgoing,
                Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
                // The mark stays for the next call, of this thread or another.
                Err(TryLockError::WouldBlock) => return true,
            };
            if self.settle(&mut outgoing) {
                return true;
            }
        }
        false
    }

    /// The same in the hand of whoever writes; whether the line takes no more.
    fn settle(&self, outgoing: &mut Outgoing) -> bool {
        self.owes.store(false, Ordering::Release);
        let mut tls = self.tls();
        while tls.wants_write() {
            if tls.write_tls(&mut outgoing.pending).is_err() {
                break;
            }
        }
        drop(tls);
        // If the line is broken, whoever uses it hears of it there.
        let full = self.push(outgoing).is_ok() && !outgoing.pending.is_empty();
        if full {
            self.owes.store(true, Ordering::Release);
        }
        full
    }
}

/// At most `most` bytes of the slices from a place on, as slices.
fn cut<'a>(bytes: &'a [IoSlice<'_>], mut from: usize, mut most: usize) -> Vec<IoSlice<'a>> {
    let mut found = Vec::with_capacity(bytes.len());
    for slice in bytes {
        let start = from.min(slice.len());
        from -= start;
        let count = most.min(slice.len() - start);
        most -= count;
        if count > 0 {
            found.push(IoSlice::new(&slice[start..start + count]));
        }
    }
    found
}

impl Wire for TlsWire {
    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        self.take(out, |buffer| {
            self.inner.try_read(&mut [IoSliceMut::new(buffer)])
        })
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize> {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = bytes.iter().map(|slice| slice.len()).sum();
        if outgoing.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if total < outgoing.left + outgoing.carried {
            // They are encrypted, and cannot be taken back.
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut outcome = self.push(&mut outgoing);
        while outcome.is_ok() && outgoing.pending.is_empty() && outgoing.left < total {
            let from = outgoing.left;
            outcome = self.encrypt(&mut outgoing, bytes, from);
            outcome = outcome.and_then(|()| self.push(&mut outgoing));
        }
        match (std::mem::take(&mut outgoing.left), outcome) {
            (0, Ok(())) => Err(ErrorKind::WouldBlock.into()),
            (0, Err(error)) => Err(error),
            // What went before the error is told first, the error in the next call.
            (done, _) => Ok(done),
        }
    }

    fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready> {
        let owes = self.pay();
        if wanted.read && self.at_hand.load(Ordering::Acquire) {
            return Ok(Ready {
                read: true,
                write: false,
            });
        }
        let below = Ready {
            read: wanted.read,
            write: wanted.write || owes,
        };
        let ready = self.inner.wait(below, timeout)?;
        if owes && ready.write {
            self.pay();
        }
        Ok(ready)
    }

    fn read(&self, out: &mut [IoSliceMut<'_>], timeout: Duration) -> IoResult<usize> {
        if self.pay() {
            let wanted = Ready {
                read: true,
                write: false,
            };
            self.wait(wanted, timeout)?;
            return self.try_read(out);
        }
        // Once: a record that drips in must not be waited for byte by byte, each as long as the whole may take.
        let waited = Cell::new(false);
        self.take(out, |buffer| {
            let buffer = &mut [IoSliceMut::new(buffer)];
            if waited.replace(true) {
                self.inner.try_read(buffer)
            } else {
                self.inner.read(buffer, timeout)
            }
        })
    }

    fn has_ended(&self) -> bool {
        let mut incoming = self.incoming();
        let incoming = &mut *incoming;
        loop {
            if incoming.plain > 0 {
                return false;
            }
            if incoming.start < incoming.end {
                self.advance(incoming);
                continue;
            }
            if incoming.closed || incoming.failed.is_some() {
                return true;
            }
            let got = self
                .inner
                .try_read(&mut [IoSliceMut::new(&mut incoming.buffer)]);
            match got {
                Ok(0) => return true,
                Ok(count) => {
                    (incoming.start, incoming.end) = (0, count.min(BUFFER));
                    self.at_hand.store(true, Ordering::Release);
                }
                Err(error) => return !is_early(&error),
            }
        }
    }

    fn end(&self) {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut outgoing.ended, true) {
            return;
        }
        self.tls().send_close_notify();
        self.settle(&mut outgoing);
    }

    fn cut(&self) {
        self.inner.cut();
    }
}
