//! Every call ends in time, however the peer's bytes drip, and so does every session.

mod pairs;

use std::thread;
use std::time::{Duration, Instant};

use channel::{Channel, Config, Connection, Error, Listener, ONLINE, connect};
use pairs::{every_kind, terms};

const TIMEOUT: Duration = Duration::from_millis(300);

/// A session under these limits at the server.
fn session(config: Config) -> (Connection, Connection) {
    let listener = Listener::bind("127.0.0.1:0", config).expect("bind");
    let address = listener.local_addr();
    let client = thread::spawn(move || connect(address, &terms(), &Config::default(), [2; 16]));
    let server = listener.accept(&terms(), [1; 16]).expect("accept");
    (server, client.join().expect("no panic").expect("connect"))
}

/// Sends a byte in each third of a time-out, until the line is dead.
fn drip(mut channel: Channel) {
    while channel.send(&[0]).and_then(|()| channel.flush()).is_ok() {
        thread::sleep(TIMEOUT / 3);
    }
}

#[test]
fn dripping_in_a_session() {
    let pairs = every_kind();
    for (server, client) in pairs {
        thread::scope(|scope| {
            scope.spawn(|| drip(client.open(ONLINE).expect("open")));
            let mut channel = server.open(ONLINE).expect("open");
            channel.set_timeout(TIMEOUT).expect("set");
            let begin = Instant::now();
            let outcome = channel.recv(&mut [0; 20]);
            // The time-out, and 20 bytes at 4 KiB a second.
            assert!(
                matches!(outcome, Err(Error::Timeout { after, .. }) if after > TIMEOUT && after < TIMEOUT + TIMEOUT / 10),
                "{outcome:?}"
            );
            let took = begin.elapsed();
            assert!(took >= TIMEOUT && took < 3 * TIMEOUT, "{took:?}");
            drop((channel, server));
        });
    }
}

#[test]
fn bytes_faster_than_the_least_rate_may_take_longer_than_the_time_out() {
    let (server, client) = session(Config {
        timeout: TIMEOUT,
        least_rate: 10,
        ..Config::default()
    });
    thread::scope(|scope| {
        scope.spawn(|| drip(client.open(ONLINE).expect("open")));
        let mut channel = server.open(ONLINE).expect("open");
        let begin = Instant::now();
        // At ten bytes a second: less than a second, and so less than a time-out and a second.
        channel.recv(&mut [0; 10]).expect("in time");
        assert!(begin.elapsed() > 2 * TIMEOUT);
        channel.fail();
    });
}

#[test]
fn a_peer_that_takes_bytes_too_slowly_runs_out_of_time() {
    let (server, client) = session(Config {
        timeout: TIMEOUT,
        least_rate: 1 << 30,
        ..Config::default()
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut channel = client.open(ONLINE).expect("open");
            let mut piece = vec![0; 1 << 20];
            while channel.recv(&mut piece).is_ok() {
                thread::sleep(TIMEOUT / 3);
            }
        });
        let mut channel = server.open(ONLINE).expect("open");
        let begin = Instant::now();
        let outcome = channel.send(&vec![0; 64 << 20]);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(begin.elapsed() < 4 * TIMEOUT);
        drop((channel, server));
    });
}

#[test]
fn a_session_has_an_end() {
    let most = 2 * TIMEOUT;
    let begin = Instant::now();
    let (server, client) = session(Config {
        max_session: Some(most),
        ..Config::default()
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut channel = client.open(ONLINE).expect("open");
            while channel
                .send_u64(1)
                .and_then(|()| channel.recv_u64())
                .is_ok()
            {
                thread::sleep(TIMEOUT / 10);
            }
        });
        let mut talking = server.open(ONLINE).expect("open");
        let mut silent = server.open(1).expect("open");
        let mut waiting = server.open(2).expect("open");
        scope.spawn(move || {
            let outcome = waiting.recv(&mut [0]);
            assert!(outcome.is_err(), "{outcome:?}");
        });
        let error = loop {
            if let Err(error) = talking.recv_u64().and_then(|n| talking.send_u64(n)) {
                break error;
            }
        };
        // Either this call ran out of time, or it came after the other that did and cut the line.
        let over =
            |error: &Error| matches!(error, Error::SessionOver { after, .. } if *after == most);
        assert!(
            over(&error) || matches!(error, Error::Closed { .. }),
            "{error:?}"
        );
        // Also a call that would not wait.
        let error = silent.send(&[1]).expect_err("it is over");
        assert!(over(&error), "{error:?}");
        assert!(matches!(silent.send(&[1]), Err(Error::Dead)));
        assert!(begin.elapsed() >= most && begin.elapsed() < 4 * most);
        assert!(error.to_string().contains("as long as it may"));
    });
}
