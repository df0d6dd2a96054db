//! When calls must be over.

use std::io::{ErrorKind, Result as IoResult};
use std::time::{Duration, Instant};

/// The end of a time that several calls have together, or several steps of one.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    /// The whole of it.
    pub(crate) allowed: Duration,
    /// None where the clock does not go so far.
    end: Option<Instant>,
}

impl Deadline {
    /// So long from now.
    pub(crate) fn after(allowed: Duration) -> Self {
        let end = Instant::now().checked_add(allowed);
        Self { allowed, end }
    }

    /// What is left, never zero.
    ///
    /// # Errors
    /// `TimedOut` when it is over.
    pub(crate) fn left(&self) -> IoResult<Duration> {
        self.left_at(Instant::now())
    }

    /// What is left at a moment, never zero.
    ///
    /// # Errors
    /// `TimedOut` when it is over.
    pub(crate) fn left_at(&self, now: Instant) -> IoResult<Duration> {
        let Some(end) = self.end else {
            return Ok(self.allowed);
        };
        let left = end.saturating_duration_since(now);
        if left.is_zero() {
            Err(ErrorKind::TimedOut.into())
        } else {
            Ok(left)
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_err()
    }
}
