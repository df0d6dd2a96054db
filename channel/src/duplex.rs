//! Byte streams that channels can speak over, and where they come from: the seam for transports.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::Error;

/// An ordered, reliable byte stream both ways. Reading and writing may go on in two threads at the same
/// time. TCP streams and, on Unix, socket pairs are ones; an encrypted stream is another.
pub trait Duplex: Send + Sync {
    /// How long a read or a write may wait from now on, longer than zero; called before the first, and whenever it
    /// changes.
    ///
    /// # Errors
    /// If the stream cannot do it.
    fn set_timeout(&self, timeout: Duration) -> IoResult<()>;

    /// Reads at least one byte into a slice that is not empty, and returns how many; 0 where the peer has ended the
    /// stream. More than the slice has room for is an error of the channel, as with the other two calls.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] or [`ErrorKind::WouldBlock`] after the time-out, else what went wrong.
    fn read(&self, out: &mut [u8]) -> IoResult<usize>;

    /// Writes at least one byte of a slice that is not empty, and returns how many; 0 is an error of the channel.
    ///
    /// # Errors
    /// As [`Duplex::read`].
    fn write(&self, bytes: &[u8]) -> IoResult<usize>;

    /// Writes what the stream takes without waiting, and returns how many bytes that is. It is not called while
    /// another thread reads.
    ///
    /// 0 means that the stream is full, and takes more once the peer has read. A stream that cannot tell leaves this
    /// call as it is; then a channel that has to read as well writes by [`Duplex::write`] in a second thread, one for
    /// every step in which both parties speak.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the stream cannot do it, else what went wrong; a full stream is no error.
    fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        let _ = bytes;
        Err(ErrorKind::Unsupported.into())
    }

    /// Writes some of one slice and reads some of the other, neither of them empty, and returns how many bytes each
    /// way. Waits until there was some of either.
    ///
    /// As it is here, it writes what the stream takes at once, and then reads. A stream that may find itself able to take
    /// more without having anything to read must wait for either.
    ///
    /// # Errors
    /// As [`Duplex::read`], [`ErrorKind::UnexpectedEof`] where the peer has ended the stream, and
    /// [`ErrorKind::Unsupported`] as [`Duplex::try_write`].
    fn exchange(&self, send: &[u8], recv: &mut [u8]) -> IoResult<(usize, usize)> {
        let sent = self.try_write(send)?;
        Ok((sent, crate::line::read_some(self, recv)?))
    }

    /// How many bytes the stream takes, at least, that the peer has not asked for yet: within that no write waits for a reader of this
    /// stream. 0, as it is here, where that is not known; then protocols say nothing before the peer waits for it, which costs time on long lines.
    fn room(&self) -> usize {
        0
    }

    /// Says that no more bytes will come from here. The peer's last bytes can still be read.
    fn end(&self);

    /// Ends both directions at once and for good; calls that wait return.
    fn cut(&self);
}

/// Where the numbered streams of a connection come from.
///
/// Which numbers are opened is up to the protocol above. Sessions of inference open four: [`ONLINE`](crate::ONLINE) (0),
/// [`REFILL_SERVER_SENDS`](crate::REFILL_SERVER_SENDS) (1), [`REFILL_CLIENT_SENDS`](crate::REFILL_CLIENT_SENDS) (2), and
/// 3 for the conversation around them; `service::STREAMS` lists them. The example `unix_sockets` is a transport that
/// makes streams as they are asked for.
pub trait Transport: Send + Sync {
    /// This end of a stream. The peer opens the same number, before or after; nobody opens one twice.
    ///
    /// # Errors
    /// [`Error::NoStream`] where there is none of this number, [`Error::Closed`] or [`Error::Timeout`] where the peer is
    /// gone or does not open it.
    fn open(&self, stream: u32) -> Result<Box<dyn Duplex>, Error>;
}

/// Streams that are there already, by number: both parties hold the ends of the same ones.
impl Transport for std::sync::Mutex<std::collections::BTreeMap<u32, Box<dyn Duplex>>> {
    fn open(&self, stream: u32) -> Result<Box<dyn Duplex>, Error> {
        let mut streams = self
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        streams.remove(&stream).ok_or(Error::NoStream { stream })
    }
}

/// A socket of the operating system.
macro_rules! socket {
    ($socket:ty) => {
        impl Duplex for $socket {
            fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
                self.set_read_timeout(Some(timeout))?;
                self.set_write_timeout(Some(timeout))
            }

            fn read(&self, out: &mut [u8]) -> IoResult<usize> {
                Read::read(&mut &*self, out)
            }

            fn write(&self, bytes: &[u8]) -> IoResult<usize> {
                Write::write(&mut &*self, bytes)
            }

            fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
                self.set_nonblocking(true)?;
                let outcome = write_ready(bytes, |rest| Write::write(&mut &*self, rest));
                self.set_nonblocking(false)?;
                outcome
            }

            fn end(&self) {
                // Fails only where the peer ended the line first.
                drop(self.shutdown(Shutdown::Write));
            }

            fn cut(&self) {
                drop(self.shutdown(Shutdown::Both));
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// Repeats a call that a signal interrupted.
pub(crate) fn retry(mut call: impl FnMut() -> IoResult<usize>) -> IoResult<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Writes until everything is written or the line would block.
pub(crate) fn write_ready(
    bytes: &[u8],
    mut write: impl FnMut(&[u8]) -> IoResult<usize>,
) -> IoResult<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match retry(|| write(&bytes[done..])) {
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
