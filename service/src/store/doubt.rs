//! Preparations that the other party may have lost.
//!
//! A client that has lost its preparations cannot use those that its server keeps for it, and they take the room of others until they
//! expire. So it may say which it has, and the server may delete the rest. What is said is old when it is heard, and of a client there may be several
//! sessions at once, at several servers. A preparation that one session does not name may be
//!
//! 1. lost;
//! 2. in the making: put aside at the server, and not yet at the client;
//! 3. on its way: the client has deleted its own, and is about to name it to a server.
//!
//! Deleted is what was not named once, and again [`DOUBT`] seconds later, and was not named in between. In that time a preparation of the second kind
//! was put aside at the client, which names it from then on, or was given up by the server; and one of the third was taken, or is lost as well: a
//! session ends where a party says nothing for that long. A client names what it is about to take ([`crate::Meeting::ready`]), so that what was in doubt while
//! it was in the making is no longer so when it is on its way.
//!
//! Whatever is deleted, nothing is used twice: at worst a session is refused a preparation, and the client has one less.

use std::collections::BTreeSet;

use channel::Digest;

use super::{ClientKey, Token};

/// For how many seconds a preparation is in doubt before it is deleted: longer than a session waits for a message.
pub const DOUBT: u64 = 600;

/// What a client says of the preparations that it has.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Said<'a> {
    /// Who says it.
    pub peer: ClientKey,
    /// Of which model.
    pub model: Digest,
    /// What it has.
    pub tokens: &'a BTreeSet<Token>,
    /// Whether it has no others of this model.
    pub all: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "stores write it out")]
pub struct Doubts {
    /// Preparations that were deleted.
    pub deleted: Vec<Token>,
    /// Those that are in doubt now.
    pub left: u64,
    /// The seconds until the last of these can be deleted.
    pub wait: u64,
}

impl Doubts {
    /// Counts one that was not named, and has become this by [`doubted`].
    pub fn count(&mut self, token: &Token, became: Option<u64>, now: u64) {
        match became {
            None => self.deleted.push(*token),
            Some(since) => {
                self.left += 1;
                let wait = since.saturating_add(DOUBT).saturating_sub(now);
                self.wait = self.wait.max(wait);
            }
        }
    }
}

/// Since when a preparation is in doubt that is not named now, if it was in doubt `since` then; `None`: it is to be deleted. A clock that was set back
/// begins anew.
#[must_use]
pub const fn doubted(since: Option<u64>, now: u64) -> Option<u64> {
    match since {
        Some(since) if since > now => Some(now),
        Some(since) if now - since >= DOUBT => None,
        Some(since) => Some(since),
        None => Some(now),
    }
}
