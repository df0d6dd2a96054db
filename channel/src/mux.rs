//! A lane: one byte stream that carries several numbered ones.
//!
//! There is no thread between a party and its data. Whoever waits for bytes reads the lane, one thread at a time, and puts
//! what belongs to other streams into their inboxes, where the flow control keeps room for it; the others wait for its
//! news. Whoever finds the lane full reads it while it waits to write. So the lane is always being read while anybody
//! at this end waits for anything, and two parties that both write cannot stop each other.

use std::io::{Error as IoError, ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::Progress;
use crate::error::BadFrame;
use crate::frame::{Frame, MAX_PAYLOAD, MAX_STREAMS};
use crate::guard::GuardError;
use crate::inbox::Inbox;
use crate::keeper::Bell;
use crate::leave::{Leave, Left};
use crate::unframe::{Sink, Unframer};
use crate::wire::{Ready, Wire};

/// A writer that waits while another thread reads looks this often whether it still does.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A payload of at most this many bytes is copied behind its header: that costs less than to hand over two slices.
const SHORT: usize = 4 << 10;

/// One lane, shared by its streams.
pub(crate) struct Mux {
    wire: Box<dyn Wire>,
    incoming: Mutex<Incoming>,
    /// Somebody has read the lane.
    moved: Condvar,
    /// Held while a frame is written. What it holds was begun, and goes out before anything else.
    outgoing: Mutex<Vec<u8>>,
    /// Frames that nobody waits for: they go out with the next, or when the lane takes them.
    owed: Mutex<Vec<u8>>,
    /// Whether anything was written since the keeper looked.
    wrote: AtomicBool,
    progress: Arc<Progress>,
    /// Wakes the keeper.
    pub(crate) bell: Bell,
}

struct Incoming {
    /// None while a thread reads.
    unframer: Option<Unframer>,
    inboxes: [Inbox; MAX_STREAMS as usize],
    /// Threads that wait for the one that reads.
    followers: usize,
    /// How the lane ended, if it has.
    lost: Option<Lost>,
    /// Until when the peer has time to take that this party has left.
    leaving: Option<Instant>,
}

/// How a lane ended.
#[derive(Clone)]
enum Lost {
    Failed(ErrorKind),
    /// The guard of the line found something.
    Guarded(GuardError),
    /// The peer broke the rules.
    Broken(&'static str),
    /// One of the parties has left.
    Left(Left),
}

impl Lost {
    fn of(error: &IoError) -> Self {
        match GuardError::within(error) {
            Some(found) => Self::Guarded(found.clone()),
            None => Self::Failed(error.kind()),
        }
    }

    fn error(&self) -> IoError {
        match self {
            Self::Failed(kind) => (*kind).into(),
            Self::Guarded(found) => found.clone().into(),
            Self::Left(left) => (*left).into(),
            Self::Broken(reason) => IoError::new(ErrorKind::InvalidData, BadFrame(reason)),
        }
    }
}

type Guard<'a> = MutexGuard<'a, Incoming>;

impl Mux {
    /// The wire has begun.
    pub(crate) fn new(wire: Box<dyn Wire>, progress: Arc<Progress>) -> Self {
        let incoming = Incoming {
            unframer: Some(Unframer::new()),
            inboxes: Default::default(),
            followers: 0,
            lost: None,
            leaving: None,
        };
        Self {
            wire,
            incoming: Mutex::new(incoming),
            moved: Condvar::new(),
            outgoing: Mutex::default(),
            owed: Mutex::default(),
            wrote: AtomicBool::new(false),
            progress,
            bell: Bell::default(),
        }
    }

    pub(crate) fn wire(&self) -> &dyn Wire {
        &*self.wire
    }

    /// Somebody listens to a stream from now on: the peer may send as much as a window holds.
    pub(crate) fn open(&self, stream: usize) {
        let bytes = self.lock().inboxes[stream].open();
        self.owe(Frame::Grant { stream, bytes });
        self.flush();
    }

    /// Reads at least one byte of a stream into a slice that is not empty; 0 at the stream's end.
    pub(crate) fn read(&self, stream: usize, out: &mut [u8], until: Instant) -> IoResult<usize> {
        let mut sink = Sink::new(stream, out);
        let mut state = self.lock();
        loop {
            sink.take_from(&mut state.inboxes[stream]);
            if sink.filled() > 0 {
                self.consumed(state, stream, sink.filled());
                return Ok(sink.filled());
            }
            if state.inboxes[stream].has_ended() {
                return Ok(0);
            }
            state = self.turn(state, &mut sink, false, until)?;
        }
    }

    /// Writes at least one byte of a stream, of a slice that is not empty.
    pub(crate) fn write(&self, stream: usize, bytes: &[u8], until: Instant) -> IoResult<usize> {
        let mut nothing = Sink::new(stream, &mut []);
        let mut state = self.lock();
        let length = loop {
            if let Some(lost @ Lost::Left(_)) = &state.lost {
                return Err(lost.error());
            }
            let length = state.inboxes[stream].claim(bytes.len().min(MAX_PAYLOAD));
            if length > 0 {
                break length;
            }
            state = self.turn(state, &mut nothing, false, until)?;
        };
        drop(state);
        self.send(stream, &bytes[..length], &mut nothing, until)?;
        Ok(length)
    }

    /// Writes some of one slice and reads some of the other, neither empty; waits until there was some of either.
    pub(crate) fn exchange(
        &self,
        stream: usize,
        send: &[u8],
        recv: &mut [u8],
        until: Instant,
    ) -> IoResult<(usize, usize)> {
        let mut sink = Sink::new(stream, recv);
        let mut state = self.lock();
        let length = loop {
            sink.take_from(&mut state.inboxes[stream]);
            let length = state.inboxes[stream].claim(send.len().min(MAX_PAYLOAD));
            if length + sink.filled() > 0 {
                break length;
            }
            if state.inboxes[stream].has_ended() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            state = self.turn(state, &mut sink, false, until)?;
        };
        drop(state);
        if length > 0 {
            self.send(stream, &send[..length], &mut sink, until)?;
        }
        self.consumed(self.lock(), stream, sink.filled());
        Ok((length, sink.filled()))
    }

    /// No more bytes of this stream will come from us.
    pub(crate) fn end(&self, stream: usize) {
        self.owe(Frame::End { stream });
        self.flush();
    }

    /// Nobody will read this stream any more.
    pub(crate) fn stop_listening(&self, stream: usize) {
        let mut state = self.lock();
        state.inboxes[stream].stop_listening();
        self.grant(&mut state, stream);
        drop(state);
        self.flush();
    }

    /// Tells the peer why this party leaves, and does nothing more. Frames that were begun come first. The keeper sees to it that the peer has so much time
    /// to take it, after which all is cut.
    pub(crate) fn leave(&self, why: Leave, within: Duration) {
        let mut state = self.lock();
        if state.lost.is_some() {
            return;
        }
        state.lost = Some(Lost::Left(Left { why, here: true }));
        state.leaving = Some(Instant::now() + within);
        self.owe(Frame::Leave(why));
        self.moved.notify_all();
        drop(state);
        self.flush();
        self.bell.ring_out();
    }

    /// Until when the peer has time to take that this party has left, if it has and nothing else has ended the lane.
    pub(crate) fn leaving(&self) -> Option<Instant> {
        self.lock().leaving
    }

    /// Whether all that was owed and begun is on its way.
    pub(crate) fn is_flushed(&self) -> bool {
        let flushed = self.flush() && self.lock_owed().is_empty();
        flushed && self.outgoing.try_lock().is_ok_and(|rest| rest.is_empty())
    }

    /// After this party has left: takes what still comes, unless another thread does, and throws it away; whether there will be more.
    pub(crate) fn take_rest(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        if state.leaving.is_none() {
            return false;
        }
        let Some(unframer) = state.unframer.take() else {
            let woken = self.moved.wait_timeout(state, timeout);
            drop(woken);
            return true;
        };
        drop(state);
        let wanted = Ready {
            read: true,
            write: false,
        };
        let mut rest = [0; 4096];
        drop(self.wire.wait(wanted, timeout));
        let read = self.wire.try_read(&mut [IoSliceMut::new(&mut rest)]);
        let more = match read {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        let mut state = self.lock();
        state.unframer = Some(unframer);
        more && state.leaving.is_some()
    }

    /// Ends everything at once.
    pub(crate) fn cut(&self) {
        self.lose(&mut self.lock(), Lost::Failed(ErrorKind::NotConnected));
    }

    /// The same, unless the keeper does so as soon as the peer has heard that this party has left.
    pub(crate) fn cut_unless_leaving(&self) {
        let mut state = self.lock();
        if state.leaving.is_none() {
            self.lose(&mut state, Lost::Failed(ErrorKind::NotConnected));
        }
    }

    /// Sends a sign of life, unless something was sent since the last call.
    pub(crate) fn show_life(&self) {
        if self.wrote.swap(false, Ordering::Relaxed) || !self.lock_owed().is_empty() {
            return;
        }
        self.owe(Frame::Ping);
        self.flush();
    }

    /// Writes what is owed without waiting; false if there is more than the lane takes now, of which the keeper is told.
    pub(crate) fn flush(&self) -> bool {
        loop {
            let mut rest = match self.outgoing.try_lock() {
                Ok(rest) => rest,
                Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
                // Whoever writes looks again when it is done.
                Err(TryLockError::WouldBlock) => return true,
            };
            rest.append(&mut self.lock_owed());
            while !rest.is_empty() {
                match self.wire.try_write(&[IoSlice::new(&rest)]) {
                    Ok(count @ 1..) => {
                        let count = count.min(rest.len());
                        rest.drain(..count);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.bell.ring();
                        return false;
                    }
                    // Whoever needs the lane notices; there is nothing left to write to.
                    Ok(0) | Err(_) => {
                        rest.clear();
                        self.lock_owed().clear();
                    }
                }
                self.wrote.store(true, Ordering::Relaxed);
            }
            drop(rest);
            if self.lock_owed().is_empty() {
                return true;
            }
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lock().lost.is_some()
    }

    fn lock(&self) -> Guard<'_> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_owed(&self) -> MutexGuard<'_, Vec<u8>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owe(&self, frame: Frame) {
        self.lock_owed().extend(frame.encode());
        self.progress.add_header_sent();
    }

    /// Reads the lane once, or waits while another thread does. Then something may have changed.
    ///
    /// A thread that is about to write waits no longer than until it can.
    fn turn<'a>(
        &'a self,
        mut state: Guard<'a>,
        sink: &mut Sink<'_>,
        writing: bool,
        until: Instant,
    ) -> IoResult<Guard<'a>> {
        match &state.lost {
            // A frame that was begun comes to its end.
            Some(Lost::Left(_)) if writing && state.leaving.is_some() => {}
            Some(lost) => return Err(lost.error()),
            None => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let Some(mut unframer) = state.unframer.take() else {
            return self.follow(state, writing, left);
        };
        // What another thread read for this one comes before what is read now.
        sink.take_from_all(&mut state.inboxes);
        drop(state);
        let outcome = unframer.fill(self.wire(), sink, writing, left);
        let mut state = self.lock();
        let mut owed = false;
        match outcome {
            Ok(()) => {
                let parsed = unframer.parse(&mut state.inboxes, sink, &self.progress);
                match parsed {
                    Ok(None) => {}
                    Ok(Some(why)) => {
                        let left = Left { why, here: false };
                        self.lose(&mut state, Lost::Left(left));
                    }
                    Err(reason) => self.lose(&mut state, Lost::Broken(reason)),
                }
                for stream in 0..state.inboxes.len() {
                    owed |= state.inboxes[stream].is_deaf() && self.grant(&mut state, stream);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => self.lose(&mut state, Lost::of(&error)),
            },
        }
        state.unframer = Some(unframer);
        if state.followers > 0 {
            self.moved.notify_all();
        }
        if owed {
            drop(state);
            self.flush();
            state = self.lock();
        }
        Ok(state)
    }

    /// Waits while another thread reads.
    fn follow<'a>(
        &'a self,
        mut state: Guard<'a>,
        writing: bool,
        left: Duration,
    ) -> IoResult<Guard<'a>> {
        if writing {
            drop(state);
            let wanted = Ready {
                read: false,
                write: true,
            };
            // The other thread may stop reading before the lane takes more.
            self.wire.wait(wanted, left.min(LOOK_AGAIN))?;
            return Ok(self.lock());
        }
        state.followers += 1;
        let woken = self.moved.wait_timeout(state, left);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        state.followers -= 1;
        Ok(state)
    }

    /// Writes a payload in one frame. What comes meanwhile goes to `sink` and the inboxes.
    fn send(
        &self,
        stream: usize,
        payload: &[u8],
        sink: &mut Sink<'_>,
        until: Instant,
    ) -> IoResult<()> {
        let header = Frame::Data {
            stream,
            length: payload.len(),
        };
        let mut rest = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        rest.append(&mut self.lock_owed());
        rest.extend(header.encode());
        let outcome = if payload.len() <= SHORT {
            rest.extend(payload);
            self.send_all(&rest, &[], sink, until)
        } else {
            self.send_all(&rest, payload, sink, until)
        };
        // After an error there is nobody left to send it to.
        rest.clear();
        drop(rest);
        if let Err(error) = outcome {
            // Part of a frame is out. A peer that does not listen any more may have said why.
            let now = Instant::now() + LOOK_AGAIN;
            drop(self.turn(self.lock(), sink, false, now));
            let mut state = self.lock();
            self.lose(&mut state, Lost::of(&error));
            return Err(match &state.lost {
                Some(lost @ Lost::Left(_)) => lost.error(),
                _ => error,
            });
        }
        self.progress.add_header_sent();
        self.wrote.store(true, Ordering::Relaxed);
        if !self.lock_owed().is_empty() {
            self.flush();
        }
        Ok(())
    }

    fn send_all(
        &self,
        mut header: &[u8],
        mut payload: &[u8],
        sink: &mut Sink<'_>,
        until: Instant,
    ) -> IoResult<()> {
        while !(header.is_empty() && payload.is_empty()) {
            let room = header.len() + payload.len();
            let slices = [IoSlice::new(header), IoSlice::new(payload)];
            let slices = match (header, payload) {
                ([], _) => &slices[1..],
                (_, []) => &slices[..1],
                _ => &slices,
            };
            let count = match self.wire.try_write(slices) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => crate::line::believable(count, room)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    drop(self.turn(self.lock(), sink, true, until)?);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let of_header = count.min(header.len());
            header = &header[of_header..];
            payload = &payload[count - of_header..];
        }
        Ok(())
    }

    /// These bytes have reached whoever wanted them.
    fn consumed(&self, mut state: Guard<'_>, stream: usize, bytes: usize) {
        state.inboxes[stream].consumed(bytes);
        let owed = self.grant(&mut state, stream);
        drop(state);
        if owed {
            self.flush();
        }
    }

    /// Grants the peer what is due; whether anything was.
    fn grant(&self, state: &mut Incoming, stream: usize) -> bool {
        let due = state.inboxes[stream].due();
        if let Some(bytes) = due {
            self.owe(Frame::Grant { stream, bytes });
        }
        due.is_some()
    }

    fn lose(&self, state: &mut Incoming, how: Lost) {
        state.lost.get_or_insert(how);
        state.leaving = None;
        self.wire.cut();
        self.moved.notify_all();
    }
}
