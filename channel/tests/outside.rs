//! Connections over streams from outside: here, pairs of Unix sockets.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Connection, Cost, Duplex, Error, ONLINE, Role};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Both ends of a connection with these streams.
fn pair(streams: &[u32]) -> (Connection, Connection) {
    let mut ends = [BTreeMap::new(), BTreeMap::new()];
    for &stream in streams {
        let (server, client) = UnixStream::pair().expect("a pair of sockets");
        for (end, socket) in ends.iter_mut().zip([server, client]) {
            end.insert(stream, Box::new(socket) as Box<dyn Duplex>);
        }
    }
    let [server, client] = ends.map(Mutex::new);
    let over = |role, streams| Connection::over(role, [7; 16], "a test", TIMEOUT, streams);
    (over(Role::Server, server), over(Role::Client, client))
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
