//! The two buffered directions of a line.

use std::io::Result as IoResult;
use std::sync::Arc;

use crate::Progress;
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

    pub(crate) fn send(&mut self, bytes: &[u8]) -> IoResult<()> {
        if self.buffer.len() + bytes.len() > WRITE_BUFFER {
            self.flush()?;
        }
        if bytes.len() >= WRITE_BUFFER {
            return self.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> IoResult<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.write_all(&buffer);
        buffer.clear();
        self.buffer = buffer;
        outcome
    }

    /// Past the buffer, which must be empty: takes what the line takes without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        debug_assert!(self.buffer.is_empty());
        let count = self.line.try_write(bytes)?;
        self.progress.add_sent(count);
        Ok(count)
    }

    /// Past the buffer, which must be empty.
    pub(crate) fn write_all(&self, mut bytes: &[u8]) -> IoResult<()> {
        while !bytes.is_empty() {
            let count = self.line.write(bytes)?;
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
            drop(self.flush());
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

    pub(crate) fn recv(&mut self, mut out: &mut [u8]) -> IoResult<()> {
        while !out.is_empty() {
            let count = self.recv_some(out)?;
            out = &mut out[count..];
        }
        Ok(())
    }

    /// At least one byte into a slice that is not empty; blocks at most once.
    pub(crate) fn recv_some(&mut self, out: &mut [u8]) -> IoResult<usize> {
        if self.start == self.end {
            if out.len() >= READ_BUFFER {
                let count = self.line.read(out)?;
                self.progress.add_received(count);
                return Ok(count);
            }
            self.buffer.resize(READ_BUFFER, 0);
            self.start = 0;
            self.end = 0;
            self.end = self.line.read(&mut self.buffer)?;
            self.progress.add_received(self.end);
        }
        let count = out.len().min(self.end - self.start);
        out[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}
