//! Boolean to arithmetic.

mod common;

use channel::Cost;
use common::{LENGTHS, clear, clear_bits, digit, own, run, share_bits};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::B2a;
use sharing::ideal::b2a;
use testkit::{bits, rng};

fn check(bits: Bits, shares: &[BitVec; 2]) {
    let protocol = B2a { bits };
    let cost = protocol.cost(shares[0].len());
    let arithmetic = run(&cost, |s| protocol.run(s, own(s, shares)));
    assert_eq!(clear(&arithmetic, bits), b2a(&clear_bits(shares)));
}

#[test]
fn every_share_at_every_width() {
    let shares = [0, 1].map(|i| BitVec::from_fn(128, |case| digit(case, 2, i) == 1));
    for l in 1..=64 {
        check(Bits::of(l), &shares);
    }
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        let rng = &mut rng(n as u64);
        let x = bits(n, rng);
        for l in [1, 2, 9, 64] {
            check(Bits::of(l), &share_bits(rng, &x));
        }
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let cost = |l| B2a { bits: Bits::of(l) }.cost(9);
    assert_eq!(
        cost(17),
        Cost::to_server(2).then(Cost::to_client(18)).with_cots(9, 0)
    );
    assert_eq!(cost(1), Cost::none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, seed: u64) {
        let rng = &mut rng(seed);
        let x = bits(n, rng);
        check(Bits::of(l), &share_bits(rng, &x));
    }
}
