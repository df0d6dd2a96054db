//! What parties keep between sessions: preparations, and what clients have used of their quotas.

mod account;
mod contract;
mod doubt;
mod fate;
mod memory;

use std::fmt;

use channel::Digest;

use crate::words::counted;

pub use account::{Account, Charge, Quota, QuotaKind, Refusal, Usage, Verdict};
pub use contract::{lot_contract, store_contract};
pub use doubt::{DOUBT, Doubts, Said, doubted};
pub use fate::{Damage, Discard, Fate};
pub use memory::MemoryStore;

/// Whom something is kept for: the key of the peer ([`channel::PeerIdentity::key`]), all zero where nobody is asked who
/// he is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "32 bytes with a meaning")]
pub struct ClientKey(pub [u8; 32]);

/// Names a preparation; drawn at random, not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "16 bytes with a meaning")]
pub struct Token(pub [u8; 16]);

/// What a preparation is bound to; it is of no use to others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Owner {
    /// The other party.
    pub peer: ClientKey,
    /// Of the model.
    pub model: Digest,
    /// Of the plan, and of whatever else tells two preparations of a model apart: the store does not mind.
    pub plan: Digest,
}

/// A preparation to be put aside.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Lot<'a> {
    /// Its name; new in the store.
    pub token: Token,
    /// What it is bound to.
    pub owner: Owner,
    /// From when on it is of no use any more, in Unix seconds.
    pub expires: u64,
    /// What is kept, encrypted: a store never sees it in the clear.
    pub sealed: &'a [u8],
}

/// The room for preparations of one peer and one model, whatever their plans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Room {
    /// The most that may be there and still good, with the one that is put aside.
    pub most: u64,
    /// The time, in Unix seconds.
    pub now: u64,
}

impl fmt::Debug for Lot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lot")
            .field("token", &self.token)
            .field("expires", &self.expires)
            .field("bytes", &self.sealed.len())
            .finish_non_exhaustive()
    }
}

/// How many preparations a store holds that are still good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "stores write it out")]
pub struct Stock {
    /// Preparations.
    pub lots: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a server (or a client) keeps between sessions. One trait, several stores: [`MemoryStore`] for tests and for servers
/// that forget, and those of `blindray-store`: a file, and PostgreSQL for several servers.
///
/// Times come in as Unix seconds, so that a store has no clock of its own. All methods may be called from any thread, and
/// take as long as the medium takes.
///
/// An error says that nothing was returned, not that nothing happened: a preparation whose taking failed may be gone, a
/// charge that failed may have been made. Both are on the safe side.
pub trait Store: fmt::Debug + Send + Sync {
    /// Puts a preparation aside, if there is room; durable when it returns. The check and the put are one transaction, so that no
    /// number of sessions at once has more than the room allows. `None` is room without limit.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if there is one of this token, [`StoreError::Full`] without room, and the others.
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError>;

    /// The bytes of one that stays there: to see whether it opens. Nothing may be done with it before it is taken out, by
    /// [`Store::claim`]. `None`: never there, taken out before, expired, or another owner's.
    ///
    /// # Errors
    /// All but [`StoreError::Exists`] and [`StoreError::Full`]; [`StoreError::Damaged`] is about this one alone.
    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes one out: whether it was there, as for [`Store::look`]. It is deleted durably before this returns, and for one caller at most it
    /// was there, whatever crashes, and also among several processes.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError>;

    /// Both: [`Store::look`], and what it has seen if [`Store::claim`] finds it there.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn take(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let seen = self.look(token, owner, now)?;
        Ok(match seen {
            Some(_) if self.claim(token, owner, now)? => seen,
            _ => None,
        })
    }

    /// Hears what becomes of one that was taken out, before it does: for a store that records it. What it cannot record is not used.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn note(&self, token: &Token, owner: &Owner, fate: &Fate) -> Result<(), StoreError> {
        let _ = (token, owner, fate);
        Ok(())
    }

    /// The tokens of this owner that are still good, the earliest to expire first.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError>;

    /// How many preparations of a peer and a model are still good, whatever their plans.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError>;

    /// Hears which preparations the other party says it has. What it names is beyond doubt. Of what it does not name though it says
    /// that it has named all, what was in doubt for [`DOUBT`] seconds is deleted, and the rest is in doubt from now on: see [`doubted`].
    ///
    /// # Errors
    /// As [`Store::look`].
    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError>;

    /// Deletes what has expired, and says what that was.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError>;

    /// What there is of all owners. It reaches the medium, so that it also tells whether the store is there.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn stock(&self, now: u64) -> Result<Stock, StoreError>;

    /// Charges a client if its quota allows all of it; the check and the charge are one transaction, durable when it returns.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError>;

    /// What a client has used.
    ///
    /// # Errors
    /// As [`Store::look`].
    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError>;
}

/// Why a store did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, is full or does not answer. The next use may do better.
    #[error("the store is not available: {what}")]
    Unavailable {
        /// What was the matter.
        what: String,
    },
    /// It cannot be used as it is: made by another version, damaged, open to others, or in use by another process.
    #[error("the store cannot be used: {what}")]
    Unusable {
        /// What is the matter.
        what: String,
    },
    /// A preparation of this token is in the store.
    #[error("a preparation of this token is in the store already")]
    Exists,
    /// There are as many preparations of this peer and model as may be.
    #[error("one client may have {} of a model, and no more are kept", counted(*most, "preparation"))]
    Full {
        /// As many.
        most: u64,
    },
    /// This preparation cannot be read; others may be.
    #[error("a preparation cannot be read: {what}")]
    Damaged {
        /// What is the matter with it.
        what: String,
    },
    /// The preparation is larger than this store takes.
    #[error("a preparation of {bytes} bytes, and the store takes at most {most}")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The most.
        most: u64,
    },
}

/// The most bytes of a preparation in any store.
pub const MAX_LOT: u64 = 1 << 30;

impl Lot<'_> {
    /// Checks that it is not larger than what stores take.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub const fn check(&self) -> Result<(), StoreError> {
        let bytes = self.sealed.len() as u64;
        match bytes > MAX_LOT {
            true => Err(StoreError::TooLarge {
                bytes,
                most: MAX_LOT,
            }),
            false => Ok(()),
        }
    }
}
