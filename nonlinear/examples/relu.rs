//! `ReLU` and faithful truncation of shared values, both parties in this process over loopback TCP:
//! bytes, flights and CPU time.
//!
//! `cargo run --release -p blindray-nonlinear --example relu -- 1048576 silent`, or with `softspoken`, which is the default.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::time::Instant;

use channel::Connection;
use nonlinear::{Error, Relu, TruncFaithful, clear};
use ot::{Silent, SilentSet};
use ring_arith::Bits;
use sharing::{Extension, Party, Rounds, Session, default_extension};
use testkit::{elements, reconstruct, rng, run_tcp, seed, share};

const BITS: Bits = Bits::of(32);
const SHIFT: u32 = 12;

fn main() {
    let n = std::env::args()
        .nth(1)
        .map_or(1 << 16, |n| n.parse().expect("a number of values"));
    let silent = Silent::new(SilentSet::SmallTwice);
    let extension: &dyn Extension = match std::env::args().nth(2).as_deref() {
        None | Some("softspoken") => default_extension(),
        Some("silent") => &silent,
        Some(other) => panic!("no extension is called {other}"),
    };
    let price = extension.price();
    println!("{extension:?}");
    let (relu, truncation) = (
        Relu::new(BITS, price),
        TruncFaithful::new(BITS, SHIFT, price),
    );

    let mut rng = rng(1);
    let x = elements(n, BITS, &mut rng);
    let rectified = |x: i64| clear::relu(x);
    measure(
        "ReLU",
        extension,
        &x,
        rectified,
        &relu.rounds(n),
        async |party, x| relu.run(party, x).await,
    );
    let truncated = |x: i64| clear::truncate(x, SHIFT);
    measure(
        "truncation by 12",
        extension,
        &x,
        truncated,
        &truncation.rounds(n),
        async |party, x| truncation.run(party, x).await,
    );
}

/// Runs both parties on fresh shares of `x`, checks the results and says what they took.
fn measure(
    name: &str,
    extension: &dyn Extension,
    x: &[u64],
    expected: impl Fn(i64) -> i64,
    rounds: &Rounds,
    protocol: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, Error> + Sync,
) {
    let (server, client) = share(x, BITS, &mut rng(2));
    let party = |connection: &Connection, number: u64, x: &[u64]| {
        let mut s =
            Session::establish(connection, seed(number), extension).expect("the set-up succeeds");
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let y = s.run(async |party| protocol(party, x).await);
        let y = y.expect("the protocol succeeds");
        let refill = s.refill_ledgers().into_iter().flatten();
        let refill: u64 = refill.map(|ledger| ledger.measured().bytes()).sum();
        (y, s.measured(), refill, cpu, start.elapsed())
    };
    let (server, client) = run_tcp(
        |connection| party(&connection, 3, &server),
        |connection| party(&connection, 4, &client),
    );
    let (y, cost, refill, cpu, wall) = server;
    let cpu = cpu_seconds() - cpu.max(client.3);
    assert_eq!(cost, rounds.cost(), "a cost is exact");
    let result = reconstruct(&y, &client.0, BITS);
    let right = |(&x, &y): (&u64, &u64)| BITS.to_signed(y) == expected(BITS.to_signed(x));
    assert!(x.iter().zip(&result).all(right), "the values are right");

    let n = x.len() as f64;
    let per_value = |bytes: u64| 8.0 * bytes as f64 / n;
    println!("{name} of {} values mod 2^{BITS}", x.len());
    println!(
        "  to server {} bytes, to client {} bytes, {} flights: {:.1} bits per value",
        cost.bytes_to_server(),
        cost.bytes_to_client(),
        cost.flights(),
        per_value(cost.bytes()),
    );
    println!(
        "  {:.1} COTs per value; set-up and refill {refill} bytes: {:.1} bits per value",
        cost.cots.total() as f64 / n,
        per_value(refill),
    );
    println!(
        "  both parties {cpu:.2} CPU-seconds, {:.2} s",
        wall.as_secs_f64()
    );
}

/// User and system time of this process so far; 0 where there is no /proc. Its clock ticks are
/// hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold spaces.
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / 100.0
}
