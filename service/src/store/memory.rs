//! A store that ends with its process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Account, Charge, ClientKey, Lot, Owner, Quota, Stock, Store, StoreError, Token, Usage, Verdict,
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

impl Store for MemoryStore {
    fn put(&self, lot: &Lot<'_>) -> Result<(), StoreError> {
        lot.check()?;
        match self.lock().lots.entry(lot.token) {
            Entry::Occupied(_) => Err(StoreError::Exists),
            Entry::Vacant(free) => {
                free.insert(Kept {
                    owner: lot.owner,
                    expires: lot.expires,
                    sealed: lot.sealed.to_vec(),
                });
                Ok(())
            }
        }
    }

    fn take(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut state = self.lock();
        match state.lots.entry(*token) {
            Entry::Occupied(kept) if kept.get().owner == *owner && kept.get().expires > now => {
                Ok(Some(kept.remove().sealed))
            }
            _ => Ok(None),
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

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        let mut state = self.lock();
        let before = state.lots.len();
        state.lots.retain(|_, kept| kept.expires > now);
        Ok((before - state.lots.len()) as u64)
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
