//! The two buffered directions of a line.

use std::io::Result as IoResult;
use std::sync::Arc;

use crate::Progress;
use crate::deadline::Deadline;
use crate::line::Line;

/// Small sends collect up to this many bytes; larger ones go to the line without a copy. LOCAL.
const WRITE_BUFFER: usize = 128 << 10;
/// Small receives are served from this many bytes read ahead; larger ones go straight into the
/// caller's slice. LOCAL.
const READ_BUFFER: usize = 64 << 10;

/// The sending direction.
pub(crate) struct Writer {
    line: Arc<Line>,
    buffer: Vec<u8>,
    progress: Arc<Progress>,
}

/// The receiving direction.
pub(crate) struct Reader {
    line: Arc<Line>,
    /// Allocated at the first small receive, so that an idle stream costs nothing.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    progress: Arc<Progress>,
}

impl Writer {
    pub(crate) fn new(line: Arc<Line>, progress: Arc<Progress>) -> Self {
        Self {
            line,
            buffer: Vec::new(),
            progress,
        }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// A call begins that delivers what is in the buffer and moves so many bytes more.
    pub(crate) fn call(&self, bytes: usize) -> Deadline {
        self.line.call(self.buffer.len() + bytes)
    }

    /// Keeps these bytes for later if there is room for them beside what was sent before; whether there was.
    pub(crate) fn gather(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() < WRITE_BUFFER && self.buffer.len() + bytes.len() <= WRITE_BUFFER;
        if fits {
            self.buffer.extend_from_slice(bytes);
        }
        fits
    }

    pub(crate) fn send(&mut self, bytes: &[u8], call: &Deadline) -> IoResult<()> {
        if self.gather(bytes) {
            return Ok(());
        }
        self.flush(call)?;
        if self.gather(bytes) {
            return Ok(());
        }
        self.write_all(bytes, call)
    }

    pub(crate) fn flush(&mut self, call: &Deadline) -> IoResult<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.write_all(&buffer, call);
        buffer.clear();
        self.buffer = buffer;
        outcome
    }

    /// Past the buffer, which must be empty.
    pub(crate) fn write_all(&self, mut bytes: &[u8], call: &Deadline) -> IoResult<()> {
        debug_assert!(self.buffer.is_empty());
        while !bytes.is_empty() {
            let count = self.line.write(bytes, call)?;
            self.progress.add_sent(count);
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

impl Drop for Writer {
    /// A clean end delivers what was sent; after an error or in a panic nothing more is said.
    fn drop(&mut self) {
        if !self.line.is_dead() && !std::thread::panicking() {
            // There is nobody left to tell about a peer that went first.
            drop(self.flush(&self.call(0)));
        }
        self.line.end();
    }
}

impl Reader {
    pub(crate) fn new(line: Arc<Line>, progress: Arc<Progress>) -> Self {
        Self {
            line,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            progress,
        }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    pub(crate) fn recv(&mut self, mut out: &mut [u8], call: &Deadline) -> IoResult<()> {
        loop {
            let count = self.take_read_ahead(out);
            out = &mut out[count..];
            if out.is_empty() {
                return Ok(());
            }
            if out.len() >= READ_BUFFER {
                let count = self.line.read(out, call)?;
                self.progress.add_received(count);
                out = &mut out[count..];
            } else {
                self.buffer.resize(READ_BUFFER, 0);
                (self.start, self.end) = (0, self.line.read(&mut self.buffer, call)?);
                self.progress.add_received(self.end);
            }
        }
    }

    /// What was read already of the peer's next bytes, as far as there is room.
    fn take_read_ahead(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.end - self.start);
        out[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        count
    }
}

/// Writes some of one slice and reads some of the other, until one of them is done; returns how much of each. The writer's
/// buffer must be empty.
pub(crate) fn exchange(
    writer: &Writer,
    reader: &mut Reader,
    send: &[u8],
    recv: &mut [u8],
    call: &Deadline,
) -> IoResult<(usize, usize)> {
    debug_assert!(writer.buffer.is_empty());
    let (mut sent, mut received) = (0, reader.take_read_ahead(recv));
    while sent < send.len() && received < recv.len() {
        let (more, heard) = writer
            .line
            .exchange(&send[sent..], &mut recv[received..], call)?;
        writer.progress.add_sent(more);
        reader.progress.add_received(heard);
        sent += more;
        received += heard;
    }
    Ok((sent, received))
}
