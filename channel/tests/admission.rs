//! Who is served, and when: by what a server grants to identities.

mod badges;
mod servers;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use channel::{
    Admission, Admitted, Applicant, Config, Connection, Error, Listener, Refusal, TurnedAway,
    Waiting, connect, connect_in_line,
};

use badges::badge;
use servers::{listener, terms};

/// Those from 100 on may be urgent, those from 200 on are refused, and 50 may have one session.
#[derive(Debug)]
struct ByNumber;

impl Admission for ByNumber {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<Admitted, Refusal> {
        assert!(applicant.address.ip().is_loopback());
        match applicant.identity.expect("a badge").key[0] {
            200.. => Err(Refusal::new(
                "the images of this hour are\nused up",
                Some(Duration::from_secs(90)),
            )),
            number => Ok(Admitted {
                urgent: number >= 100,
                sessions: if number == 50 { 1 } else { usize::MAX },
            }),
        }
    }
}

fn server(max_sessions: usize, max_waiting: usize) -> (Listener, SocketAddr) {
    listener(Config {
        guard: Some(Arc::new(badge(1))),
        admission: Some(Arc::new(ByNumber)),
        max_sessions,
        max_waiting,
        ..servers::config()
    })
}

fn client(number: u8, urgent: bool) -> Config {
    Config {
        guard: Some(Arc::new(badge(number))),
        urgent,
        ..servers::config()
    }
}

fn accept(listener: &Listener) -> Connection {
    listener.accept(&terms(), [1; 16]).expect("somebody")
}

fn number(connection: &Connection) -> u8 {
    connection.peer_identity().expect("a badge").key[0]
}

type Served<'a> = ScopedJoinHandle<'a, (Result<Connection, Error>, Vec<Waiting>)>;

/// A client that is in line already when this returns; later what it was told, too.
fn lined_up<'a>(
    scope: &'a Scope<'a, '_>,
    address: SocketAddr,
    name: u8,
    urgent: bool,
) -> Served<'a> {
    let (in_line, is_in_line) = mpsc::channel();
    let served = scope.spawn(move || {
        let mut told = Vec::new();
        let mut tell = |waiting| {
            told.push(waiting);
            in_line.send(()).unwrap_or(());
        };
        let config = client(name, urgent);
        let outcome = connect_in_line(address, &terms(), &config, [name; 16], &mut tell);
        (outcome, told)
    });
    is_in_line.recv().expect("it waits");
    served
}

/// Serves one after the other, who hang up at once, and says who it was.
fn serve(
    listener: &Listener,
    waiting: Vec<Served<'_>>,
    mut at_hand: (Connection, Connection),
) -> Vec<(u8, Vec<Waiting>)> {
    let mut waiting: Vec<_> = waiting.into_iter().map(Some).collect();
    let mut order = Vec::new();
    for _ in 0..waiting.len() {
        drop(at_hand);
        let server = accept(listener);
        // Its client is the one that comes to an end.
        let found = loop {
            let done =
                |served: &Option<Served<'_>>| served.as_ref().is_some_and(Served::is_finished);
            if let Some(place) = waiting.iter().position(done) {
                break waiting[place].take().expect("done");
            }
            thread::sleep(Duration::from_millis(1));
        };
        let (outcome, told) = found.join().expect("no panic");
        order.push((number(&server), told));
        at_hand = (server, outcome.expect("served"));
    }
    order
}

/// Both ends of a session.
fn session(listener: &Listener, address: SocketAddr, name: u8) -> (Connection, Connection) {
    thread::scope(|scope| {
        let client = scope.spawn(move || connect(address, &terms(), &client(name, false), [0; 16]));
        let server = accept(listener);
        (server, client.join().expect("no panic").expect("served"))
    })
}

#[test]
fn the_urgent_come_first_and_identities_take_turns() {
    let (listener, address) = server(1, 16);
    thread::scope(|scope| {
        let at_hand = session(&listener, address, 3);
        // All come from one address.
        let names = [
            (7, false),
            (7, false),
            (7, false),
            (8, false),
            (9, true),
            (101, false),
            (101, true),
            (102, true),
            (101, true),
        ];
        let waiting = names.map(|(name, urgent)| lined_up(scope, address, name, urgent));
        let busy = listener.handle().busy();
        assert_eq!((busy.sessions, busy.waiting, busy.urgent), (1, 9, 3));
        assert_eq!(busy.mean_session, None);
        let order = serve(&listener, waiting.into(), at_hand);
        let names: Vec<_> = order.iter().map(|(name, _)| *name).collect();
        // 9 asks, and may not; 101 may, and asks twice.
        assert_eq!(names, [101, 102, 101, 7, 8, 9, 101, 7, 7]);
        for (place, (name, told)) in (0..).zip(&order) {
            let urgent = place < 3;
            assert!(
                told.iter().all(|waiting| waiting.urgent == urgent),
                "{name}: {told:?}"
            );
            assert!(told[0].ahead <= place, "{name}: {told:?}");
            assert_eq!(told.first().expect("one").wait, None);
        }
    });
}

#[test]
fn both_ends_know_whether_a_session_is_urgent() {
    let (listener, address) = server(1, 16);
    for (name, asks, urgent) in [(101, true, true), (101, false, false), (9, true, false)] {
        thread::scope(|scope| {
            let client =
                scope.spawn(move || connect(address, &terms(), &client(name, asks), [0; 16]));
            let server = accept(&listener);
            let client = client.join().expect("no panic").expect("served");
            assert_eq!(
                [server.is_urgent(), client.is_urgent()],
                [urgent; 2],
                "{name}"
            );
        });
    }
}

#[test]
fn the_estimate_goes_by_the_sessions_before() {
    let (listener, address) = server(1, 16);
    let first = session(&listener, address, 3);
    thread::sleep(Duration::from_millis(1500));
    drop(first);
    thread::scope(|scope| {
        let at_hand = session(&listener, address, 3);
        let mean = listener
            .handle()
            .busy()
            .mean_session
            .expect("one has ended");
        assert!(mean >= Duration::from_millis(1500), "{mean:?}");
        let waiting = [7, 8].map(|name| lined_up(scope, address, name, false));
        let order = serve(&listener, waiting.into(), at_hand);
        // Whole seconds, and the second waits for two sessions.
        let wait = |place: usize| order[place].1[0].wait.expect("known").as_secs();
        let mean = mean.as_secs() + 1;
        assert!((1..=mean).contains(&wait(0)), "{order:?}");
        assert!((wait(0) + 1..=2 * mean).contains(&wait(1)), "{order:?}");
    });
}

#[test]
fn who_has_all_his_sessions_waits_while_others_pass() {
    let (listener, address) = server(3, 16);
    thread::scope(|scope| {
        let at_hand = session(&listener, address, 50);
        let second = lined_up(scope, address, 50, false);
        // There are places, and others get them.
        let other = session(&listener, address, 7);
        assert!(!second.is_finished());
        assert_eq!(listener.handle().busy().waiting, 1);
        drop(at_hand);
        let server = accept(&listener);
        assert_eq!(number(&server), 50);
        let (outcome, told) = second.join().expect("no panic");
        assert_eq!(told[0].ahead, 0);
        drop((outcome.expect("served"), other));
    });
}

#[test]
fn who_is_refused_hears_why_and_when_to_come_again_and_the_server_who_it_was() {
    let (listener, address) = server(1, 16);
    thread::scope(|scope| {
        let refused = scope.spawn(|| connect(address, &terms(), &client(200, true), [0; 16]));
        let turned_away = listener.receive(&terms(), [1; 16]).expect_err("refused");
        let TurnedAway {
            peer,
            identity,
            error,
            ..
        } = &turned_away;
        assert!(peer.expect("it is somewhere").ip().is_loopback());
        assert_eq!(identity.as_ref().expect("a badge").key, [200; 32]);
        assert!(
            matches!(error, Error::NotAdmitted { reason } if reason == "the images of this hour areused up"),
            "{error:?}"
        );
        let said = turned_away.to_string();
        assert!(
            said.starts_with("127.0.0.1:") && said.contains(" (number 200): refused: "),
            "{said}"
        );
        let error = refused.join().expect("no panic").expect_err("refused");
        let again = Some(Duration::from_secs(90));
        assert!(
            matches!(&error, Error::Refused { again: at, .. } if *at == again),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            "refused by the server: the images of this hour areused up; come again after 90 s"
        );
        // Somebody else is served.
        drop(session(&listener, address, 3));
    });
}

#[test]
fn the_urgent_push_others_out_of_a_full_line() {
    let (listener, address) = server(1, 2);
    thread::scope(|scope| {
        let at_hand = session(&listener, address, 3);
        let waiting = [7, 8].map(|name| lined_up(scope, address, name, false));
        let error = connect(address, &terms(), &client(9, true), [0; 16]).expect_err("no room");
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains("wait")),
            "{error:?}"
        );
        let urgent = lined_up(scope, address, 101, true);
        let [stays, pushed_out] = waiting;
        let error = pushed_out
            .join()
            .expect("no panic")
            .0
            .expect_err("no room any more");
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains("wait")),
            "{error:?}"
        );
        let turned_away =
            [(); 2].map(|()| listener.receive(&terms(), [1; 16]).expect_err("no room"));
        let names = turned_away.map(|turned_away| turned_away.identity.expect("a badge").key[0]);
        assert_eq!(names, [9, 8]);
        let order = serve(&listener, vec![stays, urgent], at_hand);
        assert_eq!(
            order.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            [101, 7]
        );
    });
}

/// Only its own client waits for an admission that takes its time.
#[test]
fn a_slow_admission_holds_up_nobody_else() {
    #[derive(Debug)]
    struct Slow;
    impl Admission for Slow {
        fn admit(&self, applicant: &Applicant<'_>) -> Result<Admitted, Refusal> {
            if applicant.identity.expect("a badge").key[0] == 9 {
                thread::sleep(Duration::from_millis(1500));
            }
            Ok(Admitted::default())
        }
    }
    let (listener, address) = listener(Config {
        guard: Some(Arc::new(badge(1))),
        admission: Some(Arc::new(Slow)),
        ..servers::config()
    });
    let begun = Instant::now();
    thread::scope(|scope| {
        let slow = scope.spawn(move || connect(address, &terms(), &client(9, false), [0; 16]));
        for _ in 0..3 {
            drop(session(&listener, address, 3));
        }
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(number(&accept(&listener)), 9);
        slow.join().expect("no panic").expect("served");
    });
}
