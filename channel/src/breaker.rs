//! Cutting a line from another thread.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::Channel;
use crate::line::Line;

/// Cuts the line of a channel that another thread has, so that whatever waits there returns with an error; made by
/// [`Channel::breaker`].
pub struct Breaker(Weak<Line>);

impl Breaker {
    /// Cuts the line, as [`Channel::fail`] does; without effect where the channel is gone.
    pub fn cut(&self) {
        if let Some(line) = self.0.upgrade() {
            line.kill();
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").finish_non_exhaustive()
    }
}

impl Channel {
    /// A handle that cuts the line of this channel from another thread.
    ///
    /// ```
    /// let (server, client) = channel::memory_pair(64);
    /// let mut waits = server.open(0)?;
    /// let breaker = waits.breaker();
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(move || waits.recv(&mut [0]));
    ///     breaker.cut();
    ///     assert!(waiting.join().expect("no panic").is_err());
    /// });
    /// # drop(client);
    /// # Ok::<(), channel::Error>(())
    /// ```
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        Breaker(Arc::downgrade(self.writer.line()))
    }
}
