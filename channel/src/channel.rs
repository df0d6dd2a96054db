//! A channel: one stream to the peer, buffered and accounted.

use std::borrow::Cow;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crate::buffered::{self, Reader, Writer};
use crate::deadline::Deadline;
use crate::line::Line;
use crate::{Cost, Error, Ledger, Progress, ReadHalf, Role, SessionId, WriteHalf};

/// One buffered duplex byte stream to the other party, every byte and flight accounted.
///
/// Calls block. What was sent is delivered at the latest when this party next waits for the peer,
/// or on [`Channel::flush`], or when the channel is dropped; a party that sends and then computes
/// should flush first. After any error the channel is dead: the line is cut, so that the peer
/// notices, and every later call returns [`Error::Dead`].
///
/// ```
/// let (server, client) = channel::memory_pair(64);
/// let (mut server, mut client) = (server.open(0)?, client.open(0)?);
/// std::thread::scope(|scope| {
///     scope.spawn(move || server.send(b"seven"));
///     let mut word = [0; 5];
///     client.recv(&mut word)?;
///     assert_eq!(&word, b"seven");
///     assert_eq!(client.measured(), channel::Cost::to_client(5));
///     Ok::<(), channel::Error>(())
/// })?;
/// # Ok::<(), channel::Error>(())
/// ```
pub struct Channel {
    pub(crate) role: Role,
    pub(crate) session: SessionId,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) ledger: Ledger,
}

impl Channel {
    pub(crate) fn new(
        role: Role,
        session: SessionId,
        line: Line,
        ledger: Ledger,
        progress: Arc<Progress>,
    ) -> Self {
        let line = Arc::new(line);
        Self {
            role,
            session,
            writer: Writer::new(Arc::clone(&line), Arc::clone(&progress)),
            reader: Reader::new(line, progress),
            ledger,
        }
    }

    /// The party at this end.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Sends bytes, through a buffer if they are few.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if the peer takes nothing for the time-out, [`Error::Closed`] if it is
    /// gone, [`Error::Dead`] after an earlier error, [`Error::Io`] otherwise.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.alive()?;
        self.ledger.record(self.role, bytes.len(), 0);
        if self.writer.gather(bytes) {
            return Ok(());
        }
        let call = self.writer.call(bytes.len());
        let outcome = self.writer.send(bytes, &call);
        self.check(outcome)
    }

    /// Delivers everything sent so far.
    ///
    /// # Errors
    ///
    /// As [`Channel::send`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.alive()?;
        let call = self.writer.call(0);
        let outcome = self.writer.flush(&call);
        self.check(outcome)
    }

    /// Fills `out` with the peer's next bytes, after delivering what was sent.
    ///
    /// # Errors
    ///
    /// As [`Channel::send`]; [`Error::Timeout`] if nothing comes for the time-out, or if the bytes come more slowly than
    /// the least rate.
    pub fn recv(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.alive()?;
        self.ledger.record(self.role, 0, out.len());
        let call = self.writer.call(out.len());
        let outcome = self
            .writer
            .flush(&call)
            .and_then(|()| self.reader.recv(out, &call));
        self.check(outcome)
    }

    /// Both parties speak at once: sends `send` and fills `recv`, whatever the four lengths.
    ///
    /// The peer must be in the `exchange` that mirrors this one. Counted as one flight, two-sided
    /// unless one of the slices is empty.
    ///
    /// # Errors
    ///
    /// As [`Channel::send`] and [`Channel::recv`].
    pub fn exchange(&mut self, send: &[u8], recv: &mut [u8]) -> Result<(), Error> {
        self.alive()?;
        self.ledger.record(self.role, send.len(), recv.len());
        let call = self.writer.call(send.len() + recv.len());
        let outcome = self
            .writer
            .flush(&call)
            .and_then(|()| self.both_speak(send, recv, &call));
        self.check(outcome)
    }

    /// Why this cannot hang, for any lengths: suppose both parties are stuck for good.
    ///
    /// *On a line of its own*, whose default exchange writes what the line takes, and then reads. A party stuck in
    /// `write_all` has received everything, and its outgoing line is full of bytes that the peer still wants. The peer
    /// then has something to read, so it is not stuck reading; were it stuck in `write_all` too, it would have received
    /// everything. So both are stuck reading with both lines empty. Neither has sent everything, else the other would
    /// have what it waits for. So the last thing each did before it waited was a write that ended because the line was
    /// full. Take the later of the two, say B's. A has to read for that line to be empty now, after B's attempt and so
    /// after its own last attempt. But A tries to write after every read. Contradiction.
    ///
    /// *On a shared lane*, a party that is stuck anywhere reads the lane, or another thread of it does, so all that was
    /// written has arrived, grants too, and no frame is stuck half-way. Were neither party to have bytes left to send,
    /// the last of them would have arrived. So one, say A, has, and what it lacks is credit, as `exchange` and
    /// `write_all` use any credit they have. Its credit is a window less what B has not granted back, and B keeps back less
    /// than a quarter of a window of what it has consumed, so B has bytes that it has not consumed. They are of this
    /// exchange, or of what came before it and was consumed by then. B is stuck, so it does not want them: it has
    /// received everything. Then A has nothing left to send. Contradiction.
    ///
    /// A line that cannot tell whether it is full is read and written in two threads, and so waits for nothing but
    /// the peer.
    fn both_speak(&mut self, send: &[u8], recv: &mut [u8], call: &Deadline) -> IoResult<()> {
        let (sent, received) =
            match buffered::exchange(&self.writer, &mut self.reader, send, recv, call) {
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    return self.both_at_once(send, recv, call);
                }
                done => done?,
            };
        self.writer.write_all(&send[sent..], call)?;
        self.reader.recv(&mut recv[received..], call)
    }

    /// A second thread writes while this one reads.
    fn both_at_once(&mut self, send: &[u8], recv: &mut [u8], call: &Deadline) -> IoResult<()> {
        let Self { writer, reader, .. } = self;
        let line = Arc::clone(writer.line());
        std::thread::scope(|scope| {
            let write = || {
                let outcome = writer.write_all(send, call);
                // The one that fails cuts the line, so that the other need not wait for its time-out.
                let first = outcome.is_err() && line.kill();
                (outcome, first)
            };
            let writing = Builder::new().spawn_scoped(scope, write)?;
            let received = reader.recv(recv, call);
            if received.is_err() {
                line.kill();
            }
            let (written, first) = writing.join().unwrap_or_else(|panic| resume_unwind(panic));
            // What went wrong first is the reason for the other.
            if first {
                written
            } else {
                received.and(written)
            }
        })
    }

    /// Sends a message behind its length (8 bytes, little-endian).
    ///
    /// # Errors
    ///
    /// As [`Channel::send`].
    pub fn send_frame(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.send_u64(bytes.len() as u64)?;
        self.send(bytes)
    }

    /// Receives a message of at most `limit` bytes; nothing is allocated before that is checked.
    ///
    /// # Errors
    ///
    /// [`Error::FrameTooLong`] if the peer announces more; otherwise as [`Channel::recv`].
    pub fn recv_frame(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let length = self.recv_u64()?;
        match usize::try_from(length) {
            Ok(count) if count <= limit => {
                let mut bytes = vec![0; count];
                self.recv(&mut bytes)?;
                Ok(bytes)
            }
            _ => {
                self.fail();
                let phase = self.phase();
                Err(Error::FrameTooLong {
                    phase,
                    length,
                    limit: limit as u64,
                })
            }
        }
    }

    /// Sends a number (8 bytes, little-endian).
    ///
    /// # Errors
    ///
    /// As [`Channel::send`].
    pub fn send_u64(&mut self, value: u64) -> Result<(), Error> {
        self.send(&value.to_le_bytes())
    }

    /// Receives a number (8 bytes, little-endian).
    ///
    /// # Errors
    ///
    /// As [`Channel::recv`].
    pub fn recv_u64(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.recv(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// How many bytes the peer need not have asked for when they are sent, at least; see [`Duplex::room`](crate::Duplex::room).
    #[must_use]
    pub fn room(&self) -> usize {
        self.writer.line().room()
    }

    /// Starts a new phase of the account. Errors name it.
    pub fn enter_phase(&mut self, name: impl Into<Cow<'static, str>>) {
        self.ledger.enter(name.into());
    }

    /// The account of this channel.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What was said since the handshake, all phases in order; no correlations.
    #[must_use]
    pub fn measured(&self) -> Cost {
        self.ledger.measured()
    }

    /// How long the peer may be silent, or take nothing, before a call gives up. A call has that time and the time that its
    /// bytes take at the least rate of the connection ([`Config::least_rate`](crate::Config)).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses.
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        assert!(!timeout.is_zero(), "a channel needs a time-out");
        let outcome = self.writer.line().set_timeout(timeout);
        self.check(outcome)
    }

    /// How long all calls from now on may take together; `None` sets no such limit, as at the start. Past it, a call that
    /// has to wait gives up with [`Error::Timeout`].
    pub fn set_total(&mut self, total: Option<Duration>) {
        self.writer.line().set_total(total);
    }

    /// Cuts the line, so that the peer notices, because the peer broke the protocol above.
    pub fn fail(&mut self) {
        self.writer.line().kill();
    }

    /// Whether an error has ended this channel.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.writer.line().is_dead()
    }

    /// Splits into two halves for two threads; [`Channel::join`] puts them together again. What was
    /// sent and not yet delivered stays with the sending half.
    #[must_use]
    pub fn split(self) -> (WriteHalf, ReadHalf) {
        let phase = self.phase();
        (
            WriteHalf {
                writer: self.writer,
                ledger: self.ledger,
                role: self.role,
                session: self.session,
                sent: 0,
            },
            ReadHalf {
                reader: self.reader,
                phase,
                received: 0,
            },
        )
    }

    /// Puts two halves together. What they carried counts as one flight, two-sided if both did.
    ///
    /// # Panics
    ///
    /// If the halves are of different channels.
    #[must_use]
    pub fn join(write: WriteHalf, read: ReadHalf) -> Self {
        let WriteHalf {
            writer,
            mut ledger,
            role,
            session,
            sent,
        } = write;
        let ReadHalf {
            reader, received, ..
        } = read;
        assert!(
            Arc::ptr_eq(writer.line(), reader.line()),
            "halves of different channels"
        );
        ledger.record(role, sent, received);
        Self {
            role,
            session,
            writer,
            reader,
            ledger,
        }
    }

    fn alive(&mut self) -> Result<(), Error> {
        if self.is_dead() {
            return Err(Error::Dead);
        }
        if self.writer.line().session_is_over() {
            return self.check(Err(ErrorKind::TimedOut.into()));
        }
        Ok(())
    }

    fn phase(&self) -> String {
        self.ledger.current().name().to_owned()
    }

    fn check<T>(&mut self, outcome: IoResult<T>) -> Result<T, Error> {
        outcome.map_err(|cause: IoError| {
            self.fail();
            let phase = self.ledger.current().name();
            self.writer.line().error(cause, phase)
        })
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("role", &self.role)
            .field("phase", &self.ledger.current().name())
            .field("dead", &self.is_dead())
            .finish_non_exhaustive()
    }
}
