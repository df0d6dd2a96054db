//! Two parties make correlated OTs silently, each on its own thread; prints what they cost.
//!
//! `cargo run --release -p blindray-ot --example silent -- large 20`, with a set and millions of correlations

#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::time::{Duration, Instant};

use channel::{Connection, Cost, REFILL_SERVER_SENDS, memory_pair};
use ot::{Block, Error, RcotReceiver, RcotSender, Silent, SilentReceiver, SilentSender, SilentSet};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::BitVec;

/// Correlations of one draw.
const DRAW: usize = 1 << 14;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let set = match arguments.next().as_deref() {
        Some("twice") => SilentSet::SmallTwice,
        Some("medium") => SilentSet::Medium,
        Some("large") => SilentSet::Large,
        _ => SilentSet::Small,
    };
    let millions = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(4);
    let (silent, draws) = (Silent::new(set), millions * 1_000_000 / DRAW);
    let (server, client) = memory_pair(1 << 20);
    let (sent, received) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&server, silent, draws));
        let received = receive(&client, silent, draws);
        (sender.join().expect("the sender does not panic"), received)
    });
    let (((q, delta, costs), sent), (choice, t, received)) = (sent?, received?);
    assert_eq!(q ^ t, if choice { delta } else { 0 });
    let n = draws * DRAW;
    println!("{n} correlations, the last of which is right");
    for (name, cost) in costs {
        println!(
            "{name:8} {:9} bytes, {:.3} bits each",
            cost.bytes(),
            cost.bytes() as f64 * 8.0 / n as f64
        );
    }
    for (name, [begin, rest]) in [("sender", sent), ("receiver", received)] {
        let each = rest.as_secs_f64() * 1e9 / (n - DRAW) as f64;
        println!("{name:8} {begin:.1?} for the first draw, then {each:.1} ns each");
    }
    Ok(())
}

/// The CPU time of this thread, or the wall time where the system does not tell.
fn cpu(start: Instant) -> Duration {
    // Brings the counter up to date.
    std::thread::yield_now();
    let spent = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
    };
    spent().unwrap_or_else(|| start.elapsed())
}

/// The CPU time of the first draw, and of all others.
type Times = [Duration; 2];

/// The last correlation, Δ, and what each phase said.
type Sent = (Block, Block, Vec<(String, Cost)>);

fn timed(draws: usize, mut draw: impl FnMut() -> Result<(), Error>) -> Result<Times, Error> {
    let (start, begin) = (Instant::now(), cpu(Instant::now()));
    draw()?;
    let first = cpu(start);
    for _ in 1..draws {
        draw()?;
    }
    Ok([first - begin, cpu(start) - first])
}

fn send(connection: &Connection, silent: Silent, draws: usize) -> Result<(Sent, Times), Error> {
    let refill = connection.open(REFILL_SERVER_SENDS)?;
    // A real party seeds its generator from the operating system.
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut pool = SilentSender::setup(refill, silent, &connection.session_id(), &mut rng)?;
    let mut q = vec![0; DRAW];
    let times = timed(draws, || pool.draw(&mut q).map(drop))?;
    let ledger = pool.ledger().expect("a real pool has a channel");
    let costs = ledger
        .phases()
        .iter()
        .map(|p| (p.name().to_owned(), p.cost().clone()))
        .collect();
    Ok(((q[DRAW - 1], pool.delta(), costs), times))
}

fn receive(
    connection: &Connection,
    silent: Silent,
    draws: usize,
) -> Result<(bool, Block, Times), Error> {
    let refill = connection.open(REFILL_SERVER_SENDS)?;
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut pool = SilentReceiver::setup(refill, silent, &connection.session_id(), &mut rng)?;
    let (mut choices, mut t) = (BitVec::zeros(DRAW), vec![0; DRAW]);
    let times = timed(draws, || pool.draw(&mut choices, &mut t).map(drop))?;
    Ok((choices.bit(DRAW - 1), t[DRAW - 1], times))
}
