//! The reading end of a lane: from bytes to frames.

use std::io::{ErrorKind, IoSliceMut, Result as IoResult};
use std::time::Duration;

use crate::Progress;
use crate::frame::{Frame, HEADER};
use crate::inbox::Inbox;
use crate::leave::Leave;
use crate::wire::{Ready, Wire};

/// Bytes read ahead. LOCAL.
const BUFFER: usize = 64 << 10;

/// Where a thread that reads a lane wants the bytes of its own stream.
pub(crate) struct Sink<'a> {
    stream: usize,
    out: &'a mut [u8],
    filled: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(stream: usize, out: &'a mut [u8]) -> Self {
        Self {
            stream,
            out,
            filled: 0,
        }
    }

    /// How many bytes have come.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Takes what waits already.
    pub(crate) fn take_from(&mut self, inbox: &mut Inbox) {
        self.filled += inbox.take(&mut self.out[self.filled..]);
    }

    /// Takes what waits already, of the inboxes of all streams.
    pub(crate) fn take_from_all(&mut self, inboxes: &mut [Inbox]) {
        self.take_from(&mut inboxes[self.stream]);
    }

    fn room_for(&mut self, stream: usize) -> &mut [u8] {
        if stream == self.stream {
            &mut self.out[self.filled..]
        } else {
            &mut []
        }
    }
}

/// Whoever holds it reads the lane.
pub(crate) struct Unframer {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The stream of the payload that is coming, and how much of it is still to come.
    stream: usize,
    left: usize,
}

impl Unframer {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            stream: 0,
            left: 0,
        }
    }

    /// Reads once, waiting for no longer than `timeout`; a thread that is about to write does not wait longer than
    /// until it can.
    ///
    /// Where a payload for `sink` is coming, its bytes go there without a detour.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` if nothing came, `UnexpectedEof` at the end.
    pub(crate) fn fill(
        &mut self,
        wire: &dyn Wire,
        sink: &mut Sink<'_>,
        writing: bool,
        timeout: Duration,
    ) -> IoResult<()> {
        if writing {
            let both = Ready {
                read: true,
                write: true,
            };
            if !wire.wait(both, timeout)?.read {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        let read = |slices: &mut [IoSliceMut<'_>]| {
            let outcome = if writing {
                wire.try_read(slices)
            } else {
                wire.read(slices, timeout)
            };
            let count = outcome?;
            let room: usize = slices.iter().map(|slice| slice.len()).sum();
            match count {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                count => crate::line::believable(count, room),
            }
        };
        let room = sink.room_for(self.stream);
        if self.left == 0 || room.is_empty() {
            // What is left of a header goes to the front.
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.end += read(&mut [IoSliceMut::new(&mut self.buffer[self.end..])])?;
            return Ok(());
        }
        // Everything that was read ahead is parsed, else the payload would not be missing. If the sink has room for
        // more than this payload, then only the next header is read ahead, so that the next payload takes the short
        // way as well.
        let ahead = if room.len() > self.left {
            HEADER
        } else {
            BUFFER
        };
        let straight = room.len().min(self.left);
        let mut slices = [
            IoSliceMut::new(&mut room[..straight]),
            IoSliceMut::new(&mut self.buffer[..ahead]),
        ];
        let count = read(&mut slices)?;
        let straight = count.min(straight);
        sink.filled += straight;
        self.left -= straight;
        (self.start, self.end) = (0, count - straight);
        Ok(())
    }

    /// Hands out what was read. What comes after a peer has left is no more looked at; why it has, if so.
    ///
    /// # Errors
    /// How the peer broke the rules.
    pub(crate) fn parse(
        &mut self,
        inboxes: &mut [Inbox],
        sink: &mut Sink<'_>,
        progress: &Progress,
    ) -> Result<Option<Leave>, &'static str> {
        loop {
            let bytes = &self.buffer[self.start..self.end];
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                if count == 0 {
                    return Ok(None);
                }
                let room = sink.room_for(self.stream);
                let straight = inboxes[self.stream].put(&bytes[..count], room);
                sink.filled += straight;
                self.left -= count;
                self.start += count;
                continue;
            }
            let Some(&header) = bytes.first_chunk::<HEADER>() else {
                return Ok(None);
            };
            self.start += HEADER;
            progress.add_header_received();
            match Frame::decode(header)? {
                Frame::Data { stream, length } => {
                    inboxes[stream].expect(length)?;
                    (self.stream, self.left) = (stream, length);
                }
                Frame::Grant { stream, bytes } => inboxes[stream].granted(bytes)?,
                Frame::End { stream } => inboxes[stream].end()?,
                Frame::Ping => {}
                Frame::Leave(why) => return Ok(Some(why)),
            }
        }
    }
}
