//! Products of shared values, by element and by row.

mod common;

use channel::Cost;
use common::{LENGTHS, clear, digit, own, run, run_session, share, values};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::ideal::{mul, scale_rows};
use sharing::{Mul, Rounds, ScaleRows};
use testkit::rng;

type Shares = [Vec<u64>; 2];

fn check_mul(bits: Bits, x: &Shares, y: &Shares) {
    let protocol = Mul { bits };
    let z = run(&protocol.rounds(x[0].len()), async |party| {
        let role = party.role();
        protocol.run(party, own(role, x), own(role, y)).await
    });
    assert_eq!(clear(&z, bits), mul(&clear(x, bits), &clear(y, bits), bits));
}

fn check_random(bits: Bits, n: usize, seed: u64) {
    let rng = &mut rng(seed);
    let [x, y] = [(); 2].map(|()| values(rng, n, bits));
    let (x, y) = (share(rng, &x, bits), share(rng, &y, bits));
    check_mul(bits, &x, &y);
}

fn check_gate(bits: Bits, rows: usize, width: usize, seed: u64) {
    let rng = &mut rng(seed);
    let g = values(rng, rows, bits);
    let x = values(rng, rows * width, bits);
    let (gs, xs) = (share(rng, &g, bits), share(rng, &x, bits));
    check_rows(bits, bits, width, &gs, &xs);
    for n in 1..bits.get() {
        let scalar_bits = Bits::of(n);
        let g: Vec<u64> = g.iter().map(|g| g & (scalar_bits.mask() >> 1)).collect();
        check_rows(bits, scalar_bits, width, &share(rng, &g, scalar_bits), &xs);
    }
}

fn check_rows(bits: Bits, scalar_bits: Bits, width: usize, g: &Shares, x: &Shares) {
    let protocol = ScaleRows {
        bits,
        scalar_bits,
        width,
    };
    let z = run_session(&protocol.cost(g[0].len()), |s| {
        let role = s.role();
        protocol.run(s, own(role, g), own(role, x))
    });
    let (g, x) = (clear(g, scalar_bits), clear(x, bits));
    assert_eq!(clear(&z, bits), scale_rows(&g, &x, width, bits));
}

#[test]
fn every_secret_and_every_share() {
    for l in 1..=4 {
        let size = 1_usize << l;
        let n = size.pow(4);
        let factor = |i| (0..n).map(|case| digit(case, size, i)).collect();
        check_mul(Bits::of(l), &[0, 1].map(factor), &[2, 3].map(factor));
    }
}

#[test]
fn every_narrow_scalar_and_every_share() {
    for (l, n) in (1..=4).flat_map(|l| (1..=l).map(move |n| (l, n))) {
        let (ring, scalars) = (1_usize << l, 1_usize << n);
        let cases = (0..ring * ring * scalars * scalars).map(|case| {
            let (x, g) = (case % (ring * ring), case / (ring * ring));
            [g % scalars, g / scalars, x % ring, x / ring].map(|v| v as u64)
        });
        let known = |g: &[u64; 4]| n == l || (g[0] + g[1]) % (1 << n) < 1 << (n - 1);
        let cases: Vec<[u64; 4]> = cases.filter(known).collect();
        let column = |i: usize| cases.iter().map(|case| case[i]).collect();
        let (g, x) = ([0, 1].map(column), [2, 3].map(column));
        check_rows(Bits::of(l), Bits::of(n), 1, &g, &x);
    }
}

#[test]
fn every_width_and_the_lengths_at_which_packing_turns() {
    for l in 1..=64 {
        check_random(Bits::of(l), 5, u64::from(l));
        check_gate(Bits::of(l), 2, 3, u64::from(l));
    }
    for n in LENGTHS {
        check_random(Bits::of(7), n, n as u64);
        check_gate(Bits::of(7), 3, n, n as u64);
        check_gate(Bits::of(7), n, 2, n as u64);
    }
}

/// However many there are, the rounds are two.
#[test]
fn many_products() {
    let bits = Bits::of(64);
    assert_eq!(Mul { bits }.rounds((1 << 14) + 1).cost().flights(), 2);
    check_random(bits, (1 << 14) + 65, 0);
}

#[test]
fn costs_are_what_the_documentation_says() {
    let bits = Bits::of(3);
    // 9·3, 9·2 and 9·1 bits.
    let rounds = Rounds::exchange(4, 4).then(Rounds::exchange(9, 9));
    assert_eq!(Mul { bits }.rounds(9), rounds.with_cots(27, 27));

    let rows = 4 * (4 + 3 + 2);
    let flights = Cost::to_server(2)
        .then(Cost::to_client(rows + 2))
        .then(Cost::to_server(rows));
    let gate = ScaleRows {
        bits,
        scalar_bits: bits,
        width: 9,
    };
    assert_eq!(gate.cost(4), flights.with_cots(12, 12));

    let rows = 4 * (4 + 3);
    let flights = Cost::to_server(1)
        .then(Cost::to_client(rows + 1))
        .then(Cost::to_server(rows));
    let scalar_bits = Bits::of(2);
    let gate = ScaleRows {
        scalar_bits,
        ..gate
    };
    assert_eq!(gate.cost(4), flights.with_cots(8, 8));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..200, width in 1_usize..40, seed: u64) {
        check_random(Bits::of(l), n, seed);
        check_gate(Bits::of(l), n / width, width, seed);
    }
}
