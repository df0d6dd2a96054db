//! Strangers who fill a listener, and clients who wait in line: neither harms a session at hand, nor keeps the next client
//! from its turn.

mod servers;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Connection, Error, ONLINE, connect, connect_in_line};
use servers::{accepting, config, good, greeting, hasty, listener, serves, terms};

/// One session at a time.
fn narrow() -> Config {
    Config {
        max_sessions: 1,
        ..config()
    }
}

/// Whether both ends of a session hear each other on a stream.
fn talks((server, client): &(Connection, Connection), stream: u32) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut channel = client.open(stream).expect("open");
            channel.send_u64(7).expect("send");
        });
        let mut channel = server.open(stream).expect("open");
        assert_eq!(channel.recv_u64().expect("recv"), 7);
    });
}

#[test]
fn silent_strangers_harm_neither_sessions_nor_new_clients() {
    let limits = Config {
        max_pending: 8,
        max_pending_per_address: 8,
        ..config()
    };
    let (listener, address) = listener(limits);
    let session = good(&listener, address);
    let strangers = || -> Vec<TcpStream> {
        let connect = |_| TcpStream::connect(address).expect("connect");
        (0..100).map(connect).collect()
    };
    let crowd = strangers();
    for stream in 0..4 {
        talks(&session, stream);
    }
    // New clients are served, with strangers before and after them and more than one connection each.
    for connections in [1, 4] {
        let config = Config {
            connections,
            ..config()
        };
        thread::scope(|scope| {
            let server = scope.spawn(accepting(&listener));
            let client = connect(address, &terms(), &config, [2; 16]).expect("it is served");
            let session = (server.join().expect("no panic"), client);
            let _more = strangers();
            for stream in 0..4 {
                talks(&session, stream);
            }
        });
    }
    drop(crowd);
}

#[test]
fn strangers_push_out_the_oldest_and_only_their_like() {
    let limits = Config {
        max_pending: 4,
        max_pending_per_address: 2,
        ..config()
    };
    let (listener, address) = listener(limits);
    let mut crowd: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).expect("connect"))
        .collect();
    // The third of the address took the place of the first, long before any time-out.
    let error = listener.accept(&terms(), [1; 16]).expect_err("a stranger");
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert_eq!(crowd[0].read(&mut [0]).unwrap_or(0), 0);
    for stranger in &crowd[1..] {
        stranger.set_nonblocking(true).expect("set");
        assert!((&*stranger).read(&mut [0]).is_err(), "still there");
    }
    serves(&listener, address);
}

#[test]
fn a_dripping_greeting_is_pushed_out_like_a_silent_one() {
    let limits = Config {
        max_pending: 1,
        ..config()
    };
    let (listener, address) = listener(limits);
    let mut dripping = TcpStream::connect(address).expect("connect");
    let whole = greeting(1, &[0; 83]);
    for byte in &whole[..20] {
        dripping.write_all(&[*byte]).expect("there is a place");
        thread::sleep(Duration::from_millis(2));
    }
    let _next = TcpStream::connect(address).expect("connect");
    let error = listener.accept(&terms(), [1; 16]).expect_err("a stranger");
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    serves(&listener, address);
}

#[test]
fn silence_still_ends_in_a_time_out() {
    let (listener, address) = listener(hasty());
    let _crowd = [(); 3].map(|()| TcpStream::connect(address).expect("connect"));
    for _ in 0..3 {
        let error = listener.accept(&terms(), [1; 16]).expect_err("a stranger");
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }
    serves(&listener, address);
}

#[test]
fn clients_wait_in_the_order_in_which_they_came() {
    let (listener, address) = listener(narrow());
    let mut at_hand = good(&listener, address);
    // Each client says how many were ahead of it, first and last, and who it is.
    let (says, hears) = mpsc::channel();
    thread::scope(|scope| {
        for client in 0..3_u8 {
            let (in_line, is_in_line) = mpsc::channel();
            let says = says.clone();
            scope.spawn(move || {
                let mut places = Vec::new();
                let mut tell = |waiting: channel::Waiting| {
                    places.push(waiting.ahead);
                    in_line.send(()).unwrap_or(());
                };
                let connection =
                    connect_in_line(address, &terms(), &config(), [client; 16], &mut tell);
                says.send((client, connection.expect("served"), places))
                    .expect("heard");
            });
            is_in_line.recv().expect("it waits");
        }
        for expected in 0..3 {
            drop(at_hand);
            let server = listener.accept(&terms(), [1; 16]).expect("the next");
            let (client, connection, places) = hears.recv().expect("the next");
            assert_eq!(client, expected);
            assert_eq!(places.first(), Some(&u32::from(client)));
            // The place never gets worse, and the first of all comes last.
            assert!(places.is_sorted_by(|a, b| a >= b), "{places:?}");
            at_hand = (server, connection);
            talks(&at_hand, ONLINE);
        }
    });
}

#[test]
fn waiting_lasts_longer_than_any_time_out_and_has_an_end() {
    let (listener, address) = listener(narrow());
    let at_hand = good(&listener, address);
    // Signs come each second; without them the client would be gone.
    let patient = Config {
        handshake_timeout: Duration::from_millis(1500),
        ..config()
    };
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, &terms(), &patient, [2; 16]));
        thread::sleep(Duration::from_millis(2500));
        drop(at_hand);
        let server = listener
            .accept(&terms(), [1; 16])
            .expect("it is still there");
        let client = client.join().expect("no panic").expect("served");
        talks(&(server, client), ONLINE);
    });
    let at_hand = good(&listener, address);
    let impatient = Config {
        max_wait: Duration::from_millis(1200),
        ..config()
    };
    let begin = Instant::now();
    let error = connect(address, &terms(), &impatient, [2; 16]).expect_err("too long");
    assert!(
        matches!(&error, Error::Timeout { phase, after } if phase.contains("in line") && *after == impatient.max_wait),
        "{error:?}"
    );
    assert!(begin.elapsed() < Duration::from_secs(4));
    drop(at_hand);
    // It is not in line any more.
    serves(&listener, address);
}

/// The next that a client in line is told: how many are ahead of it. How long that takes is unknown, and it is not urgent.
fn place_told(mut client: &TcpStream) -> u32 {
    let mut told = [0; 24];
    client.read_exact(&mut told).expect("a place");
    assert_eq!(told[12..15], [4, 9, 0]);
    assert_eq!(told[19..], [255, 255, 255, 255, 0]);
    u32::from_le_bytes(told[15..19].try_into().expect("four"))
}

#[test]
fn who_leaves_the_line_makes_room_in_it() {
    let limits = Config {
        max_waiting: 2,
        ..narrow()
    };
    let (listener, address) = listener(limits);
    let at_hand = good(&listener, address);
    let body = [[1; 32].as_slice(), &[0], &[0; 32], &[9; 16], &[1, 0]].concat();
    let wait = || {
        let client = servers::say(address, &greeting(1, &body));
        let place = place_told(&client);
        (client, place)
    };
    let (first, place) = wait();
    assert_eq!(place, 0);
    let (second, place) = wait();
    assert_eq!(place, 1);
    // A third is one too many.
    let error = connect(address, &terms(), &config(), [2; 16]).expect_err("refused");
    assert!(
        matches!(&error, Error::Refused { reason, .. } if reason.contains("wait")),
        "{error:?}"
    );
    // The first goes, the second comes forward, and there is a place again.
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(5);
    while place_told(&second) != 0 {
        assert!(Instant::now() < deadline);
    }
    let (third, place) = wait();
    assert_eq!(place, 1);
    drop((second, third, at_hand));
    serves(&listener, address);
}

#[test]
fn closing_refuses_those_who_wait() {
    let (listener, address) = listener(narrow());
    let at_hand = good(&listener, address);
    let (in_line, is_in_line) = mpsc::channel();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut tell = |_| in_line.send(()).unwrap_or(());
            connect_in_line(address, &terms(), &config(), [2; 16], &mut tell)
        });
        is_in_line.recv().expect("it waits");
        listener.handle().close();
        let error = client.join().expect("no panic").expect_err("refused");
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains("closing")),
            "{error:?}"
        );
    });
    talks(&at_hand, ONLINE);
}

/// Strangers may have pushed it out before it was read.
#[test]
fn a_client_that_is_hung_up_on_greets_again() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = server.local_addr().expect("bound");
    let greetings = thread::spawn(move || {
        let mut pushed_out = 0;
        for mut client in server.incoming().take(5).map(|c| c.expect("accept")) {
            client.read_exact(&mut [0; 15]).expect("a greeting");
            pushed_out += 1;
        }
        pushed_out
    });
    let outcome = connect(address, &terms(), &config(), [2; 16]);
    assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
    assert_eq!(greetings.join().expect("no panic"), 5);
}

/// A client that is served and does not hang up takes up its place, and no more than that.
#[test]
fn a_session_keeps_its_place_until_its_client_hangs_up() {
    let (listener, address) = listener(narrow());
    let (server, client) = good(&listener, address);
    let begin = Instant::now();
    let closing = thread::spawn(move || server.close(Duration::from_millis(400)));
    thread::scope(|scope| {
        let next = accepting(&listener);
        let next = scope.spawn(next);
        let second = connect(address, &terms(), &config(), [3; 16]).expect("a place comes free");
        assert!(begin.elapsed() >= Duration::from_millis(400));
        drop((second, next.join().expect("no panic")));
    });
    assert!(!closing.join().expect("no panic"));
    drop(client);
}
