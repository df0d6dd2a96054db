//! A party that leaves before its time: the peer hears why, what was said before arrives before, and nobody waits for long.

mod pairs;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Connection, Error, Leave};
use pairs::wires::multiplexed;
use pairs::{tcp_pair, tcp_pair_over};

const SOON: Duration = Duration::from_secs(1);
/// Far less than any time-out.
const AT_ONCE: Duration = Duration::from_secs(10);

fn kinds() -> Vec<(Connection, Connection)> {
    vec![tcp_pair(), tcp_pair_over(3), multiplexed(1000, 13)]
}

fn has_left(error: &Error, reason: Leave, at_this_end: bool) -> bool {
    matches!(error, Error::Left { why, here, .. } if *why == reason && *here == at_this_end)
}

#[test]
fn the_peer_hears_why_after_what_was_said_before() {
    for why in [Leave::Stopped, Leave::TimeOver] {
        for (server, client) in kinds() {
            let begin = Instant::now();
            thread::scope(|scope| {
                let (ready, waits) = mpsc::channel();
                let listening = scope.spawn(move || {
                    let mut chan = client.open(0).expect("open");
                    let mut other = client.open(1).expect("open");
                    ready.send(()).expect("somebody listens");
                    chan.enter_phase("listening");
                    let mut out = [0; 10];
                    chan.recv(&mut out).expect("recv");
                    assert_eq!(&out, b"last words");
                    let end = chan.recv(&mut out).expect_err("it has left");
                    // Whatever is done with it.
                    let write = other.send(b"x").and_then(|()| other.flush());
                    let written = write.and_then(|()| other.recv(&mut out));
                    (end, written.expect_err("it has left"))
                });
                let mut chan = server.open(0).expect("open");
                let _other = server.open(1).expect("open");
                waits.recv().expect("it is there");
                chan.send(b"last words").expect("send");
                chan.flush().expect("flush");
                server.leaver().leave(why, AT_ONCE);
                assert!(server.has_left());
                let here = chan.send(&[0; 1 << 20]).and_then(|()| chan.flush());
                assert!(has_left(&here.expect_err("gone"), why, true));
                let (read, written) = listening.join().expect("no panic");
                assert!(has_left(&read, why, false), "{read:?}");
                let expected = format!("listening: the peer left: {why}");
                assert_eq!(read.to_string(), expected);
                // On another lane it may have been cut before.
                let closed = matches!(written, Error::Closed { .. } | Error::Dead);
                assert!(closed || has_left(&written, why, false), "{written:?}");
            });
            // It did not take all of its time.
            assert!(begin.elapsed() < AT_ONCE / 2, "{:?}", begin.elapsed());
        }
    }
}

/// Whoever waits at this end is let go, whether the peer listens or not.
#[test]
fn nobody_waits_for_a_peer_that_does_not_listen() {
    for (server, client) in kinds() {
        let begin = Instant::now();
        thread::scope(|scope| {
            let server = &server;
            let waiting = scope.spawn(move || {
                let mut chan = server.open(0).expect("open");
                chan.recv(&mut [0]).expect_err("nothing comes")
            });
            let writing = scope.spawn(move || {
                let mut chan = server.open(1).expect("open");
                // Far more than a line holds.
                let sent = (0..1000).try_for_each(|_| chan.send(&[0; 1 << 20]));
                sent.and_then(|()| chan.flush())
                    .expect_err("nobody takes it")
            });
            thread::sleep(Duration::from_millis(200));
            server.leave(Leave::Stopped, SOON);
            for thread in [waiting, writing] {
                let error = thread.join().expect("no panic");
                assert!(has_left(&error, Leave::Stopped, true), "{error:?}");
            }
        });
        while !server.has_left() {
            assert!(begin.elapsed() < AT_ONCE, "it waits");
            thread::sleep(Duration::from_millis(1));
        }
        // It may still hear why.
        let mut chan = client.open(2).expect("open");
        assert!(chan.recv(&mut [0]).is_err());
    }
}

/// A peer that writes without listening hears it as well, in place of a broken pipe.
#[test]
fn a_peer_that_only_writes_hears_why() {
    for (server, client) in kinds() {
        server
            .leaver()
            .leave(Leave::TimeOver, Duration::from_millis(100));
        let mut chan = client.open(0).expect("open");
        let sent = (0..1000).try_for_each(|_| {
            chan.send(&[0; 1 << 16])?;
            chan.flush()
        });
        let error = sent.expect_err("it has left");
        assert!(has_left(&error, Leave::TimeOver, false), "{error:?}");
    }
}

/// In memory there is nobody to tell.
#[test]
fn in_memory_nothing_happens() {
    let (server, client) = channel::memory_pair(16);
    server.leaver().leave(Leave::Stopped, SOON);
    assert!(server.has_left());
    let (mut one, mut other) = (server.open(0).expect("open"), client.open(0).expect("open"));
    one.send(b"x")
        .and_then(|()| one.flush())
        .expect("it goes on");
    other.recv(&mut [0]).expect("it goes on");
    let leaver = server.leaver();
    drop((one, server));
    leaver.leave(Leave::Stopped, SOON);
}
