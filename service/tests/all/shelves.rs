//! Both parties with stores of preparations that can be made to fail, and count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::{Connection, Digest, Role};
use nets::{Crops, Model};
use service::{
    Charge, ClientKey, Doubts, Error, Findings, Lot, Meeting, MemoryStore, Otherwise, Owner,
    Prepared, Quota, Request, Room, Said, Served, Server, Shelf, Store, StoreError, Token, Usage,
    Verdict,
};
use testkit::run_over;

use crate::common::{encrypted, line, model, picture, server};

pub(crate) const GONE: &str = "the server refused: it has no such preparation for this client, model and plan: it was used before, has expired, or was never made";

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A lot: its token, its owner, when it expires, and its bytes.
pub(crate) type Put = (Token, Owner, u64, Vec<u8>);

/// A store that can be made to fail, remembers what was put, and counts what was given out.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) inner: MemoryStore,
    pub(crate) put: Mutex<Vec<Put>>,
    taken: Mutex<BTreeMap<[u8; 16], usize>>,
    /// Calls that succeed before all fail; `usize::MAX` for never.
    pub(crate) good: AtomicUsize,
    /// The one that cannot be put, counted from 1, for want of space; 0 for none.
    pub(crate) full_at: AtomicUsize,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        let watched = Self::default();
        watched.good.store(usize::MAX, Ordering::Relaxed);
        Arc::new(watched)
    }

    fn call(&self) -> Result<(), StoreError> {
        let good = self.good.load(Ordering::Relaxed);
        if good == 0 {
            let what = "the disk is full".to_owned();
            return Err(StoreError::Unavailable { what });
        }
        if good != usize::MAX {
            self.good.store(good - 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Lots that are there.
    pub(crate) fn lots(&self) -> u64 {
        self.inner.stock(0).expect("it is in memory").lots
    }

    /// Puts all back that ever was there, as a thief of disks would.
    pub(crate) fn restore(&self) {
        for (token, owner, expires, sealed) in self.put.lock().expect("no panic").iter() {
            let lot = Lot {
                token: *token,
                owner: *owner,
                expires: *expires,
                sealed,
            };
            let _ = self.inner.put(&lot, None);
        }
    }

    /// What is there, in the order in which it is used.
    pub(crate) fn there(&self) -> Vec<Put> {
        let put = self.put.lock().expect("no panic").clone();
        let look = |(token, owner, expires, _): Put| {
            let sealed = self.inner.look(&token, &owner, 0).expect("in memory");
            sealed.map(|sealed| (token, owner, expires, sealed))
        };
        let mut there: Vec<_> = put.into_iter().filter_map(look).collect();
        there.sort_by_key(|(token, _, expires, _)| (*expires, *token));
        there
    }

    /// Has other bytes in the place of those of a preparation that is there; none of them where there is nothing.
    pub(crate) fn swap(&self, token: Token, bytes: Option<Vec<u8>>) {
        let mut there = self.there().into_iter();
        let old = there.find(|(of, ..)| *of == token);
        let (_, owner, expires, _) = old.expect("it is there");
        assert_eq!(self.inner.claim(&token, &owner, 0), Ok(true));
        if let Some(sealed) = bytes {
            let lot = Lot {
                token,
                owner,
                expires,
                sealed: &sealed,
            };
            self.inner.put(&lot, None).expect("in memory");
        }
    }

    fn most_taken(&self) -> usize {
        let taken = self.taken.lock().expect("no panic");
        taken.values().copied().max().unwrap_or(0)
    }
}

impl Store for Watched {
    fn put(&self, lot: &Lot<'_>, room: Option<Room>) -> Result<(), StoreError> {
        self.call()?;
        let full_at = self.full_at.load(Ordering::Relaxed);
        if full_at > 0 {
            self.full_at.store(full_at - 1, Ordering::Relaxed);
        }
        if full_at == 1 {
            let what = "no space left on device".to_owned();
            return Err(StoreError::Unavailable { what });
        }
        self.inner.put(lot, room)?;
        let kept = (lot.token, lot.owner, lot.expires, lot.sealed.to_vec());
        self.put.lock().expect("no panic").push(kept);
        Ok(())
    }

    fn claim(&self, token: &Token, owner: &Owner, now: u64) -> Result<bool, StoreError> {
        self.call()?;
        let claimed = self.inner.claim(token, owner, now)?;
        if claimed {
            let mut taken = self.taken.lock().expect("no panic");
            *taken.entry(token.0).or_default() += 1;
        }
        Ok(claimed)
    }

    fn look(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.call()?;
        self.inner.look(token, owner, now)
    }

    fn count(&self, peer: &ClientKey, model: &Digest, now: u64) -> Result<u64, StoreError> {
        self.call()?;
        self.inner.count(peer, model, now)
    }

    fn settle(&self, said: &Said<'_>, now: u64) -> Result<Doubts, StoreError> {
        self.call()?;
        self.inner.settle(said, now)
    }

    fn tokens(&self, owner: &Owner, now: u64) -> Result<Vec<Token>, StoreError> {
        self.call()?;
        self.inner.tokens(owner, now)
    }

    fn purge(&self, now: u64) -> Result<Vec<Token>, StoreError> {
        self.call()?;
        self.inner.purge(now)
    }

    fn stock(&self, now: u64) -> Result<service::Stock, StoreError> {
        self.inner.stock(now)
    }

    fn charge(
        &self,
        client: &ClientKey,
        charge: &Charge,
        quota: &Quota,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        self.inner.charge(client, charge, quota, now)
    }

    fn usage(&self, client: &ClientKey, now: u64) -> Result<Usage, StoreError> {
        self.inner.usage(client, now)
    }
}

pub(crate) fn shelf(store: &Arc<Watched>, key: u8) -> Shelf {
    let store = Arc::clone(store) as Arc<dyn Store>;
    Shelf::with_clock(store, sealed::Key::new([key; 32]), now)
}

/// The clock of all shelves here.
static CLOCK: AtomicU64 = AtomicU64::new(1_000_000);

pub(crate) fn now() -> u64 {
    CLOCK.load(Ordering::Relaxed)
}

/// Both parties with their stores.
pub(crate) struct Pair {
    pub(crate) model: Model,
    pub(crate) server: Server,
    pub(crate) stores: [Arc<Watched>; 2],
    pub(crate) client: Shelf,
    seeds: AtomicU64,
}

impl Pair {
    pub(crate) fn new(model: Model) -> Self {
        Self::with(model, [(); 2].map(|()| Watched::new()))
    }

    pub(crate) fn with(model: Model, stores: [Arc<Watched>; 2]) -> Self {
        Self {
            server: server(&model).with_shelf(shelf(&stores[0], 1)),
            client: shelf(&stores[1], 2),
            model,
            stores,
            seeds: AtomicU64::new(1),
        }
    }

    /// A fresh seed, as every session has.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let number = self.seeds.fetch_add(1, Ordering::Relaxed);
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        seed
    }

    pub(crate) fn prepare_over(
        &self,
        ends: (Connection, Connection),
        request: &Request,
    ) -> (Result<Served, Error>, Result<Prepared, Error>) {
        let (one, other) = (self.seed(), self.seed());
        run_over(
            ends,
            |connection| self.server.serve(&connection, one, &mut |_| {}),
            |connection| {
                let meeting = Meeting::over(connection, request, other)?;
                let extension = meeting.extension();
                let mut planned = None;
                let prepared = meeting.prepare(&self.client, request.images, &mut |told| {
                    planned = told.planned;
                })?;
                let once = [Role::Server, Role::Client].map(|sender| extension.setup_cost(sender));
                let all = prepared.comm.total_bytes() + once[0].bytes() + once[1].bytes();
                // Nothing is told where no layer runs ahead.
                assert_eq!(planned.unwrap_or(all), all);
                Ok(prepared)
            },
        )
    }

    pub(crate) fn prepare(&self, images: u32) -> (Served, Prepared) {
        let (served, prepared) = self.prepare_over(line(PATIENCE).pair(), &asked(images));
        (served.expect("it serves"), prepared.expect("it prepares"))
    }

    pub(crate) fn infer_over(
        &self,
        ends: (Connection, Connection),
        request: &Request,
    ) -> (Result<Served, Error>, Result<Vec<Findings>, Error>) {
        let (one, other) = (self.seed(), self.seed());
        run_over(
            ends,
            |connection| self.server.serve(&connection, one, &mut |_| {}),
            |connection| {
                let meeting = Meeting::over(connection, request, other)?;
                let mut client = meeting.begin_prepared(&self.client, Otherwise::Fail)?;
                assert!(client.is_prepared());
                let numbers = 0..u8::try_from(request.images).expect("few images");
                let found = numbers.map(|number| client.infer(&picture(number), &mut |_| {}));
                found.collect()
            },
        )
    }

    pub(crate) fn infer(
        &self,
        images: u32,
    ) -> (Result<Served, Error>, Result<Vec<Findings>, Error>) {
        self.infer_over(line(PATIENCE).pair(), &asked(images))
    }

    pub(crate) fn lots(&self) -> [u64; 2] {
        [0, 1].map(|party| self.stores[party].lots())
    }

    /// No preparation was given out twice at either party.
    pub(crate) fn check(&self) {
        assert!(self.stores.iter().all(|store| store.most_taken() <= 1));
    }
}

pub(crate) fn asked(images: u32) -> Request {
    Request {
        images,
        ..Request::default()
    }
}

pub(crate) fn small() -> Pair {
    Pair::new(encrypted(&model(Crops::Centre)))
}
