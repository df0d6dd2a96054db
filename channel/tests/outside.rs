//! Connections over streams from outside: here, pairs of Unix sockets.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Connection, Cost, Duplex, Error, ONLINE, Role, Terms};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Both ends of a connection with these streams.
fn pair(streams: &[u32]) -> (Connection, Connection) {
    pair_under([7; 2], streams)
}

/// The same under the session ids of the server and the client.
fn pair_under(ids: [u8; 2], streams: &[u32]) -> (Connection, Connection) {
    let mut ends = [BTreeMap::new(), BTreeMap::new()];
    for &stream in streams {
        let (server, client) = UnixStream::pair().expect("a pair of sockets");
        for (end, socket) in ends.iter_mut().zip([server, client]) {
            end.insert(stream, Box::new(socket) as Box<dyn Duplex>);
        }
    }
    let [server, client] = ends.map(Mutex::new);
    let over = |role, id, streams| Connection::over(role, [id; 16], "a test", TIMEOUT, streams);
    let [at_server, at_client] = ids;
    (
        over(Role::Server, at_server, server),
        over(Role::Client, at_client, client),
    )
}

#[test]
fn both_speak_at_once_and_every_byte_is_counted() {
    let (server, client) = pair(&[ONLINE, 5]);
    assert_eq!((server.peer(), server.session_id()), ("a test", [7; 16]));
    // More than the sockets hold, so that a party which only writes would wait for ever.
    const LEN: usize = 4 << 20;
    let party = |connection: Connection, stream: u32, own: u8| {
        let mut channel = connection.open(stream)?;
        let mut theirs = vec![0; LEN];
        channel.exchange(&vec![own; LEN], &mut theirs)?;
        assert!(theirs.iter().all(|&byte| byte == 3 - own));
        Ok::<Cost, Error>(channel.measured())
    };
    for stream in [ONLINE, 5] {
        let (server, client) = (server.clone(), client.clone());
        let server = thread::spawn(move || party(server, stream, 1));
        let expected = Cost::exchange(LEN as u64, LEN as u64);
        assert_eq!(party(client, stream, 2).expect("it runs"), expected);
        assert_eq!(server.join().expect("no panic").expect("it runs"), expected);
    }
}

/// Protocols would run to their end under them, and give wrong results.
#[test]
fn parties_under_different_ids_hear_it() {
    let terms = Terms {
        version: 3,
        parameters: [1; 32],
        model: None,
    };
    let agree = |connection: Connection, terms: &Terms| connection.open(ONLINE)?.agree(terms);
    let verdicts = |ids, at_client: &Terms| {
        let (server, client) = pair_under(ids, &[ONLINE]);
        let here = terms.clone();
        let server = thread::spawn(move || agree(server, &here));
        let client = agree(client, at_client);
        [server.join().expect("no panic"), client]
    };
    for verdict in verdicts([7, 7], &terms) {
        assert_eq!(verdict.expect("they agree"), terms);
    }
    // The id is named even where the terms differ as well.
    let other = Terms {
        parameters: [2; 32],
        ..terms.clone()
    };
    for at_client in [&terms, &other] {
        let verdicts = verdicts([7, 8], at_client).map(|v| v.expect_err("other ids"));
        for (verdict, expected) in verdicts.into_iter().zip([[7, 8], [8, 7]]) {
            let said = verdict.to_string();
            let Error::SessionMismatch { ours, theirs } = verdict else {
                panic!("{verdict:?}");
            };
            assert_eq!([ours, theirs], expected.map(|id| [id; 16]));
            assert!(said.starts_with("session 0"), "{said}");
        }
    }
}

#[test]
fn a_stream_that_nobody_gave_does_not_open() {
    let (server, _client) = pair(&[ONLINE]);
    assert!(matches!(server.open(1), Err(Error::Closed { .. })));
    let _channel = server.open(ONLINE).expect("it is there");
    assert!(matches!(
        server.open(ONLINE),
        Err(Error::StreamTaken { .. })
    ));
}

#[test]
fn silence_ends_in_a_time_out_and_a_lost_peer_at_once() {
    let (server, client) = pair(&[ONLINE]);
    let mut here = server.open(ONLINE).expect("it opens");
    let there = client.open(ONLINE).expect("it opens");
    let begin = Instant::now();
    let silent = here.recv(&mut [0; 1]);
    assert!(matches!(silent, Err(Error::Timeout { .. })), "{silent:?}");
    assert!(begin.elapsed() >= TIMEOUT && begin.elapsed() < 10 * TIMEOUT);
    drop(there);

    let (server, client) = pair(&[ONLINE]);
    let mut here = server.open(ONLINE).expect("it opens");
    drop(client.open(ONLINE).expect("it opens"));
    let gone = here.recv(&mut [0; 1]);
    assert!(matches!(gone, Err(Error::Closed { .. })), "{gone:?}");
    assert!(matches!(here.recv(&mut [0; 1]), Err(Error::Dead)));
}
