//! What one stream of a lane has received, and what it may send.

use std::collections::VecDeque;

use crate::frame::{FIRST_WINDOW, WINDOW};

/// An emptied queue keeps no more memory than this.
const KEPT: usize = 64 << 10;

/// One stream's side of the flow control. What the peer may have on its way, and here unread, is bounded by the window.
pub(crate) struct Inbox {
    queue: VecDeque<u8>,
    /// Bytes that the peer may still send.
    room: usize,
    /// Bytes consumed here that the peer was not yet told of.
    untold: usize,
    /// Bytes that we may send.
    credit: usize,
    /// The peer sends no more.
    ended: bool,
    /// Nobody here listens any more: bytes count as consumed when they come.
    deaf: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            room: FIRST_WINDOW,
            untold: 0,
            credit: FIRST_WINDOW,
            ended: false,
            deaf: false,
        }
    }
}

impl Inbox {
    /// Somebody listens; what that grants the peer.
    pub(crate) fn open(&mut self) -> usize {
        let bytes = WINDOW - FIRST_WINDOW;
        self.room += bytes;
        bytes
    }

    /// The peer announces a payload.
    pub(crate) fn expect(&mut self, length: usize) -> Result<(), &'static str> {
        if self.ended {
            return Err("bytes of a stream that had ended");
        }
        self.room = self
            .room
            .checked_sub(length)
            .ok_or("more bytes than were granted")?;
        Ok(())
    }

    /// The peer lets us send more.
    pub(crate) fn granted(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.credit += bytes;
        if self.credit > WINDOW {
            return Err("a grant beyond the window");
        }
        Ok(())
    }

    /// The peer sends no more.
    pub(crate) fn end(&mut self) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.ended, true) {
            return Err("a second end of a stream");
        }
        Ok(())
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Takes up bytes that were announced: into `out` if none wait before them, as far as there is room, the rest into
    /// the queue. Returns how many went into `out`.
    pub(crate) fn put(&mut self, bytes: &[u8], out: &mut [u8]) -> usize {
        if self.deaf {
            self.untold += bytes.len();
            return 0;
        }
        let straight = if self.queue.is_empty() {
            bytes.len().min(out.len())
        } else {
            0
        };
        out[..straight].copy_from_slice(&bytes[..straight]);
        self.queue.extend(&bytes[straight..]);
        straight
    }

    /// Moves what waits into `out`, as far as there is room.
    pub(crate) fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.queue.len());
        let (front, back) = self.queue.as_slices();
        let split = front.len().min(count);
        out[..split].copy_from_slice(&front[..split]);
        out[split..count].copy_from_slice(&back[..count - split]);
        self.queue.drain(..count);
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        count
    }

    /// These bytes have reached whoever wanted them.
    pub(crate) fn consumed(&mut self, bytes: usize) {
        self.untold += bytes;
    }

    /// What to grant the peer now. In quarters of the window, so that grants are few and come early enough.
    pub(crate) fn due(&mut self) -> Option<usize> {
        if self.untold < WINDOW / 4 || self.ended {
            return None;
        }
        let bytes = std::mem::take(&mut self.untold);
        self.room += bytes;
        Some(bytes)
    }

    /// As many of `wanted` bytes as may be sent now; they count as sent.
    pub(crate) fn claim(&mut self, wanted: usize) -> usize {
        let count = wanted.min(self.credit);
        self.credit -= count;
        count
    }

    /// Nobody listens any more.
    pub(crate) fn stop_listening(&mut self) {
        self.deaf = true;
        self.untold += self.queue.len();
        self.queue = VecDeque::new();
    }
}
