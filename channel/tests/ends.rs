//! How channels end: the peer leaves, falls silent, or breaks a rule.

mod pairs;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use channel::{Error, Memory, Role, memory_pair};
use pairs::wires::multiplexed;
use pairs::{every_kind, on_stream, tcp_pair};

#[test]
fn a_dropped_channel_delivers_and_then_ends() {
    for (server, client) in every_kind() {
        thread::scope(|scope| {
            scope.spawn(|| {
                server
                    .open(0)
                    .expect("open")
                    .send(b"last words")
                    .expect("send");
            });
            let mut chan = client.open(0).expect("open");
            chan.enter_phase("listening");
            let mut out = [0; 10];
            chan.recv(&mut out).expect("recv");
            assert_eq!(&out, b"last words");
            let end = chan.recv(&mut out);
            assert!(matches!(end, Err(Error::Closed { phase }) if phase == "listening"));
            assert!(matches!(chan.send(b"x"), Err(Error::Dead)));
            assert!(chan.is_dead());
        });
    }
}

#[test]
fn a_silent_peer_times_out() {
    let patience = Duration::from_millis(100);
    for (server, client) in [memory_pair(16), multiplexed(16, 4), tcp_pair()] {
        let _quiet = thread::scope(|scope| {
            let server = scope.spawn(|| server.open(0).expect("open"));
            let mut chan = client.open(0).expect("open");
            chan.set_timeout(patience).expect("set");
            chan.enter_phase("waiting");
            let outcome = chan.recv(&mut [0; 1]);
            assert!(
                matches!(&outcome, Err(Error::Timeout { phase, after }) if phase == "waiting" && *after == patience)
            );
            assert!(matches!(chan.recv(&mut [0; 1]), Err(Error::Dead)));
            server.join().expect("server")
        });
    }
}

#[test]
fn a_peer_that_takes_nothing_times_out() {
    let patience = Duration::from_millis(100);
    let memory = Memory {
        capacity: 16,
        timeout: patience,
        relay: None,
    }
    .pair();
    for (server, client) in [memory, multiplexed(16, 4), tcp_pair()] {
        thread::scope(|scope| {
            let server = scope.spawn(|| server.open(0).expect("open"));
            let mut chan = client.open(0).expect("open");
            let _idle = server.join().expect("server");
            chan.set_timeout(patience).expect("set");
            // More than any socket buffers.
            let outcome = chan.send(&vec![0; 64 << 20]);
            assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        });
    }
}

#[test]
fn a_frame_of_absurd_length_is_refused_before_anything_is_allocated() {
    for pair in every_kind() {
        on_stream(
            &pair,
            0,
            |server| {
                server.send_u64(1 << 60).expect("send");
                server.flush().expect("flush");
                // The client hangs up.
                assert!(server.recv(&mut [0; 1]).is_err());
            },
            |client| {
                let outcome = client.recv_frame(1000);
                assert!(matches!(
                    outcome,
                    Err(Error::FrameTooLong { length, limit: 1000, .. }) if length == 1 << 60
                ));
                assert!(matches!(client.send(b"x"), Err(Error::Dead)));
            },
        );
    }
}

#[test]
fn a_peer_that_is_gone_ends_what_it_never_opened() {
    let (server, client) = memory_pair(64);
    let mut opened = client.open(4).expect("open");
    drop(server);
    assert!(matches!(
        opened.recv(&mut [0; 1]),
        Err(Error::Closed { .. })
    ));
    assert!(matches!(client.open(5), Err(Error::Closed { .. })));
}

#[test]
fn a_relay_sees_and_changes_what_passes() {
    struct Flip;
    impl channel::Relay for Flip {
        fn pass(&self, way: channel::Way, offset: u64, bytes: &mut [u8]) -> usize {
            if way.from == Role::Server {
                for (at, byte) in (offset..).zip(bytes.iter_mut()) {
                    *byte ^= u8::from(at == 2);
                }
                bytes.len()
            } else {
                // Cuts the client off after its fifth byte.
                usize::try_from(5_u64.saturating_sub(offset))
                    .expect("small")
                    .min(bytes.len())
            }
        }
    }
    let pair = Memory {
        capacity: 2,
        relay: Some(Arc::new(Flip)),
        ..Memory::default()
    }
    .pair();
    on_stream(
        &pair,
        0,
        |server| {
            server.send(&[0; 4]).expect("send");
            let mut got = [0; 5];
            server.recv(&mut got).expect("recv");
            assert_eq!(got, [9; 5]);
            assert!(matches!(
                server.recv(&mut [0; 1]),
                Err(Error::Closed { .. })
            ));
        },
        |client| {
            let mut got = [0; 4];
            client.recv(&mut got).expect("recv");
            assert_eq!(got, [0, 0, 1, 0]);
            let outcome = client.send(&[9; 8]).and_then(|()| client.flush());
            assert!(matches!(outcome, Err(Error::Closed { .. })));
        },
    );
}
