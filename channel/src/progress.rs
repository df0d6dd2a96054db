//! Counters of bytes that can be read while protocols run.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::frame::HEADER;

/// Bytes that have passed so far, over all streams of a connection; readable from any thread.
///
/// These are the bytes of the wire: what the protocols say, and the headers of the frames that carry it where streams
/// share a connection. What protocols say is counted exactly, by themselves, in the [`Ledger`](crate::Ledger)s.
#[derive(Default, Debug)]
pub struct Progress {
    sent: AtomicU64,
    received: AtomicU64,
    framing_sent: AtomicU64,
    framing_received: AtomicU64,
}

impl Progress {
    /// Bytes handed to the transport by this party, framing included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) + self.framing_sent()
    }

    /// Bytes taken from the transport by this party, framing included.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed) + self.framing_received()
    }

    /// Of the bytes sent, those of headers, of grants, and of signs of life; how many there are depends on time.
    #[must_use]
    pub fn framing_sent(&self) -> u64 {
        self.framing_sent.load(Ordering::Relaxed)
    }

    /// The same of the bytes received.
    #[must_use]
    pub fn framing_received(&self) -> u64 {
        self.framing_received.load(Ordering::Relaxed)
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_header_sent(&self) {
        self.framing_sent
            .fetch_add(HEADER as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_header_received(&self) {
        self.framing_received
            .fetch_add(HEADER as u64, Ordering::Relaxed);
    }
}
