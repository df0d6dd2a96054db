//! Byte streams over which the numbered streams of a connection can be multiplexed: the seam for transports that have
//! one stream only.

use std::io::{Error as IoError, ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
#[cfg(unix)]
use rustix::net::SendFlags;

/// How long a read of a socket waits in the system; longer waits are several reads.
#[cfg(unix)]
const TICK: Duration = Duration::from_secs(1);

/// What a stream is ready for, or is waited for to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there are two directions")]
pub struct Ready {
    /// Reading does not wait: there are bytes, or the end, or an error.
    pub read: bool,
    /// Writing does not wait.
    pub write: bool,
}

/// An ordered, reliable byte stream both ways that never makes a caller wait, except in [`Wire::wait`] and
/// [`Wire::read`]; for [`Connection::multiplex`](crate::Connection::multiplex). TCP streams and, on Unix, socket pairs are
/// ones; an encrypted stream is another.
///
/// Every call comes from any thread, also while others wait. Reads are never made by two threads at once, and neither
/// are writes.
pub trait Wire: Send + Sync {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// If the stream cannot be used.
    fn begin(&self) -> IoResult<()> {
        Ok(())
    }

    /// Reads what is there into the slices, the first of which is not empty, and returns how many bytes that is; 0 where
    /// the peer has ended the stream.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] where nothing is there, else what went wrong.
    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize>;

    /// Writes what the stream takes of the slices, which are not all empty, and returns how many bytes that is, not 0.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] where it takes nothing, else what went wrong. After it, the next call brings the same
    /// bytes, with more behind them or not: a stream that encrypts may have done so already, and counts them when they
    /// are on their way.
    fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize>;

    /// Waits until the stream is ready for one of what is wanted, or for `timeout`, and returns what it is ready for.
    /// May return early. A stream that is cut, or broken, is ready for all.
    ///
    /// # Errors
    /// What went wrong.
    fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready>;

    /// [`Wire::try_read`], but waits for bytes, no longer than `timeout`.
    ///
    /// # Errors
    /// As [`Wire::try_read`].
    fn read(&self, out: &mut [IoSliceMut<'_>], timeout: Duration) -> IoResult<usize> {
        let wanted = Ready {
            read: true,
            write: false,
        };
        self.wait(wanted, timeout)?;
        self.try_read(out)
    }

    /// Whether the peer has ended the stream, or it is broken, as far as is known without taking anything out of it. A
    /// stream that cannot tell says no. Asked of the lines of a [`Guard`](crate::Guard) whose clients wait.
    fn has_ended(&self) -> bool {
        false
    }

    /// Says that no more bytes will come from here. The peer's last bytes can still be read.
    fn end(&self);

    /// Ends both directions at once and for good; calls that wait return.
    fn cut(&self);
}

/// Sockets of the operating system stay blocking, so that a party that waits for an answer needs one call of the system
/// and not two; calls that must not wait say so one by one.
#[cfg(unix)]
macro_rules! socket {
    ($socket:ty) => {
        impl Wire for $socket {
            fn begin(&self) -> IoResult<()> {
                self.set_nonblocking(false)?;
                self.set_read_timeout(Some(TICK))
            }

            fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
                receive(self, out, rustix::net::RecvFlags::DONTWAIT)
            }

            fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize> {
                use rustix::net::{SendAncillaryBuffer, send, sendmsg};
                let count = match bytes {
                    [bytes] => send(self, bytes, AT_ONCE)?,
                    _ => sendmsg(self, bytes, &mut SendAncillaryBuffer::default(), AT_ONCE)?,
                };
                Ok(count)
            }

            fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready> {
                wait(PollFd::new(self, interest(wanted)), timeout)
            }

            fn read(&self, out: &mut [IoSliceMut<'_>], timeout: Duration) -> IoResult<usize> {
                if timeout >= TICK {
                    return receive(self, out, rustix::net::RecvFlags::empty());
                }
                let wanted = Ready {
                    read: true,
                    write: false,
                };
                Wire::wait(self, wanted, timeout)?;
                Wire::try_read(self, out)
            }

            fn has_ended(&self) -> bool {
                use rustix::net::RecvFlags;
                let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                match receive(self, &mut [IoSliceMut::new(&mut [0])], peek) {
                    Ok(count) => count == 0,
                    Err(error) => error.kind() != ErrorKind::WouldBlock,
                }
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

/// Without waiting, and without a signal where the peer is gone; Apple's systems say the latter once for each socket,
/// which the standard library does.
#[cfg(all(unix, not(target_vendor = "apple")))]
const AT_ONCE: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const AT_ONCE: SendFlags = SendFlags::DONTWAIT;

#[cfg(unix)]
socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

#[cfg(unix)]
fn receive(
    socket: impl std::os::fd::AsFd,
    out: &mut [IoSliceMut<'_>],
    flags: rustix::net::RecvFlags,
) -> IoResult<usize> {
    use rustix::net::{RecvAncillaryBuffer, recv, recvmsg};
    let count = match out {
        // The system takes less time over one slice.
        [out] => recv(socket, &mut **out, flags)?.0,
        _ => recvmsg(socket, out, &mut RecvAncillaryBuffer::default(), flags)?.bytes,
    };
    Ok(count)
}

#[cfg(not(unix))]
impl Wire for TcpStream {
    fn begin(&self) -> IoResult<()> {
        self.set_nonblocking(true)
    }

    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        std::io::Read::read_vectored(&mut &*self, out)
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize> {
        std::io::Write::write_vectored(&mut &*self, bytes)
    }

    fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready> {
        wait(PollFd::new(self, interest(wanted)), timeout)
    }

    fn has_ended(&self) -> bool {
        match self.peek(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    fn end(&self) {
        drop(self.shutdown(Shutdown::Write));
    }

    fn cut(&self) {
        drop(self.shutdown(Shutdown::Both));
    }
}

fn interest(wanted: Ready) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, wanted.read);
    flags.set(PollFlags::OUT, wanted.write);
    flags
}

fn wait(mut socket: PollFd<'_>, timeout: Duration) -> IoResult<Ready> {
    // A time that the clock does not go so far as is no time at all.
    let timeout = Timespec::try_from(timeout).ok();
    match poll(std::slice::from_mut(&mut socket), timeout.as_ref()) {
        Ok(_) => {}
        Err(error) if IoError::from(error).kind() == ErrorKind::Interrupted => {}
        Err(error) => return Err(error.into()),
    }
    let found = socket.revents();
    let broken = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    Ok(Ready {
        read: found.intersects(PollFlags::IN | broken),
        write: found.intersects(PollFlags::OUT | broken),
    })
}
