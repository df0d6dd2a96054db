//! Pools that are refilled in threads of their own: the same correlations for the same bytes, and an end whatever happens.

mod common;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use channel::{Connection, Cost, Memory, REFILL_SERVER_SENDS, Role};
use common::{Altered, run};
use ot::{
    Background, Block, EXTENSIONS, Error, Extension, RcotReceiver, RcotSender, default_extension,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::BitVec;

fn sender(by: &dyn Extension, connection: &Connection) -> Result<Box<dyn RcotSender>, Error> {
    let refill = connection.open(REFILL_SERVER_SENDS)?;
    by.sender(
        refill,
        &connection.session_id(),
        &mut ChaCha20Rng::seed_from_u64(1),
    )
}

fn receiver(by: &dyn Extension, connection: &Connection) -> Result<Box<dyn RcotReceiver>, Error> {
    let refill = connection.open(REFILL_SERVER_SENDS)?;
    by.receiver(
        refill,
        &connection.session_id(),
        &mut ChaCha20Rng::seed_from_u64(2),
    )
}

fn spent(ledger: Option<&channel::Ledger>) -> [Cost; 2] {
    let ledger = ledger.expect("a real pool has a channel");
    ["setup", "refill"].map(|name| {
        let phase = ledger.phases().iter().find(|phase| phase.name() == name);
        phase.map_or_else(Cost::none, |phase| phase.cost().clone())
    })
}

type Sent = (Block, Vec<Block>, [Cost; 2]);
type Received = (BitVec, Vec<Block>, [Cost; 2]);

/// What both ends have after draws of these sizes, with threads at the ends that say so.
fn drawn(
    extension: &dyn Extension,
    threads: [bool; 2],
    announced: u64,
    draws: &[usize],
) -> (Sent, Received) {
    let background = Background::new(extension);
    let by = |thread| -> &dyn Extension { if thread { &background } else { extension } };
    run(
        |connection| {
            let mut pool = sender(by(threads[0]), &connection).expect("a set-up");
            pool.reserve(announced);
            let mut all = Vec::new();
            for &n in draws {
                let mut q = vec![0; n];
                assert_eq!(pool.draw(&mut q).expect("a draw"), all.len() as u64);
                all.extend(q);
            }
            assert_eq!(pool.drawn(), all.len() as u64);
            (pool.delta(), all, spent(pool.ledger()))
        },
        |connection| {
            let mut pool = receiver(by(threads[1]), &connection).expect("a set-up");
            pool.reserve(announced);
            let (mut bits, mut all) = (Vec::new(), Vec::new());
            // Other draws than the sender's.
            for &n in draws.iter().rev() {
                let (mut choices, mut t) = (BitVec::zeros(n), vec![0; n]);
                assert_eq!(
                    pool.draw(&mut choices, &mut t).expect("a draw"),
                    all.len() as u64
                );
                bits.extend(choices.iter());
                all.extend(t);
            }
            assert_eq!(pool.drawn(), all.len() as u64);
            let choices = BitVec::from_fn(bits.len(), |i| bits[i]);
            (choices, all, spent(pool.ledger()))
        },
    )
}

#[test]
fn correlations_and_bytes_are_those_of_a_pool_without_a_thread() {
    let draws = [1, 0, 63, 20_000, 16_384, 100_001, 5];
    let all: usize = draws.iter().sum();
    for extension in [EXTENSIONS[0], EXTENSIONS[1]] {
        // All, some of them, none; nothing is made in vain.
        for announced in [all as u64, 50_000, 0] {
            let (sent, received) = drawn(extension, [false; 2], announced, &draws);
            let cost = extension.refill_cost_announced(Some(announced), all as u64, Role::Server);
            assert_eq!(sent.2, [extension.setup_cost(Role::Server), cost]);
            for (q, (t, choice)) in sent.1.iter().zip(received.1.iter().zip(received.0.iter())) {
                assert_eq!(q ^ t, if choice { sent.0 } else { 0 });
            }
            for threads in [[true, true], [true, false], [false, true]] {
                let other = drawn(extension, threads, announced, &draws);
                assert!(
                    other.0 == sent && other.1 == received,
                    "{extension:?} {announced}"
                );
            }
        }
    }
}

/// A draw waits for no refill that the peer makes in a later one, so an end without threads may say something in between.
#[test]
fn a_draw_needs_the_refills_of_a_pool_without_a_thread_only() {
    for extension in [EXTENSIONS[0], EXTENSIONS[2]] {
        for threads in [[true, false], [false, true]] {
            let background = Background::new(extension);
            let by =
                |thread: bool| -> &dyn Extension { if thread { &background } else { extension } };
            let ((go, went), (back, came)) = (sync_channel(0), sync_channel(0));
            run(
                move |connection| {
                    let mut pool = sender(by(threads[0]), &connection).expect("a set-up");
                    pool.reserve(200_000);
                    for _ in 0..10 {
                        pool.draw(&mut [0; 10_000]).expect("a draw");
                        // What parties tell each other beside the pools.
                        go.send(()).expect("they go on");
                        came.recv().expect("they go on");
                    }
                },
                move |connection| {
                    let mut pool = receiver(by(threads[1]), &connection).expect("a set-up");
                    pool.reserve(200_000);
                    for _ in 0..10 {
                        let drawn = pool.draw(&mut BitVec::zeros(10_000), &mut [0; 10_000]);
                        drawn.expect("a draw");
                        went.recv().expect("they go on");
                        back.send(()).expect("they go on");
                    }
                },
            );
        }
    }
}

/// A line whose ends wait long for each other.
fn patient() -> (Connection, Connection) {
    let timeout = Duration::from_secs(60);
    Memory {
        capacity: 1 << 17,
        timeout,
        relay: None,
    }
    .pair()
}

/// What is far less than the time-out.
fn at_once(begin: Instant) {
    assert!(begin.elapsed() < Duration::from_secs(30), "it hung");
}

/// Runs the set-up of both ends with threads, and what each does with its pool and its connection.
fn both(
    extension: &dyn Extension,
    send: impl FnOnce(Box<dyn RcotSender>, Connection) + Send,
    receive: impl FnOnce(Box<dyn RcotReceiver>, Connection) + Send,
) {
    let (begin, by) = (Instant::now(), Background::new(extension));
    let (server, client) = patient();
    std::thread::scope(|scope| {
        scope.spawn(|| send(sender(&by, &server).expect("a set-up"), server));
        scope.spawn(|| receive(receiver(&by, &client).expect("a set-up"), client));
    });
    at_once(begin);
}

fn draw_one(pool: &mut dyn RcotReceiver) -> Result<u64, Error> {
    pool.draw(&mut BitVec::zeros(1), &mut [0])
}

/// A pool is dropped while its thread waits for a peer that is there and no longer draws. No thread is left, as a drop waits
/// for it.
#[test]
fn a_dropped_pool_ends_its_thread() {
    for extension in [EXTENSIONS[0], EXTENSIONS[2]] {
        let (over, done) = std::sync::mpsc::channel();
        both(
            extension,
            move |mut pool, connection| {
                pool.reserve(1 << 22);
                pool.draw(&mut [0]).expect("a draw");
                drop(pool);
                over.send(connection).expect("the test waits");
            },
            move |mut pool, connection| {
                pool.reserve(1 << 22);
                draw_one(pool.as_mut()).expect("a draw");
                drop((done.recv(), pool, connection));
            },
        );
        let (over, done) = std::sync::mpsc::channel();
        both(
            extension,
            move |mut pool, connection| {
                pool.reserve(1 << 22);
                pool.draw(&mut [0]).expect("a draw");
                drop((done.recv(), pool, connection));
            },
            move |mut pool, connection| {
                pool.reserve(1 << 22);
                draw_one(pool.as_mut()).expect("a draw");
                drop(pool);
                over.send(connection).expect("the test waits");
            },
        );
    }
}

/// The peer does not even take what the thread says.
#[test]
fn a_dropped_pool_does_not_wait_for_room_in_the_line() {
    let (over, done) = std::sync::mpsc::channel();
    both(
        default_extension(),
        move |pool, connection| drop((done.recv(), pool, connection)),
        move |mut pool, connection| {
            pool.reserve(1 << 22);
            draw_one(pool.as_mut()).expect("there is room for the first part");
            drop(pool);
            over.send(connection).expect("the test waits");
        },
    );
}

/// A peer that vanishes in the midst of refills: one error of the channel, and then a dead pool.
#[test]
fn a_peer_that_vanishes_is_an_error() {
    for extension in [EXTENSIONS[0], EXTENSIONS[2]] {
        both(
            extension,
            |mut pool, connection| {
                pool.reserve(1 << 22);
                pool.draw(&mut [0; 5000]).expect("a draw");
                drop((pool, connection));
            },
            |mut pool, _connection| {
                pool.reserve(1 << 22);
                let ends = |pool: &mut dyn RcotReceiver| {
                    let draw = pool.draw(&mut BitVec::zeros(1 << 22), &mut vec![0; 1 << 22]);
                    draw.expect_err("the peer is gone")
                };
                assert!(matches!(ends(pool.as_mut()), Error::Channel(_)));
                let again = ends(pool.as_mut());
                assert!(
                    matches!(again, Error::Channel(channel::Error::Dead)),
                    "{again}"
                );
            },
        );
        both(
            extension,
            |mut pool, _connection| {
                pool.reserve(1 << 22);
                let mut ends = || {
                    pool.draw(&mut vec![0; 1 << 22])
                        .expect_err("the peer is gone")
                };
                assert!(matches!(ends(), Error::Channel(_)));
                assert!(matches!(ends(), Error::Channel(channel::Error::Dead)));
            },
            |mut pool, connection| {
                pool.reserve(1 << 22);
                let _ = draw_one(pool.as_mut());
                drop((pool, connection));
            },
        );
    }
}

/// What a thread finds out is what the draw says.
#[test]
fn a_batch_that_is_inconsistent_is_found_out() {
    let extension = default_extension();
    let at = extension.setup_cost(Role::Server).bytes_to_server() + 100_000;
    let (server, client) = Memory {
        relay: Some(Arc::new(Altered(Role::Client, at))),
        ..Memory::default()
    }
    .pair();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let sends = scope.spawn(move || {
            let mut pool = sender(&Background::new(extension), &server).expect("a set-up");
            pool.reserve(100_000);
            pool.draw(&mut vec![0; 100_000])
        });
        let mut pool = receiver(&Background::new(extension), &client).expect("a set-up");
        pool.reserve(100_000);
        let received = pool.draw(&mut BitVec::zeros(100_000), &mut vec![0; 100_000]);
        assert!(
            matches!(received, Err(Error::Channel(_)) | Ok(_)),
            "{received:?}"
        );
        let sent = sends.join().expect("no panic");
        assert!(matches!(sent, Err(Error::Inconsistent)), "{sent:?}");
    });
    at_once(begin);
}
