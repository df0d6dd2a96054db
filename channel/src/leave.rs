//! Leaving a connection before its time, and telling the peer why.

use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::sync::Weak;
use std::time::Duration;

use crate::Connection;
use crate::connection::Inner;

/// Why a party leaves a connection before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Leave {
    /// Whoever runs its program stops it.
    Stopped,
    /// Its program was to stop before, and does not wait any longer for what is at hand.
    TimeOver,
}

impl Leave {
    /// As it stands in a frame.
    pub(crate) const fn number(self) -> usize {
        match self {
            Self::Stopped => 1,
            Self::TimeOver => 2,
        }
    }

    pub(crate) const fn of(number: usize) -> Option<Self> {
        match number {
            1 => Some(Self::Stopped),
            2 => Some(Self::TimeOver),
            _ => None,
        }
    }
}

/// Said of the party that leaves.
impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "it was stopped",
            Self::TimeOver => "it is stopping, and did not wait any longer for this session",
        })
    }
}

/// A party has left, on its way through an [`IoError`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) why: Leave,
    /// Whether it was this one.
    pub(crate) here: bool,
}

impl From<Left> for IoError {
    fn from(left: Left) -> Self {
        Self::new(ErrorKind::ConnectionAborted, left)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, here } = self;
        match here {
            true => write!(f, "this end left: {why}"),
            false => write!(f, "the peer left: {why}"),
        }
    }
}

impl std::error::Error for Left {}

/// Leaves a connection from elsewhere, as where a program is asked to end; made by [`Connection::leaver`]. It does not keep the connection.
pub struct Leaver(Weak<Inner>);

impl Leaver {
    pub(crate) const fn new(connection: Weak<Inner>) -> Self {
        Self(connection)
    }

    /// As [`Connection::leave`], and waits until [`Connection::has_left`]; without effect where the connection is gone.
    pub fn leave(&self, why: Leave, within: Duration) {
        let Some(connection) = self.0.upgrade().map(Connection::of) else {
            return;
        };
        connection.leave(why, within);
        while !connection.has_left() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl fmt::Debug for Leaver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaver").finish_non_exhaustive()
    }
}
