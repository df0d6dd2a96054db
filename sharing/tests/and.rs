//! Products of shared bits.

mod common;

use channel::Cost;
use common::{LENGTHS, clear_bits, digit, own, run, share_bits};
use proptest::prelude::*;
use ring_arith::BitVec;
use sharing::ideal::and;
use sharing::{And, AndEach, AndLevel, Rounds};
use testkit::{bits, rng};

/// Times every case is repeated, so that it meets every value of the random OTs.
const REPEAT: usize = 64;

#[test]
fn every_secret_and_every_share() {
    let plane = |i| BitVec::from_fn(64 * REPEAT, |case| digit(case, 2, i) == 1);
    let [a, b, c] = [
        [plane(0), plane(1)],
        [plane(2), plane(3)],
        [plane(4), plane(5)],
    ];
    let n = a[0].len();

    let z = run(&And.rounds(n), async |party| {
        let role = party.role();
        And.run(party, own(role, &a), own(role, &b)).await
    });
    assert_eq!(clear_bits(&z), and(&clear_bits(&a), &clear_bits(&b)));

    let pairs = run(&AndLevel.rounds(0, n), async |party| {
        let [a, b, c] = [&a, &b, &c].map(|shares| own(party.role(), shares));
        AndLevel.run(party, &[], &[(a, b, c)]).await
    });
    let [server, client] = pairs.map(|(_, mut pairs)| pairs.remove(0));
    let (first, second) = ([server.0, client.0], [server.1, client.1]);
    assert_eq!(clear_bits(&first), and(&clear_bits(&a), &clear_bits(&b)));
    assert_eq!(clear_bits(&second), and(&clear_bits(&a), &clear_bits(&c)));
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        let rng = &mut rng(n as u64);
        let (x, y) = (bits(n, rng), bits(n, rng));
        let (xs, ys) = (share_bits(rng, &x), share_bits(rng, &y));
        let z = run(&And.rounds(n), async |party| {
            let role = party.role();
            And.run(party, own(role, &xs), own(role, &ys)).await
        });
        assert_eq!(clear_bits(&z), and(&x, &y));
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let expected = Rounds::exchange(4, 4).with_cots(12, 12);
    assert_eq!(AndLevel.rounds(5, 7), expected);
    assert_eq!(AndLevel.rounds(0, 0).cost(), Cost::none());
    // Five bits for each of seven factors.
    let expected = Rounds::exchange(5, 5).with_cots(7, 7);
    assert_eq!(AndEach.rounds(4, 7), expected);
    assert_eq!(AndEach.rounds(0, 7), Rounds::none());
}

#[test]
#[should_panic(expected = "differ in length")]
fn many_factors_of_different_lengths_are_our_own_bug() {
    let _ = run(&Rounds::none(), async |party| {
        let y = [BitVec::zeros(1), BitVec::zeros(2)];
        AndEach.run(party, &BitVec::zeros(1), &y).await
    });
}

#[test]
#[should_panic(expected = "129 products")]
fn more_products_than_a_random_ot_has_bits_are_our_own_bug() {
    let _ = run(&Rounds::none(), async |party| {
        let y = vec![BitVec::zeros(1); AndEach::MAX_WIDTH + 1];
        AndEach.run(party, &BitVec::zeros(1), &y).await
    });
}

#[test]
#[should_panic(expected = "differ in length")]
fn factors_of_different_lengths_are_our_own_bug() {
    let _ = run(&Rounds::none(), async |party| {
        And.run(party, &BitVec::zeros(1), &BitVec::zeros(2)).await
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_level_of_singles_and_pairs(
        singles in prop::collection::vec(0_usize..150, 0..4),
        pairs in prop::collection::vec(0_usize..150, 0..4),
        seed: u64,
    ) {
        let rounds = AndLevel.rounds(singles.iter().sum(), pairs.iter().sum());
        let rng = &mut rng(seed);
        let mut fresh = |n| {
            let x = bits(n, rng);
            let shares = share_bits(rng, &x);
            (x, shares)
        };
        let singles: Vec<_> = singles.into_iter().map(|n| [fresh(n), fresh(n)]).collect();
        let pairs: Vec<_> = pairs.into_iter().map(|n| [fresh(n), fresh(n), fresh(n)]).collect();
        let [server, client] = run(&rounds, async |party| {
            let role = party.role();
            let one: Vec<_> = singles.iter().map(|[x, y]| (own(role, &x.1), own(role, &y.1))).collect();
            let two: Vec<_> = pairs
                .iter()
                .map(|[a, b, c]| (own(role, &a.1), own(role, &b.1), own(role, &c.1)))
                .collect();
            AndLevel.run(party, &one, &two).await
        });
        for (i, [x, y]) in singles.iter().enumerate() {
            prop_assert_eq!(server.0[i].xor(&client.0[i]), and(&x.0, &y.0));
        }
        for (i, [a, b, c]) in pairs.iter().enumerate() {
            let (at_server, at_client) = (&server.1[i], &client.1[i]);
            prop_assert_eq!(at_server.0.xor(&at_client.0), and(&a.0, &b.0));
            prop_assert_eq!(at_server.1.xor(&at_client.1), and(&a.0, &c.0));
        }
    }

    #[test]
    fn one_factor_for_each(width in 0_usize..=128, n in 0_usize..150, seed: u64) {
        let rng = &mut rng(seed);
        let mut fresh = || {
            let x = bits(n, rng);
            let shares = share_bits(rng, &x);
            (x, shares)
        };
        let x = fresh();
        let y: Vec<_> = (0..width).map(|_| fresh()).collect();
        let [server, client] = run(&AndEach.rounds(width, n), async |party| {
            let role = party.role();
            let own: Vec<BitVec> = y.iter().map(|y| own(role, &y.1).clone()).collect();
            AndEach.run(party, common::own(role, &x.1), &own).await
        });
        prop_assert_eq!(server.len(), width);
        for (i, y) in y.iter().enumerate() {
            prop_assert_eq!(server[i].xor(&client[i]), and(&x.0, &y.0));
        }
    }
}
