//! Boolean to arithmetic.

mod common;

use channel::Cost;
use common::{LENGTHS, balanced, clear, clear_bits, digit, opened_last, own, run, share_bits};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::b2a;
use sharing::{B2a, OpenBits, Rounds};
use testkit::{bits, rng};

fn check(bits: Bits, shares: &[BitVec; 2]) {
    let protocol = B2a { bits };
    let n = shares[0].len();
    let arithmetic = run(&protocol.rounds(n), async |party| {
        protocol.run(party, own(party.role(), shares)).await
    });
    assert_eq!(clear(&arithmetic, bits), b2a(&clear_bits(shares)));

    // The bits are opened and shared anew after the first step, before the second.
    let early = protocol.prepare_rounds(n).then(OpenBits.rounds(n));
    let early = early.then(protocol.convert_rounds(n));
    let arithmetic = run(&early, async |party| {
        let random = protocol.prepare(party, n).await?;
        let b = OpenBits.run(party, own(party.role(), shares)).await?;
        let zeros = BitVec::zeros(n);
        let b = if party.role().is_server() { &b } else { &zeros };
        random.convert(party, b).await
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
    let prepared = Rounds::to_client(18).with_cots(9, 0);
    assert_eq!(of(17).prepare_rounds(9), prepared);
    assert_eq!(of(17).convert_rounds(9), Rounds::exchange(2, 2));
    assert_eq!(of(17).rounds(9), prepared.then(Rounds::exchange(2, 2)));
    assert_eq!(of(1).rounds(9), Rounds::none());
    assert_eq!(of(2).rounds(0).cost(), Cost::none());
}

/// What a conversion of zeros opens is the random bits.
fn random_bits(seed: u64, n: usize) -> BitVec {
    opened_last(seed, n, async |party| {
        let protocol = B2a { bits: Bits::of(3) };
        protocol.run(party, &BitVec::zeros(n)).await.map(drop)
    })
}

#[test]
fn the_random_bits_are_balanced_and_fresh() {
    let (first, second) = (random_bits(1, 4096), random_bits(2, 4096));
    assert!(balanced(&first) && balanced(&second));
    assert!(balanced(&first.xor(&second)));
}

#[test]
#[should_panic(expected = "as many bits as were prepared")]
fn other_bits_than_were_prepared_are_our_own_bug() {
    run(&Rounds::none(), async |party| {
        let random = B2a { bits: Bits::of(3) }.prepare(party, 8).await?;
        random.convert(party, &BitVec::zeros(9)).await
    });
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
