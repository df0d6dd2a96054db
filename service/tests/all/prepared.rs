//! Preparations: made in one session, used in another.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use channel::{Memory, ONLINE, Relay, Role};
use nets::Crops;
use service::{Asked, Error, Meeting, Mode, Otherwise, Request, Shelf, Store};
use testkit::run_over;

use crate::common::{Counter, clear, encrypted, line, model, picture, server};
use crate::shelves::{PATIENCE, Pair, Put, asked, now, shelf, small};

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
                let ready = meeting
                    .ready(shelf, Otherwise::Fail)
                    .map_err(|e| e.to_string());
                assert_eq!(ready, prepared.map_err(str::to_owned));
                let mut client = match ready {
                    Ok(Some(1..)) => meeting.begin_prepared(shelf, Otherwise::Fail)?,
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
