//! Selection by a shared bit.

mod common;

use channel::Cost;
use common::{LENGTHS, clear, clear_bits, digit, own, run, share, share_bits, values};
use ot::SUPER_TILE;
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::Mux;
use sharing::ideal::mux;
use testkit::{bits, rng};

fn check(bits: Bits, choices: &[BitVec; 2], x: &[Vec<u64>; 2]) {
    let protocol = Mux { bits };
    let cost = protocol.cost(x[0].len());
    let z = run(&cost, |s| protocol.run(s, own(s, choices), own(s, x)));
    assert_eq!(clear(&z, bits), mux(&clear_bits(choices), &clear(x, bits)));
}

fn check_random(ring: Bits, n: usize, seed: u64) {
    let rng = &mut rng(seed);
    let (b, x) = (bits(n, rng), values(rng, n, ring));
    let choices = share_bits(rng, &b);
    check(ring, &choices, &share(rng, &x, ring));
}

/// Every secret with every share of it, four times.
#[test]
fn every_secret_and_every_share() {
    for l in 1..=4 {
        let size = 1_usize << l;
        let n = 16 * size * size;
        let choices = [0, 1].map(|i| BitVec::from_fn(n, |case| digit(case, 2, i) == 1));
        let values = [0, 1].map(|i| (0..n).map(|case| digit(case / 4, size, i)).collect());
        check(Bits::of(l), &choices, &values);
    }
}

#[test]
fn every_width_and_the_lengths_at_which_packing_turns() {
    for l in 1..=64 {
        check_random(Bits::of(l), 65, u64::from(l));
    }
    for n in LENGTHS {
        check_random(Bits::of(13), n, n as u64);
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let protocol = Mux { bits: Bits::of(5) };
    let expected = Cost::exchange(2, 2)
        .then(Cost::exchange(6, 6))
        .with_cots(9, 9);
    assert_eq!(protocol.cost(9), expected);
    assert_eq!(protocol.cost(SUPER_TILE + 1).flights(), 4);
    assert_eq!(protocol.cost(0), Cost::none());
}

#[test]
fn more_than_a_super_tile() {
    check_random(Bits::of(3), SUPER_TILE + 65, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, seed: u64) {
        check_random(Bits::of(l), n, seed);
    }
}
