//! Runs of a protocol on shares, checked against its cost.
#![allow(dead_code, reason = "each test uses a part")]

use nonlinear::{Error, Range};
use ring_arith::{BitVec, Bits};
use sharing::{Party, Rounds, Session};
use testkit::{TestRng, edges, elements, rng, run_sessions, share};

/// Lengths around the sizes of bytes, words and tiles.
pub(crate) const LENGTHS: [usize; 9] = [0, 1, 63, 64, 65, 127, 128, 129, 2050];

/// What a COT may cost: silent OT, `SoftSpoken` with k = 8 and 4, IKNP.
pub(crate) const PRICES: [u32; 4] = [0, 16, 32, 128];

/// The server's and the client's inputs.
pub(crate) type Shares = (Vec<u64>, Vec<u64>);

/// What may be known of values that are cut by `shift`: the least and the greatest ranges, and some between.
pub(crate) fn ranges(bits: Bits, shift: u32) -> Vec<Range> {
    let (low, step) = (bits.min_signed(), 1_i64 << shift);
    let steps = |n: i64| n.checked_mul(step);
    let from = [
        steps(0),
        steps(-1),
        steps(-3),
        low.checked_add(step),
        Some(low),
    ];
    let from = from.into_iter().flatten();
    let from = from.filter(|from| (low..=0).contains(from));
    let mut ranges = vec![Range::Any, Range::Nonnegative];
    ranges.extend((shift + 2 <= bits.get()).then_some(Range::Half));
    ranges.extend(from.map(Range::From));
    ranges
}

/// Runs both parties, and asserts that they took `rounds`, and spent what these cost.
pub(crate) fn run<T: Send>(
    inputs: &Shares,
    rounds: &Rounds,
    protocol: impl AsyncFn(&Party<'_>, &[u64]) -> Result<T, Error> + Sync,
) -> (T, T) {
    let party = |s: &mut Session, x: &[u64]| {
        let outcome = s.run(async |party| {
            let y = protocol(party, x).await?;
            Ok::<_, Error>((y, party.round()))
        });
        outcome.expect("an honest run succeeds")
    };
    let (server, client, measured) = run_sessions(
        inputs.0.len() as u64,
        |s| party(s, &inputs.0),
        |s| party(s, &inputs.1),
    );
    assert_eq!([server.1, client.1], [rounds.len() as u64; 2]);
    assert_eq!(measured, rounds.cost());
    (server.0, client.0)
}

/// As [`run`], for a protocol from shares to shares; checks that they are canonical and returns
/// the signed values.
pub(crate) fn run_signed(
    inputs: &Shares,
    output: Bits,
    rounds: &Rounds,
    protocol: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, Error> + Sync,
) -> Vec<i64> {
    let (server, client) = run(inputs, rounds, protocol);
    signed(&server, &client, output)
}

/// The signed values that canonical shares stand for.
pub(crate) fn signed(server: &[u64], client: &[u64], bits: Bits) -> Vec<i64> {
    assert!(
        server.iter().chain(client).all(|&x| x == bits.reduce(x)),
        "shares are canonical"
    );
    let values = testkit::reconstruct(server, client, bits);
    values.iter().map(|&x| bits.to_signed(x)).collect()
}

/// Every pair of shares.
pub(crate) fn every_share(bits: Bits) -> Shares {
    let ring = 0..=bits.mask();
    ring.clone()
        .flat_map(|server| ring.clone().map(move |client| (server, client)))
        .unzip()
}

/// Values at the edges of the ring and of `part`, in shares at the same edges, then random ones
/// up to `n` in all.
pub(crate) fn edge_shares(bits: Bits, n: usize, random: &mut TestRng) -> Shares {
    let edges = edges(bits);
    let mut values = Vec::new();
    let mut client = Vec::new();
    for (i, &value) in edges.iter().enumerate() {
        for k in 0..4 {
            values.push(value);
            client.push(edges[(i * 7 + k * 13) % edges.len()]);
        }
    }
    values.truncate(n);
    client.truncate(n);
    let rest = n - values.len();
    values.extend(elements(rest, bits, random));
    client.extend(elements(rest, bits, random));
    (ring_arith::slices::sub(bits, &values, &client), client)
}

/// Random values in random shares.
pub(crate) fn random_shares(bits: Bits, n: usize, seed: u64) -> Shares {
    let mut rng = rng(seed);
    let values = elements(n, bits, &mut rng);
    share(&values, bits, &mut rng)
}

/// The signed values of inputs.
pub(crate) fn values(inputs: &Shares, bits: Bits) -> Vec<i64> {
    signed(&inputs.0, &inputs.1, bits)
}

/// The bits that boolean shares stand for.
pub(crate) fn bits_of((server, client): &(BitVec, BitVec)) -> Vec<bool> {
    testkit::reconstruct_bits(server, client).iter().collect()
}

/// Bits on the wire per value, both ways, with COTs at this price.
pub(crate) fn bits_per_value(rounds: &Rounds, n: usize, cot_price: u64) -> f64 {
    let cost = rounds.cost();
    let bits = 8 * cost.bytes() + cot_price * cost.cots.total();
    bits as f64 / n as f64
}
