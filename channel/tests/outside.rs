//! Connections over streams from outside: here, pairs of Unix sockets.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{Result as IoResult, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Channel, Connection, Cost, Duplex, Error, ONLINE, Role, Terms, draw_session};

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
fn parties_draw_a_fresh_id() {
    let draw = |entropy: [u8; 2]| {
        let (server, client) = UnixStream::pair().expect("a pair of sockets");
        let [at_server, at_client] = entropy.map(|byte| [byte; 16]);
        let server = thread::spawn(move || draw_session(Role::Server, &server, at_server, TIMEOUT));
        let client = draw_session(Role::Client, &client, at_client, TIMEOUT).expect("a peer");
        assert_eq!(server.join().expect("no panic").expect("a peer"), client);
        client
    };
    let ids = [draw([1, 2]), draw([2, 1]), draw([1, 3]), draw([3, 2])];
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id));
    }
    assert_eq!(draw([1, 2]), ids[0]);
}

#[test]
fn an_id_is_not_drawn_with_a_peer_that_drips_or_is_gone() {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    let dripping = thread::spawn(move || {
        // Each byte is well within the time-out.
        while Write::write(&mut &there, &[1]).is_ok() {
            thread::sleep(TIMEOUT / 10);
        }
    });
    let begin = Instant::now();
    let slow = draw_session(Role::Server, &here, [1; 16], TIMEOUT);
    assert!(
        matches!(slow, Err(Error::Timeout { after: TIMEOUT, .. })),
        "{slow:?}"
    );
    assert!(begin.elapsed() >= TIMEOUT);
    drop(here);
    dripping.join().expect("no panic");

    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    drop(there);
    for role in [Role::Server, Role::Client] {
        let gone = draw_session(role, &here, [1; 16], TIMEOUT);
        assert!(matches!(gone, Err(Error::Closed { .. })), "{gone:?}");
    }
}

/// A socket that has no `try_write` of its own.
struct Plain(UnixStream);

impl Duplex for Plain {
    fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        self.0.set_timeout(timeout)
    }

    fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        Duplex::read(&self.0, out)
    }

    fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        Duplex::write(&self.0, bytes)
    }

    fn end(&self) {
        self.0.end();
    }

    fn cut(&self) {
        self.0.cut();
    }
}

/// A connection with one stream.
fn single(role: Role, stream: impl Duplex + 'static) -> Connection {
    let streams = BTreeMap::from([(ONLINE, Box::new(stream) as Box<dyn Duplex>)]);
    Connection::over(role, [7; 16], "a test", TIMEOUT, Mutex::new(streams))
}

#[test]
fn streams_that_never_take_anything_at_once_still_exchange() {
    for len in [1, 4 << 20] {
        let (server, client) = UnixStream::pair().expect("a pair of sockets");
        let party = move |connection: Connection, own: u8| {
            let mut channel = connection.open(ONLINE)?;
            let mut theirs = vec![0; len];
            channel.exchange(&vec![own; len], &mut theirs)?;
            assert!(theirs.iter().all(|&byte| byte == 3 - own));
            Ok::<Cost, Error>(channel.measured())
        };
        let server = single(Role::Server, Plain(server));
        let server = thread::spawn(move || party(server, 1));
        let client = party(single(Role::Client, Plain(client)), 2);
        let expected = Cost::exchange(len as u64, len as u64);
        assert_eq!(client.expect("it runs"), expected);
        assert_eq!(server.join().expect("no panic").expect("it runs"), expected);
    }
}

/// One direction of an exchange fails, and the other does not wait for its time-out.
#[test]
fn an_exchange_that_fails_one_way_ends_at_once() {
    const LEN: usize = 4 << 20;
    // The peer takes nothing, and says nothing; or it says a little, and leaves.
    for leaves in [false, true] {
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        let mut channel = single(Role::Server, Plain(here))
            .open(ONLINE)
            .expect("it opens");
        if leaves {
            Write::write_all(&mut &there, &[1; 100]).expect("it is taken");
            there.shutdown(Shutdown::Write).expect("it ends");
        }
        let begin = Instant::now();
        let failed = channel.exchange(&vec![1; LEN], &mut vec![0; LEN]);
        if leaves {
            assert!(matches!(failed, Err(Error::Closed { .. })), "{failed:?}");
            assert!(begin.elapsed() < TIMEOUT);
        } else {
            assert!(matches!(failed, Err(Error::Timeout { .. })), "{failed:?}");
            assert!(begin.elapsed() < 2 * TIMEOUT);
        }
        assert!(channel.is_dead());
    }
}

/// A stream that claims to have read or written one byte more than there was room for.
struct Boaster;

impl Duplex for Boaster {
    fn set_timeout(&self, _: Duration) -> IoResult<()> {
        Ok(())
    }

    fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        Ok(out.len() + 1)
    }

    fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        Ok(bytes.len() + 1)
    }

    fn try_write(&self, bytes: &[u8]) -> IoResult<usize> {
        Ok(bytes.len() + 1)
    }

    fn end(&self) {}

    fn cut(&self) {}
}

#[test]
fn a_stream_that_reports_more_than_it_was_given_is_an_error() {
    type Call = fn(&mut Channel) -> Result<(), Error>;
    let calls: [(Call, &str); 5] = [
        (|c| c.recv(&mut [0; 4]), "65537 bytes of 65536"),
        (|c| c.recv(&mut vec![0; 1 << 17]), "131073 bytes of 131072"),
        (|c| c.send(&[0; 4]).and_then(|()| c.flush()), "5 bytes of 4"),
        (|c| c.send(&vec![0; 1 << 17]), "131073 bytes of 131072"),
        (|c| c.exchange(&[0; 4], &mut [0; 4]), "5 bytes of 4"),
    ];
    for (call, words) in calls {
        let mut channel = single(Role::Server, Boaster)
            .open(ONLINE)
            .expect("it opens");
        let error = call(&mut channel).expect_err("nobody can do that");
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(channel.is_dead());
    }
    let drawn = draw_session(Role::Client, &Boaster, [1; 16], TIMEOUT);
    assert!(matches!(drawn, Err(Error::Io { .. })), "{drawn:?}");
}

/// Every byte comes in time, and all together do not.
#[test]
fn calls_that_have_a_time_together_end_with_it() {
    let (server, client) = pair(&[ONLINE]);
    let total = 2 * TIMEOUT;
    let dripping = thread::spawn(move || {
        let mut channel = client.open(ONLINE).expect("it opens");
        while channel.send(&[1]).and_then(|()| channel.flush()).is_ok() {
            thread::sleep(TIMEOUT / 10);
        }
    });
    let mut channel = server.open(ONLINE).expect("it opens");
    channel.set_total(Some(total));
    let begin = Instant::now();
    let error = loop {
        if let Err(error) = channel.recv(&mut [0; 3]) {
            break error;
        }
    };
    assert!(
        matches!(error, Error::Timeout { after, .. } if after == total),
        "{error:?}"
    );
    assert!(begin.elapsed() >= total && begin.elapsed() < 10 * total);
    dripping.join().expect("no panic");

    // Silence is still noticed before, and a time that was lifted does not count.
    for (set, after) in [(Some(100 * TIMEOUT), TIMEOUT), (None, TIMEOUT)] {
        let (server, _client) = pair(&[ONLINE]);
        let mut channel = server.open(ONLINE).expect("it opens");
        channel.set_total(Some(TIMEOUT / 3));
        channel.set_total(set);
        let error = channel.recv(&mut [0]).expect_err("silence");
        assert!(
            matches!(error, Error::Timeout { after: waited, .. } if waited == after),
            "{error:?}"
        );
    }
}

#[test]
fn a_stream_that_nobody_gave_does_not_open() {
    let (server, _client) = pair(&[ONLINE]);
    let error = server.open(1).expect_err("there is none");
    assert!(matches!(error, Error::NoStream { stream: 1 }), "{error:?}");
    assert_eq!(error.to_string(), "the transport has no stream 1");
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
