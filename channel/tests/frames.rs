//! Streams that share a line: none holds up another, and a peer that breaks the rules of frames ends the connection.
#![cfg(unix)]

mod pairs;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Connection, Error, Role};
use pairs::wires::multiplexed;
use pairs::{tcp_pair, tcp_pair_over};
use proptest::prelude::*;

/// What a party may send on a stream that the peer has opened, before it is granted more.
const WINDOW: usize = 4 << 20;
/// The same before the peer has opened it; opening grants the rest.
const FIRST_WINDOW: usize = 64 << 10;
const PAYLOAD: usize = 128 << 10;
const MIB: usize = 1 << 20;

fn hasty() -> Config {
    Config {
        timeout: Duration::from_millis(300),
        ..Config::default()
    }
}

/// A connection, and the bare end of its line.
fn bare(config: &Config) -> (Connection, UnixStream) {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    let connection = Connection::multiplex(Role::Server, [7; 16], "a test", config, here);
    (connection.expect("it starts"), there)
}

fn frame(kind: u8, stream: u8, number: usize) -> Vec<u8> {
    let number = u32::try_from(number).expect("small").to_le_bytes();
    [[kind, stream, 0, 0], number].concat()
}

/// What opening a stream says.
fn opened(stream: u8) -> Vec<u8> {
    frame(2, stream, WINDOW - FIRST_WINDOW)
}

fn data(stream: u8, payload: &[u8]) -> Vec<u8> {
    [&frame(1, stream, payload.len()), payload].concat()
}

#[test]
fn frames_carry_what_their_kinds_say() {
    let (connection, mut peer) = bare(&Config::default());
    let said = [
        data(3, b"later"),
        frame(4, 0, 0),
        data(0, b"at"),
        data(0, b" once"),
    ]
    .concat();
    // However it is cut.
    for byte in said {
        peer.write_all(&[byte]).expect("taken");
    }
    let mut online = connection.open(0).expect("open");
    let mut heard = [0; 7];
    online.recv(&mut heard).expect("recv");
    assert_eq!(&heard, b"at once");
    let mut other = connection.open(3).expect("open");
    other.recv(&mut heard[..5]).expect("recv");
    assert_eq!(&heard[..5], b"later");

    online.send(b"hello").expect("send");
    online.flush().expect("flush");
    let mut heard = [0; 16 + 13];
    peer.read_exact(&mut heard).expect("frames");
    assert_eq!(
        heard[..],
        [opened(0), opened(3), data(0, b"hello")].concat()
    );
    drop(other);
    let mut heard = [0; 8];
    peer.read_exact(&mut heard).expect("a frame");
    assert_eq!(heard[..], frame(3, 3, 0));
    let progress = connection.progress();
    assert_eq!(progress.framing_received(), 4 * 8);
    assert_eq!(progress.received(), 4 * 8 + 12);
    assert_eq!((progress.framing_sent(), progress.sent()), (32, 37));
}

#[test]
fn each_broken_rule_ends_the_connection_and_is_named() {
    let window: Vec<u8> = (0..WINDOW / PAYLOAD)
        .flat_map(|_| data(7, &vec![0; PAYLOAD]))
        .collect();
    let cases: [(Vec<u8>, &str); 10] = [
        (frame(9, 0, 0), "no known kind"),
        (b"GET / HT".to_vec(), "no known form"),
        (frame(1, 16, 1), "too high a number"),
        (frame(1, 0, 0), "no allowed length"),
        (frame(1, 0, PAYLOAD + 1), "no allowed length"),
        (frame(2, 0, WINDOW), "beyond the window"),
        ([frame(3, 1, 0), data(1, b"x")].concat(), "had ended"),
        ([frame(3, 1, 0), frame(3, 1, 0)].concat(), "a second end"),
        ([window, data(7, b"x")].concat(), "than were granted"),
        // Nobody has opened that one.
        (
            [data(2, &vec![0; FIRST_WINDOW]), data(2, b"x")].concat(),
            "than were granted",
        ),
    ];
    for (bytes, words) in cases {
        let (connection, mut peer) = bare(&Config::default());
        let mut online = connection.open(0).expect("open");
        let mut other = connection.open(5).expect("open");
        let _unread = connection.open(7).expect("open");
        thread::scope(|scope| {
            scope.spawn(|| {
                drop(peer.write_all(&bytes));
                // The line is cut.
                let mut said = Vec::new();
                drop(peer.read_to_end(&mut said));
                assert_eq!(said, [opened(0), opened(5), opened(7)].concat());
            });
            let begin = Instant::now();
            let error = online.recv(&mut [0]).expect_err(words);
            assert!(matches!(error, Error::BadFrame { .. }), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
            let error = other.recv(&mut [0]).expect_err("the connection is over");
            assert!(matches!(error, Error::BadFrame { .. }), "{error:?}");
            assert!(other.send(&vec![0; MIB]).is_err());
            assert!(begin.elapsed() < Duration::from_secs(10));
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any frames, and any bytes: bytes of the stream, or an error, and in time.
    #[test]
    fn random_frames_end_in_time(
        frames in prop::collection::vec((0_u8..6, 0_u8..18, 0_usize..3000, 0_usize..3000), 0..30),
        noise in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let config = Config { timeout: Duration::from_millis(50), ..Config::default() };
        let (connection, mut peer) = bare(&config);
        for (kind, stream, number, payload) in frames {
            drop(peer.write_all(&frame(kind, stream, number)));
            drop(peer.write_all(&vec![1; if kind == 1 { number } else { payload % 2 }]));
        }
        drop(peer.write_all(&noise));
        let mut channels = [0, 1, 2].map(|stream| connection.open(stream).expect("open"));
        for channel in &mut channels {
            let begin = Instant::now();
            while channel.recv(&mut [0; 64]).is_ok() {}
            prop_assert!(begin.elapsed() < Duration::from_secs(5));
            prop_assert!(channel.is_dead());
        }
    }
}

#[test]
fn a_stream_that_nobody_reads_holds_up_no_other() {
    for (server, client) in [multiplexed(10_000, 9_000), tcp_pair()] {
        thread::scope(|scope| {
            // More than the window, so that it waits; and on a thread of its own, so that others do not.
            scope.spawn(|| server.open(1).expect("open").send(&vec![1; 3 * WINDOW]));
            scope.spawn(|| {
                let mut channel = server.open(2).expect("open");
                for _ in 0..200 {
                    let question = channel.recv_u64().expect("recv");
                    channel.send_u64(question + 1).expect("send");
                }
            });
            let mut channel = client.open(2).expect("open");
            let begin = Instant::now();
            for question in 0..200 {
                channel.send_u64(question).expect("send");
                assert_eq!(channel.recv_u64().expect("recv"), question + 1);
            }
            assert!(begin.elapsed() < Duration::from_secs(30));
            let mut all = vec![0; 3 * WINDOW];
            client.open(1).expect("open").recv(&mut all).expect("recv");
            assert!(all.iter().all(|&byte| byte == 1));
        });
    }
}

/// Every stream in both directions at once, in threads that know nothing of each other.
#[test]
fn many_threads_share_a_line() {
    const BYTES: usize = 5 * MIB + 12_345;
    for pair in [multiplexed(50_000, 40_000), tcp_pair(), tcp_pair_over(3)] {
        let party = |connection: &Connection, own: u8| {
            thread::scope(|scope| {
                for stream in 0..4_u8 {
                    scope.spawn(move || {
                        let channel = connection.open(stream.into()).expect("open");
                        let (mut write, mut read) = channel.split();
                        thread::scope(|scope| {
                            scope.spawn(|| {
                                for piece in vec![own ^ stream; BYTES].chunks(300_000) {
                                    write.send(piece).expect("send");
                                }
                                write.flush().expect("flush");
                            });
                            let mut all = vec![0; BYTES];
                            for piece in all.chunks_mut(77_777) {
                                read.recv(piece).expect("recv");
                            }
                            assert!(all.iter().all(|&byte| byte == own ^ 1 ^ stream));
                        });
                    });
                }
            });
        };
        thread::scope(|scope| {
            scope.spawn(|| party(&pair.0, 0));
            party(&pair.1, 1);
        });
    }
}

/// Both parties write more than every window and buffer holds on one stream, while they read on another.
#[test]
fn two_writers_do_not_stop_each_other() {
    for pair in [multiplexed(1000, 1000), tcp_pair()] {
        let party = |connection: &Connection| {
            let mut online = connection.open(0).expect("open");
            let mut other = connection.open(1).expect("open");
            // Within the window, and far beyond what the line holds: nobody has to read for it.
            online.send(&vec![1; WINDOW]).expect("send");
            other.send(&vec![2; WINDOW]).expect("send");
            for (channel, byte) in [(&mut online, 1), (&mut other, 2)] {
                let mut all = vec![0; WINDOW];
                channel.recv(&mut all).expect("recv");
                assert!(all.iter().all(|&b| b == byte));
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| party(&pair.0));
            party(&pair.1);
        });
    }
}

/// One thread exchanges on a stream while another reads a second one, so that either may read what is for the other.
#[test]
fn bytes_stay_in_order_whoever_reads_them() {
    const ROUNDS: u32 = 40;
    const SMALL: usize = 4000;
    let message = |party: u32, round: u32| -> Vec<u8> {
        let words = (0..3 << 18).map(|i: u32| i ^ party << 30 ^ round << 22);
        words.flat_map(u32::to_le_bytes).collect()
    };
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    let config = Config::default();
    let over = |role, socket| Connection::multiplex(role, [7; 16], "a test", &config, socket);
    let server = over(Role::Server, here).expect("it starts");
    let client = over(Role::Client, there).expect("it starts");
    let mut small = [&server, &client].map(|c| c.open(1).expect("open"));
    thread::scope(|scope| {
        for (mine, connection) in (0..).zip([&server, &client]) {
            let theirs = 1 - mine;
            scope.spawn(move || {
                let mut channel = connection.open(0).expect("open");
                for round in 0..ROUNDS {
                    let mut heard = vec![0; 3 * MIB];
                    channel
                        .exchange(&message(mine, round), &mut heard)
                        .expect("exchange");
                    assert!(heard == message(theirs, round), "round {round}");
                }
            });
        }
        let [listening, speaking] = &mut small;
        scope.spawn(|| {
            for _ in 0..SMALL {
                listening.recv(&mut [0; 300]).expect("recv");
            }
        });
        for number in 0..SMALL {
            let said = speaking.send(&[1; 300]).and_then(|()| speaking.flush());
            said.expect("send");
            if number % 4 == 0 {
                thread::sleep(Duration::from_micros(50));
            }
        }
    });
}

#[test]
fn an_error_on_one_stream_is_noticed_on_all() {
    for (server, client) in [multiplexed(100, 100), tcp_pair(), tcp_pair_over(4)] {
        let mut failing = server.open(0).expect("open");
        let _others = [1, 2, 3].map(|stream| server.open(stream).expect("open"));
        let channels = [0, 1, 2, 3].map(|stream| client.open(stream).expect("open"));
        let begin = Instant::now();
        thread::scope(|scope| {
            for mut channel in channels {
                scope.spawn(move || {
                    let outcome = channel.recv(&mut [0]);
                    assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
                });
            }
            thread::sleep(Duration::from_millis(50));
            failing.fail();
        });
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_dropped_stream_ends_alone() {
    for (server, client) in [multiplexed(100, 100), tcp_pair()] {
        let mut ended = client.open(1).expect("open");
        drop(server.open(1).expect("open"));
        let outcome = ended.recv(&mut [0]);
        assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
        // That error cut the line; on a fresh one, a party that has dropped a stream takes what comes on it, so that
        // nobody waits for room.
        drop((server, client, ended));
    }
    let (server, client) = tcp_pair();
    drop(server.open(1).expect("open"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut channel = client.open(1).expect("open");
            channel.send(&vec![0; 3 * WINDOW]).expect("taken");
            client.open(2).expect("open").send_u64(5).expect("send");
        });
        assert_eq!(server.open(2).expect("open").recv_u64().expect("recv"), 5);
    });
}

/// Also if the peer has said things that nobody read.
#[test]
fn what_was_sent_is_delivered_after_everything_is_dropped() {
    for (server, client) in [multiplexed(10 * MIB, MIB), tcp_pair(), tcp_pair_over(2)] {
        let mut unread = client.open(1).expect("open");
        unread.send(&vec![1; FIRST_WINDOW]).expect("send");
        unread.flush().expect("flush");
        let mut channel = client.open(0).expect("open");
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut channel = server.open(0).expect("open");
                channel.send(&vec![3; 3 * MIB]).expect("send");
                drop((channel, server));
            });
            thread::sleep(Duration::from_millis(100));
            let mut all = vec![0; 3 * MIB];
            for piece in all.chunks_mut(100_000) {
                channel.recv(piece).expect("recv");
                thread::sleep(Duration::from_millis(1));
            }
            assert!(all.iter().all(|&byte| byte == 3));
        });
        let outcome = channel.recv(&mut [0]);
        assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
    }
}

#[test]
fn closing_waits_for_the_peer_to_hang_up() {
    for (server, client) in [multiplexed(10 * MIB, MIB), tcp_pair(), tcp_pair_over(2)] {
        let mut channel = client.open(0).expect("open");
        server
            .open(0)
            .expect("open")
            .send(&vec![3; MIB])
            .expect("send");
        let begin = Instant::now();
        let pause = Duration::from_millis(200);
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(pause);
                channel.recv(&mut vec![0; MIB]).expect("recv");
                drop((channel, client));
            });
            assert!(server.close(Duration::from_secs(60)), "it hung up");
        });
        assert!(begin.elapsed() >= pause && begin.elapsed() < Duration::from_secs(4));
    }
    let (server, _client) = tcp_pair();
    assert!(!server.close(Duration::from_millis(100)), "it did not");
}

#[test]
fn an_idle_line_shows_life_and_that_is_no_answer() {
    let config = Config {
        keep_alive: Duration::from_millis(40),
        ..hasty()
    };
    let (connection, mut peer) = bare(&config);
    let mut channel = connection.open(0).expect("open");
    let mut grant = [0; 8];
    peer.read_exact(&mut grant).expect("a grant");
    assert_eq!(grant[..], opened(0));
    // No call is made here, and still there are pings, about one in each time.
    let mut pings = [0; 10 * 8];
    let begin = Instant::now();
    peer.read_exact(&mut pings).expect("pings");
    let took = begin.elapsed();
    assert!(
        took > Duration::from_millis(150) && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert_eq!(pings[..], frame(4, 0, 0).repeat(10));

    // Those of the peer are no bytes of a stream.
    thread::scope(|scope| {
        scope.spawn(|| {
            while peer.write_all(&frame(4, 0, 0)).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let begin = Instant::now();
        let outcome = channel.recv(&mut [0]);
        assert!(
            matches!(outcome, Err(Error::Timeout { after, .. }) if after == config.timeout),
            "{outcome:?}"
        );
        assert!(begin.elapsed() < Duration::from_secs(2));
    });
}
