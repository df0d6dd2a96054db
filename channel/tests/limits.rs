//! What a listener refuses, and that it goes on.

mod servers;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Error, Listener, ONLINE, connect};
use servers::{config, good, greeting, hasty, listener, say, serves, terms};

const STREAM: u8 = 2;
const ANSWER: u8 = 3;

fn stream_greeting(session: [u8; 16], stream: u32) -> Vec<u8> {
    greeting(
        STREAM,
        &[session.as_slice(), &stream.to_le_bytes()].concat(),
    )
}

/// The code of the answer to a greeting.
fn answer(address: SocketAddr, bytes: &[u8]) -> u8 {
    let mut answer = [0; 16];
    say(address, bytes)
        .read_exact(&mut answer)
        .expect("an answer");
    assert_eq!(answer[..15], greeting(ANSWER, &[0])[..15]);
    answer[15]
}

#[test]
fn streams_of_nobody_and_streams_taken_are_refused() {
    let (listener, address) = listener(Config {
        max_streams: 2,
        timeout: hasty().timeout,
        ..config()
    });
    let (server, client) = good(&listener, address);
    let id = server.session_id();
    let code = |session, stream| answer(address, &stream_greeting(session, stream));

    assert_eq!(code([0; 16], 5), 1);
    assert!(matches!(
        listener.accept(&terms(), [1; 16]),
        Err(Error::UnknownSession)
    ));
    assert_eq!(code(id, ONLINE), 2);
    let outcome = listener.accept(&terms(), [1; 16]);
    assert!(
        matches!(outcome, Err(Error::StreamTaken { stream: ONLINE })),
        "{outcome:?}"
    );

    // Somebody who knows the session takes the number first: the client is told.
    assert_eq!(code(id, 5), 0);
    assert!(matches!(
        client.open(5),
        Err(Error::StreamTaken { stream: 5 })
    ));
    assert!(matches!(
        listener.accept(&terms(), [1; 16]),
        Err(Error::StreamTaken { stream: 5 })
    ));

    // Number 0 and 5 wait; a third is one too many until one of them is opened.
    let outcome = client.open(6);
    assert!(matches!(outcome, Err(Error::Refused { .. })), "{outcome:?}");
    server.open(ONLINE).expect("open");
    client.open(7).expect("open");
    server.open(7).expect("open");

    // Nobody brings number 8.
    assert!(matches!(server.open(8), Err(Error::Timeout { .. })));
    drop(server);
    assert!(matches!(client.open(9), Err(Error::UnknownSession)));
    while listener
        .accept(&terms(), [1; 16])
        .is_err_and(|e| !matches!(e, Error::UnknownSession))
    {}
    serves(&listener, address);
}

#[test]
fn sessions_are_limited_and_come_free_again() {
    let (listener, address) = listener(Config {
        max_sessions: 1,
        ..config()
    });
    let first = good(&listener, address);
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, &terms(), &config(), [2; 16]));
        let server = listener.accept(&terms(), [1; 16]);
        assert!(matches!(server, Err(Error::Refused { .. })), "{server:?}");
        let client = client.join().expect("no panic");
        assert!(matches!(client, Err(Error::Refused { .. })), "{client:?}");
    });
    drop(first);
    serves(&listener, address);
}

#[test]
fn slow_peers_do_not_use_up_the_listener() {
    let (listener, address) = listener(Config {
        max_pending: 4,
        ..hasty()
    });
    let crowd: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(address).expect("connect"))
        .collect();
    for _ in 0..4 {
        let outcome = listener.accept(&terms(), [1; 16]);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    }
    // Give the last of them its moment to go.
    thread::sleep(Duration::from_millis(50));
    serves(&listener, address);
    drop(crowd);
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
    let zero = Duration::ZERO;
    let all = config();
    let configs = [
        (
            "timeout",
            Config {
                timeout: zero,
                ..all.clone()
            },
        ),
        (
            "handshake_timeout",
            Config {
                handshake_timeout: zero,
                ..all.clone()
            },
        ),
        (
            "max_sessions",
            Config {
                max_sessions: 0,
                ..all.clone()
            },
        ),
        (
            "max_pending",
            Config {
                max_pending: 0,
                ..all.clone()
            },
        ),
        (
            "max_streams",
            Config {
                max_streams: 0,
                ..all
            },
        ),
    ];
    for (limit, config) in configs {
        let error = Listener::bind("127.0.0.1:0", config).expect_err("a zero");
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        let said = format!("listening: {limit} is 0, so that nobody could be served");
        assert_eq!(error.to_string(), said);
    }
    // One of each is enough for somebody.
    let (listener, address) = listener(Config {
        max_sessions: 1,
        max_pending: 1,
        max_streams: 1,
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
    // The session at hand still opens streams, even without its listener.
    drop(listener);
    client.open(20).expect("open");
    server.open(20).expect("open");
    drop((server, client));
    // Then the port is free.
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpListener::bind(address).is_err() {
        assert!(Instant::now() < deadline, "the port is still taken");
        thread::sleep(Duration::from_millis(5));
    }
}
