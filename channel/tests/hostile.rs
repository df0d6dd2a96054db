//! Peers that greet wrongly, slowly or not at all: each is an error of its own kind, and the
//! listener serves the next client.

mod servers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use channel::{Error, Terms, connect};
use proptest::prelude::*;
use servers::{config, greeting, hasty, listener, say, serves, terms};

const SESSION: u8 = 1;
const ANSWER: u8 = 3;

fn session_greeting() -> Vec<u8> {
    let body = [[1; 32].as_slice(), &[0], &[0; 32], &[9; 16], &[1, 0]].concat();
    greeting(SESSION, &body)
}

/// A server that says `bytes` to whoever calls, and then hangs up.
fn impostor(bytes: Vec<u8>) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = socket.local_addr().expect("address");
    thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("accept");
        let mut greeting = vec![0; session_greeting().len()];
        stream
            .read_exact(&mut greeting)
            .expect("the client greets first");
        drop(stream.write_all(&bytes));
    });
    address
}

#[test]
fn a_client_that_hangs_up_anywhere_in_its_greeting_is_an_error() {
    let (listener, address) = listener(config());
    let whole = session_greeting();
    for cut in 0..whole.len() {
        drop(say(address, &whole[..cut]));
        let outcome = listener.accept(&terms(), [1; 16]);
        assert!(
            matches!(outcome, Err(Error::Closed { .. })),
            "{cut}: {outcome:?}"
        );
    }
    serves(&listener, address);
}

#[test]
fn a_server_that_hangs_up_anywhere_in_its_greeting_is_an_error() {
    let whole = session_greeting();
    for cut in 0..whole.len() {
        let outcome = connect(
            impostor(whole[..cut].to_vec()),
            &terms(),
            &config(),
            [2; 16],
        );
        assert!(
            matches!(outcome, Err(Error::Closed { .. })),
            "{cut}: {outcome:?}"
        );
    }
    connect(impostor(whole), &terms(), &config(), [2; 16]).expect("the whole greeting will do");
}

type Expected = fn(&Error) -> bool;

#[test]
fn strangers_are_told_apart() {
    let (listener, address) = listener(config());
    let long = [&greeting(SESSION, &[])[..13], &[0xff, 0xff]].concat();
    let cases: [(&[u8], Expected); 5] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", |e| {
            matches!(e, Error::NotBlindray)
        }),
        (&long, |e| matches!(e, Error::BadHello { .. })),
        (&greeting(9, &[]), |e| matches!(e, Error::BadHello { .. })),
        (&greeting(SESSION, &[0; 80]), |e| {
            matches!(e, Error::BadHello { .. })
        }),
        (&greeting(ANSWER, &[0]), |e| {
            matches!(e, Error::BadHello { .. })
        }),
    ];
    for (bytes, expected) in cases {
        let _line = say(address, bytes);
        let error = listener.accept(&terms(), [1; 16]).expect_err("a stranger");
        assert!(expected(&error), "server: {error:?}");
        let error = connect(impostor(bytes.to_vec()), &terms(), &config(), [2; 16]);
        let error = error.expect_err("a stranger");
        assert!(expected(&error), "client: {error:?}");
    }
    serves(&listener, address);
}

#[test]
fn each_disagreement_is_named_on_both_sides() {
    let (listener, address) = listener(config());
    let base = Terms {
        model: Some([3; 32]),
        ..terms()
    };
    let disagree = |server: &Terms, client: &Terms| {
        thread::scope(|scope| {
            let client = scope.spawn(move || connect(address, client, &config(), [2; 16]));
            let server = listener.accept(server, [1; 16]).expect_err("no agreement");
            (
                server,
                client.join().expect("no panic").expect_err("no agreement"),
            )
        })
    };
    let (server, client) = disagree(
        &base,
        &Terms {
            version: 9,
            ..base.clone()
        },
    );
    assert!(
        matches!(server, Error::VersionMismatch { ours: 8, theirs: 9 }),
        "{server:?}"
    );
    assert!(
        matches!(client, Error::VersionMismatch { ours: 9, theirs: 8 }),
        "{client:?}"
    );

    let (server, client) = disagree(
        &base,
        &Terms {
            parameters: [2; 32],
            ..base.clone()
        },
    );
    assert!(matches!(
        server,
        Error::ParametersMismatch {
            ours: [1, ..],
            theirs: [2, ..]
        }
    ));
    assert!(matches!(
        client,
        Error::ParametersMismatch {
            ours: [2, ..],
            theirs: [1, ..]
        }
    ));

    let pinned = Terms {
        model: Some([4; 32]),
        ..terms()
    };
    for error in <[Error; 2]>::from(disagree(&base, &pinned)) {
        assert!(matches!(
            error,
            Error::ModelMismatch {
                expected: [4, ..],
                offered: Some([3, ..])
            }
        ));
    }
    for error in <[Error; 2]>::from(disagree(&terms(), &pinned)) {
        assert!(matches!(
            error,
            Error::ModelMismatch {
                expected: [4, ..],
                offered: None
            }
        ));
    }
    // A client without a wish takes what there is, and learns what it is.
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, &terms(), &config(), [2; 16]));
        listener.accept(&base, [1; 16]).expect("agreement");
        let client = client.join().expect("no panic").expect("agreement");
        assert_eq!(client.peer_terms(), Some(&base));
    });
}

#[test]
fn silence_and_dripping_time_out() {
    let (listener, address) = listener(hasty());
    let begin = Instant::now();
    let _silent = TcpStream::connect(address).expect("connect");
    let outcome = listener.accept(&terms(), [1; 16]);
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");

    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = TcpStream::connect(address).expect("connect");
            for byte in session_greeting() {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = listener.accept(&terms(), [1; 16]);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        // Meanwhile others are served.
        serves(&listener, address);
    });

    let quiet = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = quiet.local_addr().expect("address");
    let outcome = connect(address, &terms(), &hasty(), [2; 16]);
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn nobody_at_the_address_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("address");
    // All addresses are tried, and each is named with its cause.
    let dead = SocketAddr::from(([127, 0, 0, 2], free.port()));
    let error = connect([free, dead].as_slice(), &terms(), &config(), [2; 16]).expect_err("nobody");
    assert!(
        matches!(&error, Error::Unreachable { tried } if tried.len() == 2),
        "{error:?}"
    );
    let said = error.to_string();
    for address in [free, dead] {
        assert!(said.contains(&address.to_string()), "{said}");
    }
    assert!(said.contains("refused"), "{said}");
    let error = connect("localhost", &terms(), &config(), [2; 16]).expect_err("no port");
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("a name and a port"), "{error}");
}

#[test]
fn an_address_that_answers_is_found_behind_one_that_does_not() {
    let (listener, address) = listener(config());
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("address");
    thread::scope(|scope| {
        let addresses = [free, address];
        let client =
            scope.spawn(move || connect(addresses.as_slice(), &terms(), &config(), [2; 16]));
        listener.accept(&terms(), [1; 16]).expect("it is found");
        client.join().expect("no panic").expect("it is found");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any bytes, alone or behind a good start, to either side: an error, and life goes on.
    #[test]
    fn random_bytes_are_an_error(
        keep in 0_usize..97,
        noise in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        // 0xff is no byte of the good greeting, so the result always differs from it.
        let bytes = [&session_greeting()[..keep], &[0xff], &noise].concat();
        let (listener, address) = listener(config());
        drop(say(address, &bytes));
        let entropy_only = (80..96).contains(&keep);
        let outcome = listener.accept(&terms(), [1; 16]);
        prop_assert!(outcome.is_err() || entropy_only);
        let outcome = connect(impostor(bytes), &terms(), &config(), [2; 16]);
        prop_assert!(outcome.is_err() || entropy_only);
        serves(&listener, address);
    }
}
