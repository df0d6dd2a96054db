//! Digests of what was said on a line.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use blake3::Hasher;
use channel::{Memory, Relay, Role, Way};

use crate::parties::line;

/// Digests of everything said on a line, for baselines: a test that runs seeded parties over
/// [`Transcript::line`] and compares with a digest checked in notices every change of the wire.
#[derive(Clone, Default)]
pub struct Transcript {
    ways: Arc<Mutex<HashMap<Way, Hasher>>>,
}

impl Transcript {
    /// A transcript of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A line whose bytes are written into this transcript.
    #[must_use]
    pub fn line(&self) -> Memory {
        Memory {
            relay: Some(Arc::new(self.clone())),
            ..line()
        }
    }

    /// Digest, in hexadecimal, of what one party said: its streams by number, each a digest of its
    /// own, so that the order in which streams took turns does not matter.
    #[must_use]
    pub fn digest(&self, from: Role) -> String {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let mut streams: Vec<_> = ways.iter().filter(|(way, _)| way.from == from).collect();
        streams.sort_unstable_by_key(|(way, _)| way.stream);
        let mut whole = Hasher::new();
        for (way, hasher) in streams {
            whole.update(&way.stream.to_le_bytes());
            whole.update(hasher.finalize().as_bytes());
        }
        whole.finalize().to_hex().to_string()
    }
}

impl Relay for Transcript {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.entry(way).or_default().update(bytes);
        bytes.len()
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").finish_non_exhaustive()
    }
}
