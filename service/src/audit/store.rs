//! A store whose preparations are recorded.

use std::sync::Arc;

use channel::Digest;

use super::{Audit, AuditEvent};
use crate::store::{
    Charge, ClientKey, Discard, Doubts, Fate, Lot, Owner, Quota, Room, Said, Stock, Store,
    StoreError, Token, Usage, Verdict,
};

/// A store that records in an audit log which preparations are put aside, which are used, and which are thrown away.
///
/// **Functionality.** That of the store within, with an [`AuditEvent::Prepared`] after each [`Store::put`], an [`AuditEvent::Used`] or
/// [`AuditEvent::Discarded`] for each [`Store::note`], and an [`AuditEvent::Discarded`] for each preparation that [`Store::purge`] or
/// [`Store::settle`] has deleted. What cannot be recorded is not kept, and not used: [`Store::note`] fails. So no log of a party has a token twice under
/// `used`, and each that was used stands there. One that was taken out before a crash may stand nowhere.
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

    fn record_discarded(
        &self,
        token: Token,
        of: Option<(&ClientKey, &Digest)>,
        discard: &Discard,
    ) -> Result<(), StoreError> {
        let why = match discard {
            Discard::Damaged(damage) => damage.to_string(),
            Discard::Expired | Discard::Lost | Discard::Unconfirmed | Discard::Unused => {
                String::new()
            }
        };
        self.record(&AuditEvent::Discarded {
            peer: of.map(|(peer, _)| &peer.0),
            model: of.map(|(_, model)| model),
            token,
            reason: discard.word(),
            why: &why,
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
            let _ = self.store.claim(&lot.token, &lot.owner, (self.clock)());
        }
        recorded
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        self.store.claim(token, owner, now)
    }

    fn note(&self, token: &Token, owner: &Owner, fate: &Fate) -> Result<(), StoreError> {
        let Owner { peer, model, .. } = owner;
        match fate {
            Fate::Used => self.record(&AuditEvent::Used {
                peer: &peer.0,
                model,
                token: *token,
            }),
            Fate::Discarded(why) => self.record_discarded(*token, Some((peer, model)), why),
        }
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
        let doubts = self.store.settle(said, now)?;
        for token in &doubts.deleted {
            self.record_discarded(*token, Some((&said.peer, &said.model)), &Discard::Lost)?;
        }
        Ok(doubts)
    }

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        let purged = self.store.purge(now)?;
        for token in &purged {
            self.record_discarded(*token, None, &Discard::Expired)?;
        }
        Ok(purged)
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
