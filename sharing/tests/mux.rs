//! Selection by a shared bit.

mod common;

use channel::{Cost, Role};
use common::{
    LENGTHS, check_fresh, check_masks, clear, clear_bits, digit, own, run, share, share_bits,
    values,
};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::mux;
use sharing::{Mux, Rounds};
use testkit::{bits, rng};

fn check(bits: Bits, choices: &[BitVec; 2], x: &[Vec<u64>; 2]) {
    let protocol = Mux { bits };
    let n = x[0].len();
    let expected = mux(&clear_bits(choices), &clear(x, bits));
    let z = run(&protocol.rounds(n), async |party| {
        let role = party.role();
        protocol.run(party, own(role, choices), own(role, x)).await
    });
    assert_eq!(clear(&z, bits), expected);
}

fn check_random(ring: Bits, n: usize, seed: u64) {
    let rng = &mut rng(seed);
    let (b, x) = (bits(n, rng), values(rng, n, ring));
    let choices = share_bits(rng, &b);
    check(ring, &choices, &share(rng, &x, ring));
}

/// Every secret with every share of it, many times, so that it meets every share of the random bits.
#[test]
fn every_secret_and_every_share() {
    for l in 1..=4 {
        let size = 1_usize << l;
        let n = 128 * size * size;
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
    // Nine products of five bits each, two bytes of masked bits.
    let round = Rounds::exchange(6 + 2, 6 + 2).with_cots(9, 9);
    assert_eq!(protocol.rounds(9), round);
    assert_eq!(protocol.rounds(0).cost(), Cost::none());
}

/// However many there are, the round is one.
#[test]
fn many_values() {
    let (bits, n) = (Bits::of(3), (1 << 17) + 65);
    assert_eq!(Mux { bits }.rounds(n).len(), 1);
    check_random(bits, n, 0);
}

#[test]
fn the_masks_are_balanced_and_fresh() {
    let mux = Mux { bits: Bits::of(3) };
    check_masks(&[Role::Server, Role::Client], async |party, b| {
        mux.run(party, b, &vec![5; b.len()]).await
    });
}

#[test]
fn the_shares_are_fresh() {
    let mux = Mux { bits: Bits::of(5) };
    for bit in [false, true] {
        check_fresh(mux.bits, &mux.rounds(4096), async |party| {
            let b = BitVec::from_fn(4096, |_| bit && party.role().is_server());
            mux.run(party, &b, &[5; 4096]).await
        });
    }
}

#[test]
#[should_panic(expected = "one bit per value")]
fn a_value_without_a_bit_is_our_own_bug() {
    let _ = run(&Rounds::none(), async |party| {
        let mux = Mux { bits: Bits::of(3) };
        mux.run(party, &BitVec::zeros(7), &[1; 8]).await
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, seed: u64) {
        check_random(Bits::of(l), n, seed);
    }
}
