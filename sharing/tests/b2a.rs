//! Boolean to arithmetic.

mod common;

use channel::{Cost, Role};
use common::{LENGTHS, check_fresh, check_masks, clear, clear_bits, digit, own, run, share_bits};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::b2a;
use sharing::{B2a, Rounds};
use testkit::{bits, rng};

fn check(bits: Bits, shares: &[BitVec; 2]) {
    let protocol = B2a { bits };
    let n = shares[0].len();
    let arithmetic = run(&protocol.rounds(n), async |party| {
        protocol.run(party, own(party.role(), shares)).await
    });
    assert_eq!(clear(&arithmetic, bits), b2a(&clear_bits(shares)));
}

/// Every share of every bit, many times, so that it meets every share of the random bits.
#[test]
fn every_share_at_every_width() {
    let shares = [0, 1].map(|i| BitVec::from_fn(256, |case| digit(case, 2, i) == 1));
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
    let of = |l| B2a { bits: Bits::of(l) };
    // Two bytes of masked bits, nine products of two bytes each.
    let round = Rounds::exchange(2, 2 + 18).with_cots(9, 0);
    assert_eq!(of(17).rounds(9), round);
    assert_eq!(of(1).rounds(9), Rounds::none());
    assert_eq!(of(2).rounds(0).cost(), Cost::none());
}

#[test]
fn the_masks_are_balanced_and_fresh() {
    check_masks(&[Role::Server, Role::Client], async |party, b| {
        B2a { bits: Bits::of(3) }.run(party, b).await
    });
}

#[test]
fn the_shares_are_fresh() {
    for l in [2, 7] {
        let b2a = B2a { bits: Bits::of(l) };
        check_fresh(b2a.bits, &b2a.rounds(4096), async |party| {
            b2a.run(party, &BitVec::zeros(4096)).await
        });
    }
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
