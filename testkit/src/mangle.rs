//! Lines that harm what passes.

use std::sync::Arc;
use std::time::Duration;

use channel::{Connection, Memory, Relay, Way};

use crate::parties::line;

/// What is done to a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "for tests")]
pub enum Harm {
    /// The byte is XORed with this.
    Flip(u8),
    /// Neither this byte nor any after it comes through; the receiver sees the end.
    Cut,
}

/// A hostile line: harms one byte of one stream in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "for tests")]
pub struct Mangle {
    /// Which direction of which stream.
    pub way: Way,
    /// Position of the byte, from the start of the stream.
    pub at: u64,
    /// What happens to it.
    pub harm: Harm,
}

impl Relay for Mangle {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        if way != self.way || self.at < offset && self.harm != Harm::Cut {
            return bytes.len();
        }
        let at = usize::try_from(self.at.saturating_sub(offset)).unwrap_or(usize::MAX);
        match self.harm {
            Harm::Cut => at.min(bytes.len()),
            Harm::Flip(mask) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
                bytes.len()
            }
        }
    }
}

/// An in-memory connection over a hostile line: the server's end and the client's. Channels give up
/// after `timeout`, as harmed protocols may wait for each other.
#[must_use]
pub fn memory_pair_mangled(mangle: Mangle, timeout: Duration) -> (Connection, Connection) {
    Memory {
        timeout,
        relay: Some(Arc::new(mangle)),
        ..line()
    }
    .pair()
}
