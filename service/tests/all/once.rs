//! Whatever fails, a preparation serves once, and a finding is right or none.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::{Memory, ONLINE, Relay, Way};
use service::{Client, Error, Findings, Meeting, Otherwise, Server, ServerOptions, Shelf, Store};
use testkit::run_over;

use crate::common::{Counter, clear, line, picture};
use crate::shelves::{GONE, PATIENCE, Watched, asked, now, shelf, small};

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

/// What one side has and the other has not is refused, and gone; the next one is used.
#[test]
fn a_preparation_of_one_side_alone_is_refused_and_deleted() {
    let pair = small();
    pair.prepare(2);
    let lose = || pair.stores[0].swap(pair.stores[0].there()[0].0, None);
    lose();
    assert!(pair.infer(1).1.is_ok());
    assert_eq!(pair.lots(), [0, 0]);
    pair.prepare(1);
    lose();
    let (served, found) = pair.infer(1);
    assert_eq!(served.expect_err("none").to_string(), GONE);
    assert_eq!(found.expect_err("none").to_string(), GONE);
    assert_eq!(pair.lots(), [0, 0]);
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
                                .begin_prepared(shelf, Otherwise::Fail)?
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
            let mut client: Client = meeting.begin_prepared(&pair.client, Otherwise::Fail)?;
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
    let mut pair = small();
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
    pair.server = server.with_shelf(shelf(&pair.stores[0], 1));
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
