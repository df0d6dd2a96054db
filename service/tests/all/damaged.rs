//! Preparations that are damaged at either party, at any image of a session: the next one is used, or none, and nothing is used twice or wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use channel::{Connection, Memory, ONLINE, Relay, Way};
use nets::Crops;
use service::{
    Asked, Client, Damage, Error, Findings, Meeting, Otherwise, PassedOver, Request, Served,
    Server, ServerOptions, Unfit,
};
use testkit::run_over;

use crate::common::{Counter, clear, encrypted, line, model, picture};
use crate::shelves::{GONE, PATIENCE, Pair, Watched, asked, shelf, small};

/// What can become of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// Its end is missing.
    Cut,
    /// All of it is.
    Empty,
    /// A byte is another one.
    Changed,
    /// It is gone.
    Missing,
    /// It is another preparation's.
    Swapped,
}

const FORMS: [Form; 5] = [
    Form::Cut,
    Form::Empty,
    Form::Changed,
    Form::Missing,
    Form::Swapped,
];

/// Damages the preparation that would be used next.
fn spoil(store: &Watched, form: Form, spare: &[u8]) {
    let (token, _, _, mut bytes) = store.there().swap_remove(0);
    let middle = bytes.len() / 2;
    match form {
        Form::Cut => bytes.truncate(middle),
        Form::Empty => bytes.clear(),
        Form::Changed => bytes[middle] ^= 1,
        Form::Missing => return store.swap(token, None),
        Form::Swapped => bytes = spare.to_vec(),
    }
    store.swap(token, Some(bytes));
}

/// What was found, and what was passed over.
type Found = (Vec<Findings>, Vec<PassedOver>);

/// A session of so many images; something happens before each.
fn session(
    pair: &Pair,
    ends: (Connection, Connection),
    request: &Request,
    otherwise: Otherwise,
    before: &(dyn Fn(u8) + Sync),
) -> (Result<Served, Error>, Result<Found, Error>) {
    let (one, two) = (pair.seed(), pair.seed());
    run_over(
        ends,
        |connection| pair.server.serve(&connection, one, &mut |_| {}),
        |connection| {
            let meeting = Meeting::over(connection, request, two)?;
            let mut client: Client = meeting.begin_prepared(&pair.client, otherwise)?;
            let mut found = Vec::new();
            for number in 0..u8::try_from(request.images).expect("few images") {
                before(number);
                found.push(client.infer(&picture(number), &mut |_| {})?);
            }
            Ok((found, client.passed_over().to_vec()))
        },
    )
}

#[test]
fn damage_anywhere_costs_a_detour_at_most() {
    const IMAGES: u8 = 3;
    for party in 0..2 {
        for form in FORMS {
            for at in 0..IMAGES {
                for made in [3, 4] {
                    let pair = small();
                    pair.prepare(made);
                    let spare = pair.stores[party].there().pop().expect("there").3;
                    // The last has none to be swapped with but those that were used.
                    let used = pair.stores[party].there().swap_remove(0).3;
                    let spare = if made == 3 && at == 2 { used } else { spare };
                    let spoil = |number| {
                        if number == at {
                            spoil(&pair.stores[party], form, &spare);
                        }
                    };
                    let (served, found) = session(
                        &pair,
                        line(PATIENCE).pair(),
                        &asked(u32::from(IMAGES)),
                        Otherwise::Without,
                        &spoil,
                    );
                    let what = format!("party {party}, {form:?} at image {at}, {made} made");
                    let served = served.unwrap_or_else(|e| panic!("{what}: server: {e}"));
                    let (found, passed) = found.unwrap_or_else(|e| panic!("{what}: {e}"));
                    for (number, found) in (0..).zip(&found) {
                        assert_eq!(found.views, clear(&pair.model, number), "{what}");
                        // Where there is one more, the last has it.
                        let without = made == 3 && number == IMAGES - 1;
                        assert_eq!(found.preparation.is_none(), without, "{what}: {number}");
                    }
                    assert!(served.stocked);
                    assert_eq!(served.without, u64::from(made == 3), "{what}");
                    let totals = found.iter().map(|found| found.comm.total_bytes());
                    assert_eq!(totals.sum::<u64>(), served.comm.total_bytes(), "{what}");
                    // What does not open at the client stays at both, what does not at the server is gone, and what one has lost stays at the other,
                    // until they settle it.
                    let (left, damaged, told) = match (party, form) {
                        (0, Form::Missing) => ([0, 0], 0, 1),
                        (0, _) => ([0, 0], 1, 1),
                        (_, Form::Missing) => ([1, 0], 0, 0),
                        (_, _) => ([1, 1], 0, 1),
                    };
                    assert_eq!((pair.lots(), served.damaged), (left, damaged), "{what}");
                    assert_eq!(passed.len(), told, "{what}: {passed:?}");
                    for passed in passed {
                        let said = match passed.why {
                            Unfit::Damaged(Damage::Sealed(why)) if party == 1 => why.to_string(),
                            Unfit::Refused(reason) if party == 0 => reason,
                            other => panic!("{what}: {other:?}"),
                        };
                        let expected = match (party, form) {
                            (0, Form::Missing) => "it has no such preparation",
                            (0, _) => "its half of this preparation does not open",
                            (_, Form::Cut) => "it was cut off, or something was added",
                            (_, Form::Empty) => "nothing that was sealed",
                            (_, _) => "or belongs elsewhere",
                        };
                        assert!(said.contains(expected), "{what}: {said}");
                    }
                    pair.check();
                }
            }
        }
    }
}

/// Without leave to go on without, the session ends where there is no preparation any more, and both hear why.
#[test]
fn who_wants_preparations_only_gets_nothing_else() {
    for (party, said) in [
        (
            0,
            "the server refused: its half of this preparation does not open",
        ),
        (
            1,
            "a preparation does not open: it was changed after it was sealed",
        ),
    ] {
        let pair = small();
        pair.prepare(2);
        let spoil = |number| {
            if number == 1 {
                spoil(&pair.stores[party], Form::Changed, &[]);
            }
        };
        let ends = line(PATIENCE).pair();
        let (served, found) = session(&pair, ends, &asked(2), Otherwise::Fail, &spoil);
        let told = found.expect_err("there is no other").to_string();
        assert!(told.starts_with(said), "{told}");
        let served = served.expect_err("the client went away");
        match party {
            0 => assert!(served.to_string().starts_with(said), "{served}"),
            _ => assert!(matches!(served, Error::Transport(_)), "{served}"),
        }
        pair.check();
    }
}

/// Another key: an error that says so, and nothing is lost.
#[test]
fn what_does_not_open_is_left() {
    let mut pair = small();
    pair.prepare(1);
    let good = std::mem::replace(&mut pair.client, shelf(&pair.stores[1], 3));
    let (served, found) = pair.infer(1);
    assert!(served.is_err());
    let told = found.expect_err("another key").to_string();
    assert_eq!(
        told,
        "a preparation does not open: it was sealed with another key, or for another purpose"
    );
    assert_eq!(pair.lots(), [1, 1]);
    pair.client = good;
    assert!(pair.infer(1).1.is_ok());
}

/// The bytes of a detour are planned to the byte: the server charges them, and the client allows them, before they pass.
#[test]
fn a_detour_is_planned() {
    let pair = small();
    let run = |most: Option<u64>, admitted: bool| {
        pair.prepare(1);
        let counter = Arc::new(Counter::default());
        let memory = Memory {
            relay: Some(Arc::clone(&counter) as Arc<dyn Relay>),
            ..line(PATIENCE)
        };
        let mut asks = Vec::new();
        let mut admit = |asked: &Asked| {
            asks.push(*asked);
            match asked.detour && !admitted {
                true => Err("not that much".to_owned()),
                false => Ok(()),
            }
        };
        let request = Request {
            max_traffic: most,
            ..asked(3)
        };
        let (one, two) = (pair.seed(), pair.seed());
        let outcome = run_over(
            memory.pair(),
            |connection| (pair.server).serve_if(&connection, one, &mut admit, &mut |_| {}),
            |connection| {
                let meeting = Meeting::over(connection, &request, two)?;
                let mut client = meeting.begin_prepared(&pair.client, Otherwise::Without)?;
                let found = (0..3).map(|number| client.infer(&picture(number), &mut |_| {}));
                found.collect::<Result<Vec<_>, Error>>()
            },
        );
        let counts = counter.0.lock().expect("no panic").clone();
        let passed = counts.iter().filter(|((stream, _), _)| *stream != 3);
        (outcome, asks, passed.map(|(_, bytes)| bytes).sum::<u64>())
    };
    let ((served, found), asks, passed) = run(None, true);
    let (served, found) = (served.expect("it serves"), found.expect("it infers"));
    assert_eq!(served.without, 2);
    for (number, found) in (0..).zip(&found) {
        assert_eq!(found.views, clear(&pair.model, number));
    }
    let [first, detour] = asks[..] else {
        panic!("{asks:?}")
    };
    assert!(!first.detour && first.images == 3);
    assert!(detour.detour && (detour.images, detour.prepared) == (0, 0));
    assert_eq!(first.bytes + detour.bytes, passed);
    // No more than this client allows, to the byte; nothing was asked of the server.
    let ((served, found), asks, _) = run(Some(passed - 1), true);
    let error = found.expect_err("too much");
    assert!(matches!(error, Error::TooMuchTraffic { planned, .. } if planned == passed));
    assert!(served.is_err() && asks.is_empty());
    // There is one more from before.
    let ((_, found), asks, _) = run(Some(passed), true);
    found.expect("as much as it may");
    assert!(asks[1].bytes < detour.bytes);
    // The server says no to the rest.
    let ((served, found), asks, _) = run(Some(passed), false);
    for error in [served.map(drop), found.map(drop)] {
        let told = error.expect_err("not admitted").to_string();
        assert_eq!(told, "the server refused: not that much");
    }
    assert_eq!(asks.len(), 2);
    assert_eq!(pair.lots(), [0, 0]);
    pair.check();
}

/// A client that has lost its half of all that its server has, or whose server has, tries no more than some.
#[test]
fn refusals_have_an_end() {
    let mut pair = small();
    let options = ServerOptions {
        max_prepared: 20,
        ..ServerOptions::default()
    };
    let (public, weights) = (pair.model.public.clone(), pair.model.weights.clone());
    let server = Server::new(public, weights, options).expect("it can be served");
    pair.server = server.with_shelf(shelf(&pair.stores[0], 1));
    pair.prepare(20);
    for (token, ..) in pair.stores[0].there() {
        pair.stores[0].swap(token, None);
    }
    let ends = line(PATIENCE).pair();
    let (served, found) = session(&pair, ends, &asked(1), Otherwise::Without, &|_| {});
    let (found, passed) = found.expect("it goes on without");
    assert_eq!(served.expect("it serves").without, 1);
    assert_eq!(found[0].views, clear(&pair.model, 0));
    assert_eq!(passed.len(), 16);
    assert_eq!(pair.lots(), [0, 4]);
    let (served, found) = pair.infer(1);
    assert_eq!(found.expect_err("none").to_string(), GONE);
    assert_eq!(served.expect_err("none").to_string(), GONE);
}

/// What is damaged when a session is asked for is named then, and the session takes what there is.
#[test]
fn the_first_may_be_damaged() {
    let pair = small();
    pair.prepare(3);
    let damaged = pair.stores[1].there()[0].0;
    spoil(&pair.stores[1], Form::Changed, &[]);
    let run = |images: u32, otherwise, ready: u64| {
        let (one, two) = (pair.seed(), pair.seed());
        let (served, found) = run_over(
            line(PATIENCE).pair(),
            |connection| pair.server.serve(&connection, one, &mut |_| {}),
            |connection| {
                let mut meeting = Meeting::over(connection, &asked(images), two)?;
                assert_eq!(meeting.ready(&pair.client, otherwise)?, Some(ready));
                let named: Vec<_> = meeting.damaged().iter().map(|(token, _)| *token).collect();
                assert_eq!(named, [damaged]);
                assert_eq!(meeting.prepared(&pair.client)?, ready);
                let mut client = meeting.begin_prepared(&pair.client, otherwise)?;
                let mut found = Vec::new();
                for number in 0..u8::try_from(images).expect("few") {
                    found.push(client.infer(&picture(number), &mut |_| {})?);
                }
                assert_eq!(client.passed_over().len(), 1);
                assert_eq!(client.prepared_left()?, Some(0));
                Ok::<_, Error>(found)
            },
        );
        served.expect("it serves");
        for (number, found) in (0..).zip(found.expect("the next are good")) {
            assert_eq!(found.views, clear(&pair.model, number));
            let prepared = u64::from(number) < ready;
            assert_eq!(found.preparation.is_some(), prepared);
        }
        // It is still there, at both.
        assert_eq!(pair.lots(), [1, 1]);
        pair.check();
    };
    run(2, Otherwise::Fail, 2);
    pair.prepare(1);
    // The damaged one may come after the one that was made now.
    if pair.stores[1].there()[0].0 == damaged {
        run(3, Otherwise::Without, 1);
    }
    // It is not enough for anything.
    while pair.lots()[1] > 1 {
        pair.infer(1).1.expect("it is good");
    }
    let (_, ready) = run_over(
        line(PATIENCE).pair(),
        |connection| pair.server.serve(&connection, [8; 32], &mut |_| {}),
        |connection| {
            let mut meeting = Meeting::over(connection, &asked(1), pair.seed())?;
            meeting.ready(&pair.client, Otherwise::Without)
        },
    );
    let told = ready.expect_err("there is no other").to_string();
    assert!(
        told.contains("it was changed after it was sealed"),
        "{told}"
    );
    assert_eq!(pair.lots(), [1, 1]);
}

/// A view of an image goes without, and its finding is the same.
#[test]
fn some_views_may_go_without() {
    for party in 0..2 {
        let pair = Pair::new(encrypted(&model(Crops::Ten)));
        pair.prepare(1);
        let damaged = pair.stores[party].there()[3].0;
        pair.stores[party].swap(damaged, Some(vec![7; 100]));
        let ends = line(PATIENCE).pair();
        let (served, found) = session(&pair, ends, &asked(1), Otherwise::Without, &|_| {});
        let (found, passed) = found.expect("it infers");
        assert_eq!(served.expect("it serves").without, 1);
        assert_eq!(found[0].views, clear(&pair.model, 0));
        assert!(found[0].preparation.is_some());
        assert_eq!(passed.len(), 1);
        let left = u64::try_from(party).expect("two");
        assert_eq!(pair.lots(), [left; 2]);
        pair.check();
    }
}

/// What passes of the protocols, with what both stores have then and the image at hand.
struct Watching {
    stores: [Arc<Watched>; 2],
    image: Arc<AtomicUsize>,
    /// The most that was there, by image and party.
    seen: Mutex<[[u64; 2]; 3]>,
}

impl Relay for Watching {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        if way.stream == ONLINE {
            let mut seen = self.seen.lock().expect("no panic");
            let of = &mut seen[self.image.load(Ordering::SeqCst)];
            for (most, store) in of.iter_mut().zip(&self.stores) {
                *most = store.lots().max(*most);
            }
        }
        bytes.len()
    }
}

/// Before the first byte of a run its preparation is deleted at both parties, and so is one that was refused before it.
#[test]
fn deletions_come_before_the_first_byte() {
    let pair = small();
    pair.prepare(4);
    let stores = pair.stores.each_ref().map(Arc::clone);
    let image = Arc::new(AtomicUsize::new(0));
    let watching = Arc::new(Watching {
        stores,
        image: Arc::clone(&image),
        seen: Mutex::default(),
    });
    let memory = Memory {
        relay: Some(Arc::clone(&watching) as Arc<dyn Relay>),
        ..line(PATIENCE)
    };
    let spoil = |number: u8| {
        image.store(usize::from(number), Ordering::SeqCst);
        if number == 1 {
            spoil(&pair.stores[0], Form::Changed, &[]);
        }
    };
    let (served, found) = session(&pair, memory.pair(), &asked(3), Otherwise::Without, &spoil);
    served.expect("it serves");
    found.expect("it infers");
    let seen = *watching.seen.lock().expect("no panic");
    assert_eq!(seen, [[3, 3], [1, 1], [0, 0]]);
}
