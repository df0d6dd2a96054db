//! Channels that behave: order, buffering, exchange, accounting, streams, over memory and TCP.

mod pairs;

use std::thread;

use channel::{Channel, Connection, Cost, Error, HANDSHAKE, ONLINE, Segment, memory_pair};
use pairs::wires::multiplexed;
use pairs::{every_kind, on_stream, tcp_pair, tcp_pair_over};
use proptest::prelude::*;

fn pattern(length: usize, salt: u8) -> Vec<u8> {
    (0..=250)
        .cycle()
        .take(length)
        .map(|byte: u8| byte ^ salt)
        .collect()
}

#[test]
fn bytes_arrive_in_order_whatever_their_sizes() {
    let sizes = [
        0, 1, 2, 127, 128, 129, 65_535, 65_536, 131_071, 131_072, 131_073, 300_000,
    ];
    let shared = [multiplexed(5000, 4001), tcp_pair(), tcp_pair_over(8)];
    for pair in [memory_pair(4001), memory_pair(1 << 20)]
        .into_iter()
        .chain(shared)
    {
        on_stream(
            &pair,
            ONLINE,
            |server| {
                for size in sizes {
                    server.send(&pattern(size, 3)).expect("send");
                }
                assert_eq!(server.recv_u64().expect("recv"), 99);
            },
            |client| {
                for size in sizes {
                    let mut out = vec![0; size];
                    client.recv(&mut out).expect("recv");
                    assert!(out == pattern(size, 3), "{size}");
                }
                client.send_u64(99).expect("send");
            },
        );
    }
}

/// What a stream has room for waits for none of its readers.
#[test]
fn what_there_is_room_for_may_be_sent_early() {
    for pair in every_kind() {
        thread::scope(|scope| {
            let (server, client) = &pair;
            scope.spawn(|| {
                let mut early = server.open(1).expect("open");
                let room = early.room();
                early.send(&pattern(room, 5)).expect("send");
                early.flush().expect("flush");
                let mut other = server.open(2).expect("open");
                other.send_u64(room as u64).expect("send");
                other.flush().expect("flush");
            });
            let (mut early, mut other) = [1, 2].map(|i| client.open(i).expect("open")).into();
            let room = usize::try_from(other.recv_u64().expect("recv")).expect("it fits");
            assert!(room > 0);
            let mut out = vec![0; room];
            early.recv(&mut out).expect("recv");
            assert!(out == pattern(room, 5));
        });
    }
}

#[test]
fn exchange_never_hangs() {
    let mib = 1 << 20;
    let sizes = [
        (16 * mib, 16 * mib),
        (16 * mib, 1),
        (1, 16 * mib),
        (16 * mib, 0),
        (0, 0),
        (1, 1),
    ];
    let pairs = [
        memory_pair(4096),
        memory_pair(100_000),
        multiplexed(10_000, 7_000),
        multiplexed(64 << 20, 1 << 20),
        tcp_pair(),
    ];
    for pair in &pairs {
        for (stream, &(up, down)) in (0..).zip(&sizes) {
            let speak = |chan: &mut Channel, own: usize, other: usize, salt: u8| {
                let mut got = vec![0; other];
                chan.exchange(&pattern(own, salt), &mut got)
                    .expect("exchange");
                assert!(got == pattern(other, salt ^ 1));
                assert_eq!(chan.measured(), Cost::exchange(up as u64, down as u64));
            };
            on_stream(
                pair,
                stream,
                |s| speak(s, down, up, 0),
                |c| speak(c, up, down, 1),
            );
        }
    }
    // A line of one byte, so that every write and read is partial.
    for pair in [memory_pair(1), multiplexed(1, 1)] {
        on_stream(
            &pair,
            0,
            |server| {
                server
                    .exchange(&[1; 3000], &mut [0; 5000])
                    .expect("exchange");
            },
            |client| {
                client
                    .exchange(&[2; 5000], &mut [0; 3000])
                    .expect("exchange");
            },
        );
    }
}

#[test]
fn the_ledger_counts_flights_and_phases() {
    for pair in every_kind() {
        let talk = |chan: &mut Channel| {
            let (own, peer) = if chan.role().is_server() {
                (3, 5)
            } else {
                (5, 3)
            };
            // Two sends are one flight.
            if chan.role().is_server() {
                chan.send(&[0; 10])?;
                chan.send(&[0; 20])?;
            } else {
                chan.recv(&mut [0; 15])?;
                chan.recv(&mut [0; 15])?;
            }
            chan.exchange(&vec![0; own], &mut vec![0; peer])?;
            chan.exchange(&vec![0; own], &mut vec![0; peer])?;
            chan.exchange(&[], &mut [])?;
            chan.send(&[])?;
            chan.enter_phase("quiet");
            chan.enter_phase("second".to_owned());
            if chan.role().is_server() {
                chan.recv(&mut [0; 4])?;
            } else {
                chan.send(&[0; 4])?;
            }
            chan.enter_phase("third");
            if chan.role().is_server() {
                assert_eq!(chan.recv_frame(6)?, b"abcdef");
            } else {
                chan.send_frame(b"abcdef")?;
            }
            Ok::<_, Error>((chan.ledger().clone(), chan.measured()))
        };
        let (server, client) = on_stream(&pair, 14, talk, talk);
        let (ledger, measured) = server.expect("server");
        assert_eq!((ledger.clone(), measured.clone()), client.expect("client"));
        let both = Segment {
            to_server: 5,
            to_client: 3,
        };
        let down = Segment {
            to_server: 0,
            to_client: 30,
        };
        let up = |to_server| Segment {
            to_server,
            to_client: 0,
        };
        // A flight that runs across the end of a phase is one.
        assert!(measured.segments().eq([down, both, both, up(18)]));
        let names: Vec<_> = ledger
            .phases()
            .iter()
            .map(|p| p.name())
            .filter(|n| *n != HANDSHAKE)
            .collect();
        assert_eq!(names, ["start", "quiet", "second", "third"]);
        assert_eq!(ledger.current().cost(), &Cost::to_server(14));
        let greeted: u64 = ledger
            .phases()
            .iter()
            .filter(|p| p.name() == HANDSHAKE)
            .map(|p| p.cost().bytes())
            .sum();
        assert_eq!(
            ledger.bytes_to_server() + ledger.bytes_to_client(),
            measured.bytes() + greeted
        );
    }
}

#[test]
fn streams_open_in_any_order_and_each_once() {
    for (server, client) in every_kind() {
        thread::scope(|scope| {
            for stream in [5_u32, 0, 1, 15] {
                let server = &server;
                scope.spawn(move || {
                    let mut chan = server.open(stream).expect("open");
                    chan.send_u64(u64::from(stream)).expect("send");
                });
            }
            for stream in [15_u32, 1, 5, 0] {
                let mut chan = client.open(stream).expect("open");
                assert_eq!(chan.recv_u64().expect("recv"), u64::from(stream));
            }
        });
        for side in [&server, &client] {
            assert!(matches!(
                side.open(5),
                Err(Error::StreamTaken { stream: 5 })
            ));
        }
        assert_eq!(server.session_id(), client.session_id());
        assert!(client.progress().received() >= 32);
        let [server, client] = [server, client].map(|end| end.progress());
        assert_eq!(client.sent(), client.framing_sent());
        assert_eq!(server.sent() - server.framing_sent(), 32);
        assert_eq!(client.received() - client.framing_received(), 32);
    }
}

#[test]
fn halves_work_at_once_and_join() {
    const SIZE: usize = 1 << 20;
    for pair in [memory_pair(64), multiplexed(100, 64), tcp_pair()] {
        let (server, client) = &pair;
        let run = |connection: &Connection| {
            let mut chan = connection.open(3).expect("open");
            chan.send(&[7]).expect("send");
            let (mut write, mut read) = chan.split();
            thread::scope(|scope| {
                scope.spawn(|| {
                    write.send(&[1; SIZE]).expect("send");
                    write.flush().expect("flush");
                });
                let mut got = vec![0; SIZE + 1];
                read.recv(&mut got).expect("recv");
                assert_eq!((got[0], got[1]), (7, 1));
            });
            let mut chan = Channel::join(write, read);
            chan.exchange(&[1], &mut [0]).expect("exchange");
            chan.ledger().bytes_to_client()
        };
        thread::scope(|scope| {
            let server = scope.spawn(|| run(server));
            assert!(run(client) >= (SIZE + 1) as u64);
            server.join().expect("server");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any conversation: what is received is what was sent, and both ledgers are the predicted cost.
    #[test]
    fn conversations_arrive_and_are_counted(
        steps in prop::collection::vec((0_u8..4, 0_usize..600, 0_usize..600), 0..30),
        capacity in 1_usize..200,
    ) {
        let predicted: Cost = steps.iter().map(|&(kind, up, down)| match kind {
            0 => Cost::to_server(up as u64),
            1 => Cost::to_client(down as u64),
            _ => Cost::exchange(up as u64, down as u64),
        }).sum();
        let run = |chan: &mut Channel| {
            for (salt, &(kind, up, down)) in (0..).zip(&steps) {
                let server = chan.role().is_server();
                let (own, other) = if server { (down, up) } else { (up, down) };
                let own = pattern(own, salt);
                let mut got = vec![0; other];
                match (kind, server) {
                    (0, true) | (1, false) => chan.recv(&mut got).expect("recv"),
                    (0, false) | (1, true) => {
                        chan.send(&own).expect("send");
                        continue;
                    }
                    _ => chan.exchange(&own, &mut got).expect("exchange"),
                }
                assert_eq!(got, pattern(other, salt));
            }
            chan.measured()
        };
        let (server, client) = on_stream(&memory_pair(capacity), 0, run, run);
        prop_assert_eq!(&server, &predicted);
        prop_assert_eq!(&client, &predicted);
    }
}
