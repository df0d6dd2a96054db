//! Preparations: made in one session, used in another, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::{Connection, Digest, Memory, ONLINE, Relay, Role, Way};
use nets::{Crops, Model};
use service::{
    Asked, Charge, Client, ClientKey, Doubts, Error, Findings, Lot, Meeting, MemoryStore, Mode,
    Owner, Prepared, Quota, Request, Room, Said, Served, Server, ServerOptions, Shelf, Store,
    StoreError, Token, Usage, Verdict,
};
use testkit::run_over;

use crate::common::{Counter, clear, encrypted, line, model, picture, server};

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
    good: AtomicUsize,
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

    fn take(&self, token: &Token, owner: &Owner, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.call()?;
        let taken = self.inner.take(token, owner, now)?;
        if taken.is_some() {
            *self
                .taken
                .lock()
                .expect("no panic")
                .entry(token.0)
                .or_default() += 1;
        }
        Ok(taken)
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

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
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

fn now() -> u64 {
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
    fn new(model: Model) -> Self {
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
                let mut client = meeting.begin_prepared(&self.client)?;
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

/// As `prepare --keep-going` does where nothing is missing: no session has failed.
#[test]
fn a_client_may_look_after_its_preparations_alone() {
    let pair = small();
    pair.prepare(1);
    let (served, there) = run_over(
        line(PATIENCE).pair(),
        |connection| pair.server.serve(&connection, pair.seed(), &mut |_| {}),
        |connection| {
            let mut meeting = Meeting::over(connection, &asked(1), pair.seed())?;
            meeting.settle(&pair.client)?;
            meeting.prepared(&pair.client)
        },
    );
    assert_eq!(there.expect("a shelf"), 1);
    assert!(matches!(served, Err(Error::OnlyMeasured)), "{served:?}");
    assert_eq!(pair.lots(), [1, 1]);
}

#[test]
fn findings_are_those_of_the_integer_network_and_nothing_is_left_to_make() {
    for model in [encrypted(&model(Crops::Centre)), model(Crops::Centre)] {
        let pair = Pair::new(model);
        let (served, prepared) = pair.prepare(2);
        assert_eq!((served.prepared, served.stocked), (2, false));
        assert_eq!((prepared.images, prepared.runs), (2, 2));
        assert_eq!(served.comm, prepared.comm);
        assert_eq!(
            prepared.comm.client_to_server_bytes + prepared.comm.server_to_client_bytes,
            0
        );
        assert!(prepared.comm.refill_bytes() > 0);
        assert_eq!(pair.lots(), [2, 2]);
        // One session, and then another one.
        let mut spent = 0;
        for images in [1, 1] {
            let (served, found) = pair.infer(images);
            let (served, found) = (served.expect("it serves"), found.expect("it infers"));
            assert!(served.stocked && served.prepared == 0);
            assert_eq!(found[0].views, clear(&pair.model, 0));
            let comm = found[0].comm;
            assert_eq!(comm, served.comm);
            let preparation = found[0].preparation.expect("it was prepared");
            // The refill of the first may have been enough for both.
            assert!(preparation.seconds > 0.0);
            spent += preparation.bytes();
            assert_eq!(
                comm.refill_bytes() + comm.setup_bytes() + comm.ahead_bytes(),
                0
            );
        }
        assert_eq!(spent, prepared.comm.total_bytes());
        assert_eq!(pair.lots(), [0, 0]);
        pair.check();
    }
}

/// What passes on the online stream is what is counted, and what is planned; no other stream is used but the conversation.
#[test]
fn online_bytes_are_counted_and_planned() {
    let pair = small();
    pair.prepare(2);
    let counter = Arc::new(Counter::default());
    let memory = Memory {
        relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
        ..line(PATIENCE)
    };
    let (served, found) = pair.infer_over(memory.pair(), &asked(2));
    assert!(served.is_ok());
    let found = found.expect("it infers");
    let up: u64 = found.iter().map(|f| f.comm.client_to_server_bytes).sum();
    let down: u64 = found.iter().map(|f| f.comm.server_to_client_bytes).sum();
    let counts = counter.0.lock().expect("no panic").clone();
    let online = [false, true].map(|server| counts[&(ONLINE, server)]);
    assert_eq!(online, [up, down]);
    assert!(
        counts
            .keys()
            .all(|&(stream, _)| stream == ONLINE || stream == 3)
    );
    let layers = found[0].layers.iter();
    let of_layers: u64 = layers
        .map(|l| l.client_to_server_bytes + l.server_to_client_bytes)
        .sum();
    assert_eq!(2 * of_layers, up + down);
}

/// What passes while preparations are made is what is counted, and what either party was told before: to the byte.
#[test]
fn bytes_of_preparations_are_counted_and_planned() {
    let pair = small();
    let counter = Arc::new(Counter::default());
    let memory = || Memory {
        relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
        ..line(PATIENCE)
    };
    let mut planned = 0;
    let (one, two) = (pair.seed(), pair.seed());
    let mut admit = |asked: &Asked| {
        planned = asked.bytes;
        Ok(())
    };
    let (served, prepared) = run_over(
        memory().pair(),
        |connection| (pair.server).serve_if(&connection, one, &mut admit, &mut |_| {}),
        |connection| {
            let meeting = Meeting::over(connection, &asked(2), two)?;
            meeting.prepare(&pair.client, 2, &mut |_| {})
        },
    );
    let (served, prepared) = (served.expect("it serves"), prepared.expect("it prepares"));
    assert_eq!(served.comm, prepared.comm);
    let comm = prepared.comm;
    let counts = counter.0.lock().expect("no panic").clone();
    let passed = |streams: &[u32], server| {
        let of = |stream: &u32| counts.get(&(*stream, server)).copied().unwrap_or_default();
        streams.iter().map(of).sum::<u64>()
    };
    let up = comm.setup_client_to_server_bytes + comm.ahead_client_to_server_bytes;
    let down = comm.setup_server_to_client_bytes + comm.ahead_server_to_client_bytes;
    assert_eq!(
        [up, down],
        [false, true].map(|server| passed(&[ONLINE], server))
    );
    // What starts the pools is no image's.
    let start = [Role::Server, Role::Client].map(|sender| {
        let cost = pair.server.extension().setup_cost(sender);
        [cost.bytes_to_server(), cost.bytes_to_client()]
    });
    let start = [0, 1].map(|way| start[0][way] + start[1][way]);
    let refills = [
        comm.refill_client_to_server_bytes,
        comm.refill_server_to_client_bytes,
    ];
    assert_eq!(
        [refills[0] + start[0], refills[1] + start[1]],
        [false, true].map(|server| passed(&[1, 2], server))
    );
    assert_eq!(comm.total_bytes() + start[0] + start[1], planned);
    // A client that would take less hears so before anything is asked.
    let with = |most| Request {
        max_traffic: Some(most),
        ..asked(2)
    };
    let (_, refused) = pair.prepare_over(line(PATIENCE).pair(), &with(planned - 1));
    let refused = refused.expect_err("too much");
    assert!(
        matches!(refused, Error::TooMuchTraffic { planned: p, .. } if p == planned),
        "{refused}"
    );
    let (_, prepared) = pair.prepare_over(line(PATIENCE).pair(), &with(planned));
    assert!(prepared.is_ok());
}

#[test]
fn each_view_of_an_image_has_a_preparation_of_its_own() {
    let pair = Pair::new(encrypted(&model(Crops::Ten)));
    let (served, prepared) = pair.prepare(1);
    assert_eq!((served.prepared, prepared.runs), (10, 10));
    assert_eq!(pair.lots(), [10, 10]);
    let (served, found) = pair.infer(1);
    assert!(served.is_ok());
    assert_eq!(found.expect("it infers")[0].views, clear(&pair.model, 0));
    assert_eq!(pair.lots(), [0, 0]);
    // There is room for 16.
    pair.prepare(1);
    let (served, prepared) = pair.prepare_over(line(PATIENCE).pair(), &asked(1));
    for error in [served.expect_err("full"), prepared.expect_err("full")] {
        let told = error.to_string();
        assert_eq!(
            told,
            "the server refused: it keeps 16 preparations of a model for a client: there are 10, and 10 are asked for"
        );
    }
}

#[test]
fn fast_runs_have_preparations_of_their_own() {
    let pair = small();
    pair.prepare(1);
    let fast = Request {
        mode: Mode::Fast,
        ..asked(1)
    };
    let (served, found) = pair.infer_over(line(PATIENCE).pair(), &fast);
    assert!(served.is_err());
    let told = found.expect_err("of another mode");
    assert!(
        matches!(
            told,
            Error::NotPrepared {
                wanted: 1,
                there: 0
            }
        ),
        "{told}"
    );
    let (served, prepared) = pair.prepare_over(line(PATIENCE).pair(), &fast);
    assert!(served.is_ok() && prepared.is_ok());
    let (served, found) = pair.infer_over(line(PATIENCE).pair(), &fast);
    assert!(served.is_ok() && found.is_ok());
    assert_eq!(pair.lots(), [1, 1]);
}

#[test]
fn without_a_shelf_nothing_is_prepared() {
    let mut pair = small();
    pair.server = server(&pair.model);
    let (served, prepared) = pair.prepare_over(line(PATIENCE).pair(), &asked(1));
    for error in [served.expect_err("none"), prepared.expect_err("none")] {
        assert_eq!(
            error.to_string(),
            "the server refused: it keeps no preparations"
        );
    }
    let (served, found) = pair.infer(1);
    assert!(served.is_err() && matches!(found, Err(Error::NotPrepared { .. })));
}

pub(crate) const GONE: &str = "the server refused: it has no such preparation for this client, model and plan: it was used before, has expired, or was never made";

/// What the server has lost or does not keep is found out before anything is asked of it, and the same meeting goes on without.
#[test]
fn what_the_server_has_not_is_no_reason_to_fail() {
    let go = |pair: &Pair, shelf: &Shelf, prepared: Result<Option<u64>, &str>| {
        let (one, two, mut granted) = (pair.seed(), pair.seed(), 0);
        let mut admit = |_: &Asked| {
            granted += 1;
            Ok(())
        };
        let (served, found) = run_over(
            line(PATIENCE).pair(),
            |connection| {
                let server = &pair.server;
                server.serve_if(&connection, one, &mut admit, &mut |_| {})
            },
            |connection| {
                let mut meeting = Meeting::over(connection, &asked(1), two)?;
                let ready = meeting.ready(shelf).map_err(|e| e.to_string());
                assert_eq!(ready, prepared.map_err(str::to_owned));
                let mut client = match ready {
                    Ok(Some(1..)) => meeting.begin_prepared(shelf)?,
                    _ => meeting.begin()?,
                };
                client.infer(&picture(0), &mut |_| {})
            },
        );
        let served = served.expect("it serves");
        assert_eq!(served.stocked, matches!(prepared, Ok(Some(1..))));
        assert_eq!(found.expect("it infers").views, clear(&pair.model, 0));
        assert_eq!(granted, 1);
        pair.check();
    };
    let mut pair = small();
    pair.prepare(3);
    // The server has lost the first two.
    let lost: Vec<_> = pair.stores[0].put.lock().expect("no panic")[..2].to_vec();
    let lose = |(token, owner, ..): &Put| pair.stores[0].inner.take(token, owner, now());
    assert!(
        lost.iter()
            .all(|lot| lose(lot).expect("in memory").is_some())
    );
    go(&pair, &pair.client, Ok(Some(1)));
    assert_eq!(pair.lots(), [0, 0]);
    // Another key: nothing is lost, and the run is an ordinary one.
    pair.prepare(2);
    let other = shelf(&pair.stores[1], 3);
    let told =
        "a preparation does not open: it was sealed with another key, or for another purpose";
    go(&pair, &other, Err(told));
    assert_eq!(pair.lots(), [2, 2]);
    // Nobody can write there.
    pair.stores[1].good.store(1, Ordering::Relaxed);
    go(
        &pair,
        &pair.client,
        Err("the store is not available: the disk is full"),
    );
    pair.stores[1].good.store(usize::MAX, Ordering::Relaxed);
    // The server keeps none now: what the client has is left.
    pair.server = server(&pair.model);
    go(&pair, &pair.client, Ok(None));
    assert_eq!(pair.lots(), [2, 2]);
}

/// A client that puts back what it has used is refused.
#[test]
fn a_preparation_serves_once() {
    let pair = small();
    pair.prepare(1);
    assert!(pair.infer(1).1.is_ok());
    pair.stores[1].restore();
    assert_eq!(pair.lots(), [0, 1]);
    let (served, found) = pair.infer(1);
    for error in [served.expect_err("used"), found.expect_err("used")] {
        assert_eq!(error.to_string(), GONE);
    }
    // Nor does the client keep it.
    assert_eq!(pair.lots(), [0, 0]);
}

/// What one side has and the other has not is refused, and gone.
#[test]
fn a_preparation_of_one_side_alone_is_refused_and_deleted() {
    let pair = small();
    pair.prepare(2);
    let (token, owner) = {
        let put = pair.stores[0].put.lock().expect("no panic");
        (put[0].0, put[0].1)
    };
    assert!(
        pair.stores[0]
            .inner
            .take(&token, &owner, now())
            .expect("in memory")
            .is_some()
    );
    let (served, found) = pair.infer(1);
    assert_eq!(served.expect_err("none").to_string(), GONE);
    assert_eq!(found.expect_err("none").to_string(), GONE);
    assert_eq!(pair.lots(), [1, 1]);
    assert!(pair.infer(1).1.is_ok());
    pair.check();
}

/// Of two clients with one preparation, one gets its finding.
#[test]
fn two_clients_with_one_preparation() {
    for _ in 0..4 {
        let pair = small();
        pair.prepare(1);
        let copy = Watched::new();
        copy.put
            .lock()
            .expect("no panic")
            .clone_from(&pair.stores[1].put.lock().expect("no panic"));
        copy.restore();
        let other = shelf(&copy, 2);
        let outcomes = std::thread::scope(|scope| {
            let sessions = [&pair.client, &other].map(|shelf| {
                let pair = &pair;
                scope.spawn(move || {
                    let (one, two) = (pair.seed(), pair.seed());
                    run_over(
                        line(PATIENCE).pair(),
                        |connection| pair.server.serve(&connection, one, &mut |_| {}),
                        |connection| {
                            let meeting = Meeting::over(connection, &asked(1), two)?;
                            meeting
                                .begin_prepared(shelf)?
                                .infer(&picture(0), &mut |_| {})
                        },
                    )
                })
            });
            sessions.map(|session| session.join().expect("no panic").1)
        });
        let [good, bad] =
            [true, false].map(|ok| outcomes.iter().filter(|o| o.is_ok() == ok).count());
        assert_eq!((good, bad), (1, 1));
        for outcome in outcomes {
            match outcome {
                Ok(found) => assert_eq!(found.views, clear(&pair.model, 0)),
                Err(error) => assert_eq!(error.to_string(), GONE),
            }
        }
        assert_eq!(pair.lots(), [0, 0]);
        pair.check();
    }
}

/// Another process of the same client has taken the last one between looking and asking.
#[test]
fn the_last_one_may_be_gone() {
    let pair = small();
    pair.prepare(1);
    let (one, two) = (pair.seed(), pair.seed());
    let (served, found) = run_over(
        line(PATIENCE).pair(),
        |connection| pair.server.serve(&connection, one, &mut |_| {}),
        |connection| -> Result<Findings, Error> {
            let meeting = Meeting::over(connection, &asked(1), two)?;
            let mut client: Client = meeting.begin_prepared(&pair.client)?;
            assert!(pair.infer(1).1.is_ok());
            client.infer(&picture(0), &mut |_| {})
        },
    );
    assert!(served.is_err());
    assert!(matches!(
        found,
        Err(Error::NotPrepared {
            wanted: 1,
            there: 0
        })
    ));
    pair.check();
}

/// A wrong key, or bytes that changed: an error that says so, and nothing is left.
#[test]
fn what_does_not_open_is_gone() {
    let pair = small();
    pair.prepare(1);
    let (one, two) = (pair.seed(), pair.seed());
    let other_key = shelf(&pair.stores[1], 3);
    let (served, found) = run_over(
        line(PATIENCE).pair(),
        |connection| pair.server.serve(&connection, one, &mut |_| {}),
        |connection| -> Result<Findings, Error> {
            let meeting = Meeting::over(connection, &asked(1), two)?;
            meeting
                .begin_prepared(&other_key)?
                .infer(&picture(0), &mut |_| {})
        },
    );
    assert!(served.is_err());
    let told = found.expect_err("another key").to_string();
    assert_eq!(
        told,
        "a preparation does not open: it was sealed with another key, or for another purpose"
    );
    assert_eq!(pair.lots(), [0, 0]);
}

/// A store that fails at its n-th call: an error at the party that has it, and nothing is ever used twice or wrong.
#[test]
fn a_store_that_fails_ends_the_session_and_nothing_else() {
    for party in 0..2 {
        let (mut prepared, mut used) = (false, false);
        for good in 0.. {
            let pair = small();
            pair.stores[party].good.store(good, Ordering::Relaxed);
            let (served, made) = pair.prepare_over(line(Duration::from_secs(5)).pair(), &asked(1));
            prepared = made.is_ok() && served.is_ok();
            if !prepared {
                assert!(served.is_err() && made.is_err());
                let told = if party == 0 {
                    let heard = made.expect_err("full").to_string();
                    assert_eq!(
                        heard,
                        "the server refused: its store of preparations is not available"
                    );
                    served.expect_err("full")
                } else {
                    made.expect_err("full")
                };
                assert!(told.to_string().contains("the disk is full"), "{told}");
            } else {
                let (served, found) =
                    pair.infer_over(line(Duration::from_secs(5)).pair(), &asked(1));
                used = found.is_ok() && served.is_ok();
                if let Ok(found) = &found {
                    assert_eq!(found[0].views, clear(&pair.model, 0));
                }
            }
            // When it works again, whatever was left serves once or is refused.
            pair.stores[party].good.store(usize::MAX, Ordering::Relaxed);
            while pair.lots()[1] > 0 {
                if let Ok(found) = pair.infer(1).1 {
                    assert_eq!(found[0].views, clear(&pair.model, 0));
                }
            }
            pair.check();
            if used {
                break;
            }
            assert!(good < 20);
        }
        assert!(prepared && used);
    }
}

/// Ends a line for both parties once so many bytes of the conversation or of the protocol have passed.
struct CutAt {
    stream: u32,
    left: Mutex<u64>,
}

impl Relay for CutAt {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        let mut left = self.left.lock().expect("no panic");
        if way.stream != self.stream {
            return if *left == 0 { 0 } else { bytes.len() };
        }
        let passed = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        *left -= passed as u64;
        passed
    }
}

/// The line is cut after every so many bytes, in a session that prepares and in one that uses: what both have then works, what one has
/// is refused, nothing is used twice, and no finding is wrong.
#[test]
fn lines_that_break_anywhere_lose_a_preparation_at_most() {
    let cut = |stream, left| Memory {
        relay: Some(Arc::new(CutAt {
            stream,
            left: Mutex::new(left),
        })),
        ..line(Duration::from_millis(300))
    };
    let counter = Arc::new(Counter::default());
    let pair = small();
    let counted = Memory {
        relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
        ..line(PATIENCE)
    };
    let (_, made) = pair.prepare_over(counted.pair(), &asked(1));
    made.expect("it prepares");
    let total = |stream| -> u64 {
        let counts = counter.0.lock().expect("no panic");
        counts
            .iter()
            .filter(|((s, _), _)| *s == stream)
            .map(|(_, n)| n)
            .sum()
    };
    let (control, mut broken) = (total(3), [0, 0]);
    // The last messages of the conversation: the preparation's name, and that the client has it.
    for left in (0..16).map(|k| control - 1 - 9 * k) {
        let pair = small();
        let (_, made) = pair.prepare_over(cut(3, left).pair(), &asked(1));
        broken[0] += usize::from(made.is_err());
        assert!(pair.lots()[0] <= 1 && pair.lots()[1] <= 1);
        while pair.lots()[1] > 0 {
            if let Ok(found) = pair.infer(1).1 {
                assert_eq!(found[0].views, clear(&pair.model, 0));
            }
        }
        pair.check();
    }
    let mut places = vec![];
    places.extend((0..10).map(|k| (3, control - 200 + 25 * k)));
    places.extend([0, 1, 40, 200, 600].map(|left| (ONLINE, left)));
    for (stream, left) in places {
        let pair = small();
        pair.prepare(2);
        let (_, found) = pair.infer_over(cut(stream, left).pair(), &asked(1));
        broken[1] += usize::from(found.is_err());
        // At least the other one is left.
        assert!(pair.lots().iter().all(|&lots| lots >= 1));
        while pair.lots()[1] > 0 {
            if let Ok(found) = pair.infer(1).1 {
                assert_eq!(found[0].views, clear(&pair.model, 0));
            }
        }
        pair.check();
    }
    assert!(broken.iter().all(|&n| n >= 5), "{broken:?}");
}

/// Both parties go by their own clocks.
#[test]
fn what_has_expired_is_not_used() {
    let pair = small();
    let options = ServerOptions {
        lifetime: 100,
        ..ServerOptions::default()
    };
    let (public, weights) = (pair.model.public.clone(), pair.model.weights.clone());
    let server = Server::new(public, weights, options).expect("it can be served");
    let late = |store: &Arc<Watched>, key| {
        let store = Arc::clone(store) as Arc<dyn Store>;
        Shelf::with_clock(store, sealed::Key::new([key; 32]), || now() + 100)
    };
    let mut pair = Pair {
        server: server.with_shelf(shelf(&pair.stores[0], 1)),
        ..pair
    };
    pair.prepare(1);
    let early = pair.client.clone();
    pair.client = late(&pair.stores[1], 2);
    let (_, found) = pair.infer(1);
    assert!(matches!(
        found,
        Err(Error::NotPrepared {
            wanted: 1,
            there: 0
        })
    ));
    // The client's clock is behind.
    pair.client = early;
    let (public, weights) = (pair.model.public.clone(), pair.model.weights.clone());
    let server = Server::new(public, weights, options).expect("it can be served");
    pair.server = server.with_shelf(late(&pair.stores[0], 1));
    let (served, found) = pair.infer(1);
    assert_eq!(served.expect_err("late").to_string(), GONE);
    assert_eq!(found.expect_err("late").to_string(), GONE);
    assert_eq!(pair.lots()[1], 0);
}
