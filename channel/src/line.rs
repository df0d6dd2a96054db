//! The raw line under a channel: blocking reads and writes with time-outs, over TCP or in memory.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::pipe::{PipeReader, PipeWriter};

enum Kind {
    Tcp(TcpStream),
    Memory {
        reader: PipeReader,
        writer: PipeWriter,
    },
}

/// A duplex byte line. Reading and writing may go on in two threads.
pub(crate) struct Line {
    kind: Kind,
    dead: AtomicBool,
}

impl Line {
    pub(crate) fn memory(reader: PipeReader, writer: PipeWriter) -> Self {
        Self {
            kind: Kind::Memory { reader, writer },
            dead: AtomicBool::new(false),
        }
    }

    /// Small messages leave at once. The buffers of the socket stay the system's: it grows them with
    /// the delay of the network, and a size set by hand would stop that.
    pub(crate) fn tcp(stream: TcpStream) -> IoResult<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            kind: Kind::Tcp(stream),
            dead: AtomicBool::new(false),
        })
    }

    /// The time-out of the socket; in memory it comes with each call.
    pub(crate) fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        match &self.kind {
            Kind::Tcp(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
            Kind::Memory { .. } => Ok(()),
        }
    }

    /// Reads at least one byte into a slice that is not empty.
    pub(crate) fn read(&self, out: &mut [u8], timeout: Duration) -> IoResult<usize> {
        debug_assert!(!out.is_empty());
        let count = retry(|| match &self.kind {
            Kind::Tcp(stream) => (&mut &*stream).read(out),
            Kind::Memory { reader, .. } => reader.read(out, timeout),
        })?;
        if count == 0 {
            Err(ErrorKind::UnexpectedEof.into())
        } else {
            Ok(count)
        }
    }

    /// Writes at least one byte of a slice that is not empty.
    pub(crate) fn write(&self, bytes: &[u8], timeout: Duration) -> IoResult<usize> {
        debug_assert!(!bytes.is_empty());
        let count = retry(|| match &self.kind {
            Kind::Tcp(stream) => (&mut &*stream).write(bytes),
            Kind::Memory { writer, .. } => writer.write(bytes, timeout),
        })?;
        if count == 0 {
            Err(ErrorKind::WriteZero.into())
        } else {
            Ok(count)
        }
    }

    /// Writes what the line takes without waiting, which may be nothing. Not while another thread
    /// reads: the socket does not block either way in the meantime.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        match &self.kind {
            Kind::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                let outcome = write_ready(bytes, |rest| (&mut &*stream).write(rest));
                stream.set_nonblocking(false)?;
                outcome
            }
            Kind::Memory { writer, .. } => write_ready(bytes, |rest| writer.try_write(rest)),
        }
    }

    /// No more bytes will come from us.
    pub(crate) fn end(&self) {
        match &self.kind {
            // Fails only where the peer ended the line first.
            Kind::Tcp(stream) => drop(stream.shutdown(Shutdown::Write)),
            Kind::Memory { writer, .. } => writer.close(),
        }
    }

    /// Cuts the line both ways, for good.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        match &self.kind {
            Kind::Tcp(stream) => drop(stream.shutdown(Shutdown::Both)),
            Kind::Memory { reader, writer } => {
                reader.close();
                writer.close();
            }
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

/// Repeats a call that a signal interrupted.
fn retry(mut call: impl FnMut() -> IoResult<usize>) -> IoResult<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Writes until everything is written or the line would block.
fn write_ready(bytes: &[u8], mut write: impl FnMut(&[u8]) -> IoResult<usize>) -> IoResult<usize> {
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
