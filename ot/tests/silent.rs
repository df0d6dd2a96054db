//! Silent OT over many rounds, against its cost functions, and against a peer that goes wrong.

mod common;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use channel::{Connection, Cost, Ledger, Memory, Role};
use common::{Altered, Pool, run};
use ot::{Block, Error, Extension, RcotReceiver, Silent, SilentSet, SoftSpoken};
use ring_arith::BitVec;
use zerocopy::IntoBytes;

use SilentSet::{Large, Medium, Small, SmallTwice};

/// Correlations made at a time.
const STEP: u64 = 4096;

/// Correlations that a round hands out.
fn round(set: SilentSet) -> u64 {
    match set {
        Small => 680 << 10,
        SmallTwice => 680 << 11,
        Medium => 938 << 11,
        _ => 1196 << 12,
    }
}

fn draw(pool: &mut dyn RcotReceiver, n: usize) -> Result<(u64, BitVec, Vec<Block>), Error> {
    let (mut choices, mut t) = (BitVec::zeros(n), vec![0; n]);
    Ok((pool.draw(&mut choices, &mut t)?, choices, t))
}

/// Every correlation of the first `total` is right, and the choices look random.
fn is_right(set: SilentSet, total: usize) {
    // A prime, so that draws end everywhere in rows.
    const DRAW: usize = 65_537;
    let (tell, hear) = sync_channel::<(u64, Block, Vec<Block>)>(2);
    let pool = Pool::Silent(set, None);
    let ((), (ones, seen)) = run(
        move |connection| {
            let mut pool = pool.sender(&connection);
            for _ in 0..total / DRAW {
                let mut q = vec![0; DRAW];
                let first = pool.draw(&mut q).expect("a draw");
                tell.send((first, pool.delta(), q))
                    .expect("the check goes on");
            }
        },
        move |connection| {
            let mut pool = pool.receiver(&connection);
            let (mut ones, mut seen) = (0_u64, 0);
            for _ in 0..total / DRAW {
                let (first, choices, t) = draw(pool.as_mut(), DRAW).expect("a draw");
                let (other, delta, q) = hear.recv().expect("the sender goes on");
                assert_eq!((first, other), (seen, seen), "indices are consecutive");
                for (i, (q, t)) in q.iter().zip(&t).enumerate() {
                    assert_eq!(q ^ t, if choices.bit(i) { delta } else { 0 });
                }
                ones += choices.iter().map(u64::from).sum::<u64>();
                seen += DRAW as u64;
            }
            (ones, seen)
        },
    );
    assert!(
        (2 * ones).abs_diff(seen).pow(2) < 49 * seen,
        "{ones} of {seen}"
    );
}

#[test]
fn small_rounds_are_right() {
    is_right(Small, 3 * 680 * 1024);
}

#[test]
fn rounds_of_two_instances_are_right() {
    is_right(SmallTwice, 3 * 680 * 2048 / 2);
}

#[test]
fn medium_rounds_are_right() {
    is_right(Medium, 3 * 938 * 2048 / 2);
}

#[test]
fn large_rounds_are_right() {
    is_right(Large, 4 * 1196 * 4096 / 3);
}

/// Set-up and refills, as an end tells of them.
fn costs(ledger: Option<&Ledger>) -> [Cost; 2] {
    let ledger = ledger.expect("a real pool has a channel");
    ["setup", "refill"].map(|name| {
        let phase = ledger.phases().iter().find(|phase| phase.name() == name);
        phase.map_or_else(Cost::none, |phase| phase.cost().clone())
    })
}

/// What a pool's set-up and refills cost, at both ends.
fn measured(set: SilentSet, announced: Option<u64>, n: u64) -> [[Cost; 2]; 2] {
    let pool = Pool::Silent(set, announced);
    let n = usize::try_from(n).expect("a small number");
    let (sender, receiver) = run(
        |connection| {
            let mut pool = pool.sender(&connection);
            pool.draw(&mut vec![0; n]).expect("a draw");
            costs(pool.ledger())
        },
        |connection| {
            let mut pool = pool.receiver(&connection);
            // The partition of a draw does not matter.
            draw(pool.as_mut(), n / 3).expect("a draw");
            draw(pool.as_mut(), n - n / 3).expect("a draw");
            costs(pool.ledger())
        },
    );
    [sender, receiver]
}

#[test]
fn costs_are_exact_at_every_boundary() {
    for set in [Small, SmallTwice, Medium, Large] {
        let batch = SoftSpoken::BATCH as u64;
        let mut demands = vec![0, 1, batch, batch + 1, 90_000, 110_000];
        for edge in [STEP, 2 * STEP, round(set)] {
            demands.extend([edge - 1, edge, edge + 1]);
        }
        let silent = Silent::new(set);
        for n in demands {
            for announced in [None, Some(n), Some(1), Some(250_000), Some(1 << 40)] {
                if n > 1 << 20 && announced.is_some() {
                    continue;
                }
                let refill = silent.refill_cost_announced(announced, n, Role::Server);
                let expected = [silent.setup_cost(Role::Server), refill];
                let got = measured(set, announced, n);
                assert_eq!(
                    got,
                    [expected.clone(), expected],
                    "{set:?}, {n} of {announced:?}"
                );
            }
        }
    }
}

/// The price is what a correlation costs in the long run, which the bars of the design are about.
#[test]
fn prices_are_those_of_the_long_run() {
    for (set, millibits) in [
        (Small, 1412),
        (SmallTwice, 1412),
        (Medium, 751),
        (Large, 402),
    ] {
        let silent = Silent::new(set);
        assert_eq!(silent.price().as_millibits(), millibits);
        let n = 1 << 40;
        let bits = 8000 * u128::from(silent.refill_cost(n, Role::Client).bytes());
        assert!(bits.abs_diff(u128::from(n) * u128::from(millibits)) < u128::from(n));
        let first = silent.refill_cost_announced(None, 1, Role::Client).bytes();
        assert!(first < 250_000, "a pool starts with {first} bytes");
    }
}

/// The sender says more than was drawn, if more was announced: the receiver draws on while the sender does other things. Neither tells of traffic
/// before its correlations are drawn.
#[test]
fn the_sender_is_ahead_of_what_was_announced() {
    const ALL: u64 = 1 << 21;
    const STEPS: u64 = 200;
    let blocks = |steps: u64| usize::try_from(steps * STEP).expect("a small number");
    for (set, steps) in [(Small, 25), (SmallTwice, 25), (Medium, 46), (Large, 85)] {
        let (go, wait) = sync_channel::<()>(0);
        let cost = |steps: u64| {
            Silent::new(set).refill_cost_announced(Some(ALL), steps * STEP, Role::Server)
        };
        let memory = Memory {
            capacity: 1 << 16,
            timeout: Duration::from_secs(20),
            relay: None,
        };
        let (server, client) = memory.pair();
        thread::scope(|scope| {
            let pool = Pool::Silent(set, Some(ALL));
            scope.spawn(move || {
                let mut pool = pool.sender(&server);
                let mut q = vec![0; blocks(STEPS)];
                pool.draw(&mut q).expect("a draw");
                assert_eq!(costs(pool.ledger())[1], cost(STEPS));
                wait.recv().expect("the receiver has drawn");
            });
            let mut pool = pool.receiver(&client);
            draw(pool.as_mut(), blocks(STEPS + steps)).expect("a draw");
            assert_eq!(costs(pool.ledger())[1], cost(STEPS + steps));
            go.send(()).expect("the sender waits");
        });
    }
}

/// What the sender says ahead fits into the line, also where a round ends: it never waits for a receiver that waits for something else.
#[test]
fn what_is_said_ahead_fits_into_any_line() {
    const DRAW: usize = 20_000;
    const ALL: u64 = 2 * 680 * 1024;
    for capacity in [1 << 10, 1 << 12, 1 << 14, 1 << 15, 1 << 16] {
        let memory = Memory {
            capacity,
            timeout: Duration::from_secs(5),
            relay: None,
        };
        let (server, client) = memory.pair();
        let ((go, went), (back, came)) = (sync_channel(0), sync_channel(0));
        thread::scope(|scope| {
            let pool = Pool::Silent(Small, Some(ALL));
            scope.spawn(move || {
                let mut pool = pool.sender(&server);
                for _ in 0..ALL / DRAW as u64 {
                    pool.draw(&mut vec![0; DRAW]).expect("a draw");
                    go.send(()).expect("they go on");
                    came.recv().expect("they go on");
                }
            });
            let mut pool = pool.receiver(&client);
            for _ in 0..ALL / DRAW as u64 {
                draw(pool.as_mut(), DRAW).expect("a draw");
                went.recv().expect("they go on");
                back.send(()).expect("they go on");
            }
        });
    }
}

/// A dropped line ends every later draw of both ends with an error, wherever in a round it was dropped.
#[test]
fn an_end_in_the_middle_of_a_round_is_an_error() {
    for n in [1, 1024, 1025, 100_000] {
        let pool = Pool::Silent(Small, None);
        let (ended, ()) = run(
            |connection| {
                let mut pool = pool.sender(&connection);
                // Room in the line lets the sender go on for a while.
                let ended = pool.draw(&mut vec![0; 1 << 20]).is_err();
                ended && pool.draw(&mut vec![0; 2048]).is_err()
            },
            |connection| drop(draw(pool.receiver(&connection).as_mut(), n)),
        );
        assert!(ended, "sender after {n}");
        let ((), ended) = run(
            |connection| drop(pool.sender(&connection).draw(&mut vec![0; n])),
            |connection| {
                let mut pool = pool.receiver(&connection);
                let ended = [1 << 20, 2048].map(|n| draw(pool.as_mut(), n));
                ended
                    .iter()
                    .all(|end| matches!(end, Err(Error::Channel(_))))
            },
        );
        assert!(ended, "receiver after {n}");
    }
}

/// Both ends draw over a line that alters a byte of what `from` says: the sender's end, the receiver's, and how many of
/// the correlations are right.
fn altered(from: Role, at: u64) -> (Result<u64, Error>, Result<u64, Error>, usize) {
    const N: usize = 4096;
    let line = Memory {
        relay: Some(Arc::new(Altered(from, at))),
        ..Memory::default()
    };
    let pool = Pool::Silent(Small, None);
    let (server, client) = line.pair();
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let mut pool = pool.sender(&server);
            let mut q = vec![0; N];
            let end = pool.draw(&mut q);
            if end.is_err() {
                assert!(q.iter().all(|&q| q == 0), "nothing is handed out");
                assert!(pool.draw(&mut [0]).is_err(), "the pool is dead");
            }
            (end, q, pool.delta())
        });
        let mut pool = pool.receiver(&client);
        let (mut choices, mut t) = (BitVec::zeros(N), vec![0; N]);
        let received = pool.draw(&mut choices, &mut t);
        let (sent, q, delta) = sender.join().expect("the sender does not panic");
        let is_right = |i: &usize| q[*i] ^ t[*i] == if choices.bit(*i) { delta } else { 0 };
        (sent, received, (0..N).filter(is_right).count())
    })
}

/// The base correlations are checked, as those of any SoftSpokenOT pool.
#[test]
fn an_inconsistent_base_ends_the_pool() {
    let set_up = Silent::new(Small)
        .setup_cost(Role::Server)
        .bytes_to_server();
    for at in [0, 20_000, 100_000, 150_000] {
        let (sent, received, _) = altered(Role::Client, set_up + at);
        assert!(matches!(sent, Err(Error::Inconsistent)), "{sent:?}");
        assert!(matches!(received, Err(Error::Channel(_))), "{received:?}");
    }
}

/// The messages of the rows are not checked: a false one makes false correlations, in its row only, and no error.
#[test]
fn a_false_row_spoils_itself_only() {
    let set_up = Silent::new(Small)
        .setup_cost(Role::Server)
        .bytes_to_client();
    let (sent, received, right) = altered(Role::Server, set_up + 2 * 160 + 145);
    assert!(matches!((sent, received), (Ok(0), Ok(0))));
    // One leaf of the third row is another, if not all of a subtree.
    assert!((3072..4096).contains(&right), "{right} are right");
}

/// The digest of all that both ends get from the first rows of each stage and of the second round: the same on every machine,
/// with special instructions and without.
#[test]
fn known_answers() {
    for (set, n, expected) in [
        (Small, 681 * 1024, SMALL),
        (SmallTwice, 4096, SMALL_TWICE),
        (Medium, 4096, MEDIUM),
        (Large, 8192, LARGE),
    ] {
        let pool = Pool::Silent(set, None);
        let digest = |blocks: &[Block]| {
            let little: Vec<Block> = blocks.iter().map(|block| block.to_le()).collect();
            blake3::hash(little.as_bytes()).to_hex()[..32].to_owned()
        };
        // The same session id every time: that of a pair in memory.
        let got = run(
            |connection: Connection| {
                let mut q = vec![0; n];
                pool.sender(&connection).draw(&mut q).expect("a draw");
                digest(&q)
            },
            |connection: Connection| {
                digest(
                    &draw(pool.receiver(&connection).as_mut(), n)
                        .expect("a draw")
                        .2,
                )
            },
        );
        assert_eq!([got.0, got.1], expected, "{set:?}");
    }
}

/// Digests of the sender's blocks and of the receiver's.
const SMALL: [&str; 2] = [
    "e68b6d46ab1b952fd9bb844be036dc9e",
    "10496a0304dedef26bc6be2b31e528de",
];
const SMALL_TWICE: [&str; 2] = [
    "0647a949a46f48fe4a9fa69148043315",
    "e706f064e25709101f48677f3e81d974",
];
const MEDIUM: [&str; 2] = [
    "1d6e5c0ef99d19a64087ce285abdccdf",
    "2eac90573d96f75d31a666aabe8bbdc9",
];
const LARGE: [&str; 2] = [
    "7d2392057a014cded77a7404df8116d2",
    "f3020c0dd62c9ce54ce10e0668f338c4",
];
