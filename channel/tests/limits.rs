//! What a listener refuses, and that it goes on.

mod servers;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Error, Listener, ONLINE, connect};
use servers::{config, good, greeting, hasty, listener, say, serves, terms};

const SESSION: u8 = 1;
const LANE: u8 = 2;
const ANSWER: u8 = 3;

fn lane_greeting(session: [u8; 16], lane: u8) -> Vec<u8> {
    greeting(LANE, &[session.as_slice(), &[lane]].concat())
}

/// A client's, which wants so many connections.
fn session_greeting(connections: u8) -> Vec<u8> {
    let body = [
        [1; 32].as_slice(),
        &[0],
        &[0; 32],
        &[9; 16],
        &[connections, 0],
    ]
    .concat();
    greeting(SESSION, &body)
}

/// The code of the answer to a greeting.
fn answer(mut said: &TcpStream) -> u8 {
    let mut answer = [0; 16];
    said.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer[..15], greeting(ANSWER, &[0])[..15]);
    answer[15]
}

#[test]
fn connections_of_nobody_and_connections_taken_are_refused() {
    let (listener, address) = listener(hasty());
    // A client that wants three connections, and brings one.
    let mut client = say(address, &session_greeting(3));
    let server = listener.accept(&terms(), [1; 16]).expect("a good greeting");
    client.read_exact(&mut [0; 97]).expect("a good greeting");
    let code = |session, lane| answer(&say(address, &lane_greeting(session, lane)));

    assert_eq!(code([0; 16], 1), 1);
    let outcome = listener.accept(&terms(), [1; 16]);
    assert!(matches!(outcome, Err(Error::UnknownSession)), "{outcome:?}");
    // The first is there, and there is no fourth.
    for lane in [0, 3, 255] {
        assert_eq!(code(server.session_id(), lane), 2);
        let outcome = listener.accept(&terms(), [1; 16]);
        let expected = usize::from(lane);
        assert!(
            matches!(outcome, Err(Error::UnexpectedConnection { connection }) if connection == expected),
            "{outcome:?}"
        );
    }
    // Nobody brings what stream 1 travels on; stream 3 is on the first.
    assert!(matches!(server.open(1), Err(Error::Timeout { .. })));
    server.open(3).expect("open");
    assert_eq!(code(server.session_id(), 2), 0);
    server.open(2).expect("open");
    assert!(matches!(
        server.open(channel::MAX_STREAMS),
        Err(Error::NoStream { .. })
    ));
    // With the session goes its name.
    let session = server.session_id();
    drop(server);
    assert_eq!(code(session, 1), 1);
    let outcome = listener.accept(&terms(), [1; 16]);
    assert!(matches!(outcome, Err(Error::UnknownSession)), "{outcome:?}");
    serves(&listener, address);
}

#[test]
fn limits_of_a_client_are_checked() {
    for connections in [0, 9] {
        let config = Config {
            connections,
            ..config()
        };
        let error = connect("127.0.0.1:1", &terms(), &config, [2; 16]).expect_err("too many");
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
}

#[test]
fn a_client_that_gave_up_waiting_is_not_served() {
    let (listener, address) = listener(config());
    let outcome = connect(address, &terms(), &hasty(), [2; 16]);
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    assert!(matches!(
        listener.accept(&terms(), [1; 16]),
        Err(Error::Closed { .. })
    ));
    serves(&listener, address);
}

#[test]
fn limits_under_which_nobody_is_served_are_refused() {
    type Spoil = fn(&mut Config);
    let spoils: [(&str, Spoil); 9] = [
        ("timeout", |c| c.timeout = Duration::ZERO),
        ("least_rate", |c| c.least_rate = 0),
        ("max_session", |c| c.max_session = Some(Duration::ZERO)),
        ("keep_alive", |c| c.keep_alive = Duration::ZERO),
        ("handshake_timeout", |c| {
            c.handshake_timeout = Duration::ZERO;
        }),
        ("max_wait", |c| c.max_wait = Duration::ZERO),
        ("max_sessions", |c| c.max_sessions = 0),
        ("max_pending", |c| c.max_pending = 0),
        ("max_pending_per_address", |c| c.max_pending_per_address = 0),
    ];
    for (limit, spoil) in spoils {
        let mut config = config();
        spoil(&mut config);
        let error = Listener::bind("127.0.0.1:0", config).expect_err("a zero");
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        let said = format!("listening: {limit} is 0, so that nobody could be served");
        assert_eq!(error.to_string(), said);
    }
    // One of each is enough for somebody.
    let (listener, address) = listener(Config {
        max_sessions: 1,
        max_pending: 1,
        max_pending_per_address: 1,
        max_waiting: 0,
        ..config()
    });
    let (server, client) = good(&listener, address);
    server.open(ONLINE).expect("open");
    client.open(9).expect("open");
    server.open(9).expect("open");
}

#[test]
fn closing_ends_accept_and_refuses_the_next() {
    let (listener, address) = listener(config());
    let (server, client) = good(&listener, address);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| listener.accept(&terms(), [1; 16]));
        thread::sleep(Duration::from_millis(20));
        listener.handle().close();
        assert!(matches!(
            waiting.join().expect("no panic"),
            Err(Error::ListenerClosed)
        ));
    });
    let refused = connect(address, &terms(), &config(), [2; 16]);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    // The session at hand goes on, even without its listener.
    drop(listener);
    client.open(5).expect("open").send_u64(5).expect("send");
    let heard = server.open(5).expect("open").recv_u64();
    assert_eq!(heard.expect("recv"), 5);
    drop((server, client));
    // Then the port is free.
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpListener::bind(address).is_err() {
        assert!(Instant::now() < deadline, "the port is still taken");
        thread::sleep(Duration::from_millis(5));
    }
}
