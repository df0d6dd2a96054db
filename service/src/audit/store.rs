//! A store whose preparations are recorded.

use std::sync::Arc;

use channel::Digest;

use super::{Audit, AuditEvent};
use crate::store::{
    Charge, ClientKey, Doubts, Lot, Owner, Quota, Room, Said, Stock, Store, StoreError, Token,
    Usage, Verdict,
};

/// A store that records in an audit log which preparations are put aside and which are used.
///
/// **Functionality.** That of the store within, with an [`AuditEvent::Prepared`] after each [`Store::put`] and an
/// [`AuditEvent::Used`] after each [`Store::take`] or [`Store::claim`] that finds something, before it is returned. What cannot be recorded is not
/// kept, and not returned: it is lost, and never used. So no log of a party has a token twice under `used`, and each that was used stands there.
#[derive(Debug)]
pub struct AuditedStore {
    store: Arc<dyn Store>,
    audit: Arc<Audit>,
    clock: fn() -> u64,
}

impl AuditedStore {
    /// A store, the log, and a clock of Unix seconds for the times of lines.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, audit: Arc<Audit>, clock: fn() -> u64) -> Self {
        Self {
            store,
            audit,
            clock,
        }
    }

    fn record(&self, event: &AuditEvent<'_>) -> Result<(), StoreError> {
        let recorded = self.audit.record((self.clock)(), event);
        recorded.map(drop).map_err(|error| StoreError::Unavailable {
            what: error.to_string(),
        })
    }

    fn record_used(&self, token: &Token, owner: &Owner) -> Result<(), StoreError> {
        self.record(&AuditEvent::Used {
            peer: &owner.peer.0,
            model: &owner.model,
            token: *token,
        })
    }
}

impl Store for AuditedStore {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        self.store.put(lot, room)?;
        let recorded = self.record(&AuditEvent::Prepared {
            peer: &lot.owner.peer.0,
            model: &lot.owner.model,
            token: lot.token,
            expires: lot.expires,
        });
        if recorded.is_err() {
            // Nobody would know of it, and it would take the room of another one.
            let _ = self.store.take(&lot.token, &lot.owner, (self.clock)());
        }
        recorded
    }

    fn take(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let taken = self.store.take(token, owner, now)?;
        if taken.is_some() {
            self.record_used(token, owner)?;
        }
        Ok(taken)
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        let taken = self.store.claim(token, owner, now)?;
        if taken {
            self.record_used(token, owner)?;
        }
        Ok(taken)
    }

    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.look(token, owner, now)
    }

    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        self.store.tokens(owner, now)
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        self.store.count(peer, model, now)
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        self.store.settle(said, now)
    }

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        self.store.purge(now)
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        self.store.stock(now)
    }

    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        self.store.charge(client, charge, quota, now)
    }

    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        self.store.usage(client, now)
    }
}
