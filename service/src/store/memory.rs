//! A store that ends with its process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use channel::Digest;

use super::{
    Account, Charge, ClientKey, Doubts, Lot, Owner, Quota, Room, Said, Stock, Store, StoreError,
    Token, Usage, Verdict, doubted,
};

/// A store in memory: for tests, and for servers that may forget. It is durable for as long as its process lives.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lots: HashMap<Token, Kept>,
    accounts: HashMap<ClientKey, Account>,
}

struct Kept {
    owner: Owner,
    expires: u64,
    /// Since when it is in doubt, if it is.
    doubt: Option<u64>,
    sealed: Vec<u8>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("expires", &self.expires)
            .field("bytes", &self.sealed.len())
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those of a peer and a model that are still good.
    fn of(&self, peer: &ClientKey, model: &Digest, now: u64) -> u64 {
        let good = |kept: &&Kept| kept.is_of(peer, model) && kept.expires > now;
        self.lots.values().filter(good).count() as u64
    }
}

impl Kept {
    fn is_of(&self, peer: &ClientKey, model: &Digest) -> bool {
        self.owner.peer == *peer && self.owner.model == *model
    }
}

impl Store for MemoryStore {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        lot.check()?;
        let mut state = self.lock();
        if state.lots.contains_key(&lot.token) {
            return Err(StoreError::Exists);
        }
        let Owner { peer, model, .. } = &lot.owner;
        if let Some(Room { most, now }) = room
            && state.of(peer, model, now) >= most
        {
            return Err(StoreError::Full { most });
        }
        let kept = Kept {
            owner: lot.owner,
            expires: lot.expires,
            doubt: None,
            sealed: lot.sealed.to_vec(),
        };
        state.lots.insert(lot.token, kept);
        Ok(())
    }

    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.lock();
        let kept = state.lots.get(token);
        let kept = kept.filter(|kept| kept.owner == *owner && kept.expires > now);
        Ok(kept.map(|kept| kept.sealed.clone()))
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        Ok(self.lock().of(peer, model, now))
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        let mut doubts = Doubts::default();
        self.lock().lots.retain(|token, kept| {
            if !kept.is_of(&said.peer, &said.model) || kept.expires <= now {
                return true;
            }
            if said.tokens.contains(token) {
                kept.doubt = None;
            } else if said.all {
                kept.doubt = doubted(kept.doubt, now);
                doubts.count(token, kept.doubt, now);
                return kept.doubt.is_some();
            }
            true
        });
        Ok(doubts)
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        let mut state = self.lock();
        match state.lots.entry(*token) {
            Entry::Occupied(kept) if kept.get().owner == *owner && kept.get().expires > now => {
                kept.remove();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        let state = self.lock();
        let mut good: Vec<_> = state
            .lots
            .iter()
            .filter(|(_, kept)| kept.owner == *owner && kept.expires > now)
            .map(|(token, kept)| (kept.expires, *token))
            .collect();
        good.sort_unstable();
        Ok(good.into_iter().map(|(_, token)| token).collect())
    }

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        let mut state = self.lock();
        let gone = state.lots.extract_if(|_, kept| kept.expires <= now);
        Ok(gone.map(|(token, _)| token).collect())
    }

    fn stock(&self, now: u64) -> Result<Stock, StoreError> {
        let state = self.lock();
        let good = state.lots.values().filter(|kept| kept.expires > now);
        Ok(good.fold(Stock::default(), |stock, kept| Stock {
            lots: stock.lots + 1,
            bytes: stock.bytes + kept.sealed.len() as u64,
        }))
    }

    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        let mut state = self.lock();
        let account = state.accounts.entry(*client).or_default();
        Ok(account.charge(charge, quota, now))
    }

    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        let state = self.lock();
        let account = state.accounts.get(client);
        Ok(account.map_or_else(Usage::default, |account| account.usage(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_contract;

    #[test]
    fn it_keeps_the_contract() {
        store_contract(&MemoryStore::new());
    }
}
