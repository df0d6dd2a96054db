//! Selection by a shared bit.

mod common;

use channel::Cost;
use common::{
    LENGTHS, balanced, clear, clear_bits, digit, opened_last, own, run, share, share_bits, values,
};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::mux;
use sharing::{Mux, OpenBits, Rounds};
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

    // The bits are opened and shared anew after the first step, before the second.
    let early = protocol.prepare_rounds(n).then(OpenBits.rounds(n));
    let early = early.then(protocol.select_rounds(n));
    let z = run(&early, async |party| {
        let role = party.role();
        let masked = protocol.prepare(party, own(role, x)).await?;
        let b = OpenBits.run(party, own(role, choices)).await?;
        let zeros = BitVec::zeros(n);
        let b = if role.is_server() { &b } else { &zeros };
        masked.select(party, b).await
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
    let prepared = Rounds::exchange(6, 6).with_cots(9, 9);
    assert_eq!(protocol.prepare_rounds(9), prepared);
    assert_eq!(protocol.select_rounds(9), Rounds::exchange(2, 2));
    assert_eq!(protocol.rounds(9), prepared.then(Rounds::exchange(2, 2)));
    assert_eq!(protocol.rounds(0).cost(), Cost::none());
}

/// However many there are, the rounds are two.
#[test]
fn many_values() {
    check_random(Bits::of(3), (1 << 17) + 65, 0);
}

/// What a selection by zeros opens is the random bits.
fn random_bits(seed: u64, n: usize) -> BitVec {
    opened_last(seed, n, async |party| {
        let protocol = Mux { bits: Bits::of(3) };
        let (b, x) = (BitVec::zeros(n), vec![5; n]);
        protocol.run(party, &b, &x).await.map(drop)
    })
}

#[test]
fn the_random_bits_are_balanced_and_fresh() {
    let (first, second) = (random_bits(1, 4096), random_bits(2, 4096));
    assert!(balanced(&first) && balanced(&second));
    assert!(balanced(&first.xor(&second)));
}

#[test]
#[should_panic(expected = "one bit per value")]
fn a_value_without_a_bit_is_our_own_bug() {
    run(&Rounds::none(), async |party| {
        let masked = Mux { bits: Bits::of(3) }.prepare(party, &[1; 8]).await?;
        masked.select(party, &BitVec::zeros(7)).await
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, seed: u64) {
        check_random(Bits::of(l), n, seed);
    }
}
