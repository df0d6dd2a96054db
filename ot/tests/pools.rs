//! Every pool is a pool of random correlated OTs.

mod common;

use channel::{Cost, Role};
use common::{Pool, run};
use ot::{Block, Extension, RcotReceiver, RcotSender, SilentSet, SoftSpoken};
use ring_arith::BitVec;

const BATCH: usize = SoftSpoken::BATCH;

/// How many are drawn at a time in the conformance test.
const DRAWS: [usize; 9] = [0, 1, 127, 128, 129, 5000, BATCH, 2 * BATCH + 3, 64];

type Sent = (u64, Vec<Block>);
type Received = (u64, BitVec, Vec<Block>);

fn draw_sender(pool: &mut dyn RcotSender, n: usize) -> Sent {
    let mut q = vec![0; n];
    (pool.draw(&mut q).expect("a draw succeeds"), q)
}

fn draw_receiver(pool: &mut dyn RcotReceiver, n: usize) -> Received {
    // Overwritten, whatever was there.
    let mut choices = BitVec::from_fn(n, |i| i % 3 == 0);
    let mut t = vec![1; n];
    (
        pool.draw(&mut choices, &mut t).expect("a draw succeeds"),
        choices,
        t,
    )
}

fn conforms(kind: Pool) {
    let total = DRAWS.iter().sum::<usize>() as u64;
    let ((delta, sent), received) = run(
        |connection| {
            let mut pool = kind.sender(&connection);
            let sent: Vec<Sent> = DRAWS.map(|n| draw_sender(pool.as_mut(), n)).into();
            assert_eq!(pool.drawn(), total);
            (pool.delta(), sent)
        },
        |connection| {
            let mut pool = kind.receiver(&connection);
            let received: Vec<Received> = DRAWS.map(|n| draw_receiver(pool.as_mut(), n)).into();
            assert_eq!(pool.drawn(), total);
            received
        },
    );
    check(delta, &sent, &received);
}

fn check(delta: Block, sent: &[Sent], received: &[Received]) {
    assert_eq!(sent.len(), received.len());
    let (mut next, mut ones) = (0, 0_u64);
    let mut seen = std::collections::HashSet::new();
    for ((first, q), (other, choices, t)) in sent.iter().zip(received) {
        assert_eq!((*first, *other), (next, next), "indices are consecutive");
        next += q.len() as u64;
        for (i, (&q, &t)) in q.iter().zip(t).enumerate() {
            assert_eq!(q ^ t, if choices.bit(i) { delta } else { 0 });
            assert!(seen.insert(q), "correlations are fresh");
            ones += u64::from(choices.bit(i));
        }
    }
    // Within seven standard deviations of a half.
    assert!(
        (2 * ones).abs_diff(next).pow(2) < 49 * next,
        "{ones} of {next} choices are one"
    );
    assert!((30..=98).contains(&delta.count_ones()));
}

#[test]
fn ideal_pool_conforms() {
    conforms(Pool::Ideal);
}

#[test]
fn softspoken_pools_conform() {
    for k in 1..=8 {
        conforms(Pool::SoftSpoken(k));
    }
}

#[test]
fn silent_pools_conform() {
    use SilentSet::{Large, Medium, Small, SmallTwice};
    for set in [Small, SmallTwice, Medium, Large] {
        for announced in [None, Some(1), Some(200_000)] {
            conforms(Pool::Silent(set, announced));
        }
    }
}

#[test]
fn set_up_and_refills_cost_what_they_say() {
    for k in 1..=8 {
        for n in [0, 1, BATCH, BATCH + 1, 3 * BATCH] {
            let (measured, other) = run(
                |connection| {
                    let mut pool = Pool::SoftSpoken(k).sender(&connection);
                    draw_sender(pool.as_mut(), n);
                    phases(pool.ledger().expect("a real pool has a channel"))
                },
                |connection| {
                    let mut pool = Pool::SoftSpoken(k).receiver(&connection);
                    // The partition of a draw does not matter.
                    draw_receiver(pool.as_mut(), n / 2);
                    draw_receiver(pool.as_mut(), n - n / 2);
                    phases(pool.ledger().expect("a real pool has a channel"))
                },
            );
            let extension = SoftSpoken::new(k);
            let expected = [
                ("setup".to_owned(), extension.setup_cost(Role::Server)),
                (
                    "refill".to_owned(),
                    extension.refill_cost(n as u64, Role::Server),
                ),
            ];
            assert_eq!(measured, expected);
            assert_eq!(other, expected);
        }
    }
}

fn phases(ledger: &channel::Ledger) -> Vec<(String, Cost)> {
    ledger
        .phases()
        .iter()
        .filter(|phase| ["setup", "refill"].contains(&phase.name()))
        .map(|phase| (phase.name().to_owned(), phase.cost().clone()))
        .collect()
}
