//! Preparations of clients that are known by their keys: whose they are, how many there may be, and what becomes of those that were lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use channel::{Config, Connection, Listener, connect};
use identity::{ClientTrust, Identity, ServerTrust, Tls};
use service::{
    ClientKey, DOUBT, Error, Findings, Lot, Meeting, MemoryStore, Mode, Otherwise, Prepared,
    Request, Served, Server, ServerOptions, Shelf, Store, Token,
};
use testkit::run_over;

use crate::common::{clear, encrypted, line, model, picture};
use crate::shelves::{GONE, PATIENCE, Pair, Put, Watched, asked, small};

/// A server of two preparations for each client, and clients over TLS.
struct Known {
    pair: Pair,
    store: Arc<MemoryStore>,
    own: Identity,
}

/// A clock of its own for each test.
macro_rules! clock {
    ($time:ident, $now:ident) => {
        static $time: AtomicU64 = AtomicU64::new(1_000_000);
        fn $now() -> u64 {
            $time.load(Ordering::Relaxed)
        }
    };
}

fn shelf_of(store: &Arc<impl Store + 'static>, key: u8, clock: fn() -> u64) -> Shelf {
    let store = Arc::clone(store) as Arc<dyn Store>;
    Shelf::with_clock(store, sealed::Key::new([key; 32]), clock)
}

fn two_at_most(pair: &Pair, shelf: Shelf) -> Server {
    let options = ServerOptions {
        max_prepared: 2,
        ..ServerOptions::default()
    };
    let (public, weights) = (pair.model.public.clone(), pair.model.weights.clone());
    let server = Server::new(public, weights, options).expect("it can be served");
    server.with_shelf(shelf)
}

/// A client: its key, its store, and its shelf.
struct Someone {
    own: Identity,
    store: Arc<Watched>,
    shelf: Shelf,
}

impl Someone {
    fn new(key: u8, clock: fn() -> u64) -> Self {
        let store = Watched::new();
        Self {
            own: Identity::generate("a client").expect("a key"),
            shelf: shelf_of(&store, key, clock),
            store,
        }
    }

    fn key(&self) -> ClientKey {
        ClientKey(*self.own.fingerprint().as_bytes())
    }
}

impl Known {
    fn new(clock: fn() -> u64) -> Self {
        let mut pair = small();
        let store = Arc::new(MemoryStore::new());
        pair.server = two_at_most(&pair, shelf_of(&store, 1, clock));
        let own = Identity::generate("a server").expect("a key");
        Self { pair, store, own }
    }

    /// One session of a client.
    fn session<T: Send>(
        &self,
        who: &Someone,
        act: impl FnOnce(Connection) -> Result<T, Error> + Send,
    ) -> (Result<Served, Error>, Result<T, Error>) {
        let guarded = |guard: Tls| Config {
            guard: Some(Arc::new(guard)),
            ..Config::default()
        };
        let guard = Tls::server(&self.own, &ClientTrust::Any).expect("a server");
        let listener = Listener::bind("127.0.0.1:0", guarded(guard)).expect("a port");
        let (address, server) = (listener.local_addr(), &self.pair.server);
        let [one, other] = [(); 2].map(|()| self.pair.seed());
        thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let connection =
                    listener.accept(server.terms(), *one.first_chunk().expect("16"))?;
                server.serve(&connection, one, &mut |_| {})
            });
            let trust = ServerTrust::Pinned(self.own.fingerprint());
            let config = guarded(Tls::client(&who.own, &trust).expect("a client"));
            let entropy = *other.first_chunk().expect("16");
            let connection = connect(address, &Request::default().terms(), &config, entropy);
            let acted = connection.map_err(Error::from).and_then(act);
            (serving.join().expect("no panic"), acted)
        })
    }

    fn prepare(&self, who: &Someone, shelf: &Shelf, request: &Request) -> Result<Prepared, Error> {
        let seed = self.pair.seed();
        let (served, made) = self.session(who, |connection| {
            let meeting = Meeting::over(connection, request, seed)?;
            meeting.prepare(shelf, request.images, &mut |_| {})
        });
        assert_eq!(served.is_ok(), made.is_ok());
        made
    }

    fn infer(&self, who: &Someone, shelf: &Shelf) -> Result<Findings, Error> {
        let seed = self.pair.seed();
        let infer = |connection| {
            let meeting = Meeting::over(connection, &asked(1), seed)?;
            meeting
                .begin_prepared(shelf, Otherwise::Fail)?
                .infer(&picture(0), &mut |_| {})
        };
        let found = self.session(who, infer).1?;
        assert_eq!(found.views, clear(&self.pair.model, 0));
        Ok(found)
    }

    /// What the server has of a client.
    fn there(&self, who: &Someone) -> u64 {
        let model = self.pair.model.public.digest();
        let there = self.store.count(&who.key(), &model, 0);
        there.expect("it is in memory")
    }
}

fn lots(store: &MemoryStore) -> u64 {
    store.stock(0).expect("it is in memory").lots
}

/// Who names another client's preparation is refused, and its owner can use it.
#[test]
fn a_preparation_is_for_one_client() {
    clock!(TIME, now);
    let net = Known::new(now);
    let [owner, thief] = [2, 3].map(|key| Someone::new(key, now));
    net.prepare(&owner, &owner.shelf, &asked(1))
        .expect("it prepares");
    // The thief has all that is on the owner's disk, and the key to it.
    let copy = Arc::new(MemoryStore::new());
    for (token, owner, expires, sealed) in owner.store.put.lock().expect("no panic").iter() {
        let lot = Lot {
            token: *token,
            owner: *owner,
            expires: *expires,
            sealed,
        };
        copy.put(&lot, None).expect("it is in memory");
    }
    let told = net.infer(&thief, &shelf_of(&copy, 2, now));
    assert_eq!(told.expect_err("another's").to_string(), GONE);
    assert_eq!((net.there(&owner), net.there(&thief)), (1, 0));
    // Each has its own.
    net.prepare(&thief, &thief.shelf, &asked(1))
        .expect("it prepares");
    for who in [&owner, &thief] {
        net.infer(who, &who.shelf).expect("it is its own");
        assert_eq!((net.there(who), who.store.lots()), (0, 0));
    }
}

/// What a client lost makes room for new ones, after a while, and no other client loses anything.
#[test]
fn what_a_client_lost_makes_room() {
    clock!(TIME, now);
    let net = Known::new(now);
    let [loser, other] = [2, 3].map(|key| Someone::new(key, now));
    for who in [&loser, &other] {
        net.prepare(who, &who.shelf, &asked(1))
            .expect("it prepares");
        let fast = Request {
            mode: Mode::Fast,
            ..asked(1)
        };
        net.prepare(who, &who.shelf, &fast).expect("it prepares");
    }
    // Both have what they have: nothing is missed.
    let full = "the server refused: it keeps 2 preparations of a model for a client: there are 2, and 1 are asked for";
    let refused = |who: &Someone, shelf: &Shelf| {
        let error = net.prepare(who, shelf, &asked(1)).map(drop);
        error.expect_err("full").to_string()
    };
    assert_eq!(refused(&loser, &loser.shelf), full);
    let empty = shelf_of(&Arc::new(MemoryStore::new()), 2, now);
    let missed = |minutes: u64| {
        format!("{full}; 2 that this client has not any more make room in {minutes} minutes")
    };
    assert_eq!(refused(&loser, &empty), missed(10));
    TIME.fetch_add(DOUBT - 60, Ordering::Relaxed);
    assert_eq!(refused(&loser, &empty), missed(1));
    assert_eq!((net.there(&loser), net.there(&other)), (2, 2));
    TIME.fetch_add(60, Ordering::Relaxed);
    // Who asks for more than there can ever be loses nothing.
    let much = net.prepare(&loser, &empty, &asked(3)).map(drop);
    much.expect_err("three are too many");
    assert_eq!(net.there(&loser), 2);
    net.prepare(&loser, &empty, &asked(2))
        .expect("there is room");
    assert_eq!((net.there(&loser), net.there(&other)), (2, 2));
    net.infer(&loser, &empty).expect("they are good");
    net.infer(&other, &other.shelf).expect("nothing was lost");
    // The client deletes those that the server has not.
    assert_eq!(loser.store.lots(), 2);
    net.prepare(&loser, &loser.shelf, &asked(1))
        .expect("there is room");
    assert_eq!(loser.store.lots(), 1);
}

/// What another session of the same client is about to use is not taken for lost, though it was in doubt.
#[test]
fn what_is_on_its_way_is_not_lost() {
    clock!(TIME, now);
    let net = Known::new(now);
    let who = Someone::new(2, now);
    net.prepare(&who, &who.shelf, &asked(2))
        .expect("it prepares");
    let empty = shelf_of(&Arc::new(MemoryStore::new()), 2, now);
    let full = |shelf: &Shelf| {
        let refused = net.prepare(&who, shelf, &asked(1)).map(drop);
        refused.expect_err("full").to_string()
    };
    // Both are in doubt now: as if they had been in the making then.
    assert!(full(&empty).contains("2 that this client has not"));
    TIME.fetch_add(DOUBT, Ordering::Relaxed);
    let seed = net.pair.seed();
    let (served, found) = net.session(&who, |connection| {
        let mut meeting = Meeting::over(connection, &asked(1), seed)?;
        assert_eq!(meeting.ready(&who.shelf, Otherwise::Fail)?, Some(2));
        // It has taken the first, and said nothing more.
        assert_eq!(who.store.lots(), 1);
        let said = full(&who.shelf);
        assert!(said.contains("1 that this client has not"), "{said}");
        assert_eq!(net.there(&who), 2);
        let mut client = meeting.begin_prepared(&who.shelf, Otherwise::Fail)?;
        client.infer(&picture(0), &mut |_| {})
    });
    assert!(served.is_ok());
    let found = found.expect("nothing was lost");
    assert_eq!(found.views, clear(&net.pair.model, 0));
}

/// Of those whom nobody asks who they are, none speaks for the others.
#[test]
fn strangers_delete_nothing() {
    clock!(TIME, now);
    let mut pair = small();
    let store = Arc::new(MemoryStore::new());
    pair.server = two_at_most(&pair, shelf_of(&store, 1, now));
    pair.prepare(2);
    for _ in 0..2 {
        let empty = shelf_of(&Arc::new(MemoryStore::new()), 2, now);
        pair.client = empty;
        let (_, made) = pair.prepare_over(line(PATIENCE).pair(), &asked(1));
        let told = made.expect_err("full").to_string();
        assert!(told.ends_with("there are 2, and 1 are asked for"), "{told}");
        TIME.fetch_add(DOUBT, Ordering::Relaxed);
    }
    assert_eq!(lots(&store), 2);
}

/// Two sessions of a client that both were granted two have made two together.
#[test]
fn sessions_at_once_have_no_more_together() {
    clock!(TIME, now);
    TIME.fetch_add(1, Ordering::Relaxed);
    let mut pair = small();
    let store = Arc::new(MemoryStore::new());
    pair.server = two_at_most(&pair, shelf_of(&store, 1, now));
    let both = Barrier::new(2);
    let outcomes = thread::scope(|scope| {
        let sessions = [(); 2].map(|()| {
            let (pair, both) = (&pair, &both);
            let [one, other] = [(); 2].map(|()| pair.seed());
            scope.spawn(move || {
                let mut admit = |_: &service::Asked| {
                    both.wait();
                    Ok(())
                };
                run_over(
                    line(PATIENCE).pair(),
                    |connection| {
                        let server = &pair.server;
                        server.serve_if(&connection, one, &mut admit, &mut |_| {})
                    },
                    |connection| {
                        let meeting = Meeting::over(connection, &asked(2), other)?;
                        meeting.prepare(&pair.client, 2, &mut |_| {})
                    },
                )
            })
        });
        sessions.map(|session| session.join().expect("no panic"))
    });
    let full = "the server refused: it keeps 2 preparations of a model for a client, and another session has just made the last";
    let mut refused = 0;
    for (served, made) in outcomes {
        assert_eq!(served.is_ok(), made.is_ok());
        for error in [served.map(drop), made.map(drop)]
            .into_iter()
            .filter_map(Result::err)
        {
            assert_eq!(error.to_string(), full);
            refused += 1;
        }
    }
    assert!(
        refused >= 2,
        "one of them found no room, and both ends know"
    );
    assert_eq!((lots(&store), pair.lots()[1]), (2, 2));
    for _ in 0..2 {
        let found = pair.infer(1).1.expect("they fit together");
        assert_eq!(found[0].views, clear(&pair.model, 0));
    }
}

/// What was prepared by one key of a client is not touched by another one.
#[test]
fn each_key_of_a_client_has_its_own() {
    let pair = small();
    let [one, other] = [1, 2].map(|key| pair.client.clone().of(ClientKey([key; 32])));
    let by = |shelf: &Shelf| {
        let stores = pair.stores.each_ref().map(Arc::clone);
        let mut by = Pair::with(encrypted(&model(nets::Crops::Centre)), stores);
        by.client = shelf.clone();
        by
    };
    let (first, second) = (by(&one), by(&other));
    first.prepare(2);
    let (_, found) = second.infer(1);
    let told = found.expect_err("of another key");
    assert!(
        matches!(told, Error::NotPrepared { there: 0, .. }),
        "{told}"
    );
    let seed = pair.seed();
    let (_, ready) = run_over(
        line(PATIENCE).pair(),
        |connection| second.server.serve(&connection, [7; 32], &mut |_| {}),
        |connection| Meeting::over(connection, &asked(1), seed)?.ready(&other, Otherwise::Fail),
    );
    assert_eq!(ready.expect("it asks"), Some(0));
    assert_eq!(pair.lots(), [2, 2]);
    let (_, found) = first.infer(2);
    assert_eq!(
        found.expect("they are there")[0].views,
        clear(&pair.model, 0)
    );
}

/// A disk that is full at any of the preparations, on either side: the session ends and says so, both sides have the same, and the next
/// session works.
#[test]
fn a_full_disk_leaves_nothing_half_there() {
    for (party, at) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)] {
        let pair = small();
        pair.stores[party].full_at.store(at, Ordering::Relaxed);
        let (served, made) = pair.prepare_over(line(PATIENCE).pair(), &asked(3));
        let (served, made) = (served.expect_err("full"), made.expect_err("full"));
        let full = "the store is not available: no space left on device";
        match party {
            0 => {
                assert_eq!(served.to_string(), full);
                let told = "the server refused: its store of preparations is not available";
                assert_eq!(made.to_string(), told);
            }
            _ => {
                assert_eq!(made.to_string(), full);
                assert!(matches!(served, Error::Transport(_)), "{served}");
            }
        }
        let before = at as u64 - 1;
        assert_eq!(pair.lots(), [before; 2]);
        let tokens = |party: usize| -> BTreeSet<Token> {
            let put = pair.stores[party].put.lock().expect("no panic");
            let there = |(token, owner, ..): &Put| {
                let lot = pair.stores[party].inner.look(token, owner, 0);
                lot.expect("in memory").map(|_| *token)
            };
            put.iter().filter_map(there).collect()
        };
        assert_eq!(tokens(0), tokens(1));
        pair.prepare(1);
        for _ in 0..at {
            let found = pair.infer(1).1.expect("it works on");
            assert_eq!(found[0].views, clear(&pair.model, 0));
        }
        assert_eq!(pair.lots(), [0, 0]);
        pair.check();
    }
}
