//! Every derived form computes its functionality and says exactly what it costs.

mod common;

use channel::Role;
use common::{Pool, bits, run_form, words};
use ot::{Block, chosen_cost, cot_words_cost, leaves_cost, rot_cost};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};

/// Lengths around the tiles and words.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(127),
        Just(128),
        Just(129),
        Just(1024),
        0..2500_usize
    ]
}

fn pool() -> impl Strategy<Value = Pool> {
    prop_oneof![5 => Just(Pool::Ideal), 1 => (1..=8_u32).prop_map(Pool::SoftSpoken)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_keys(pool in pool(), n in length()) {
        let (pairs, (choices, keys), cost) = run_form(
            pool,
            |ot, _| ot.rot(n).expect("the protocol succeeds"),
            |ot, _| ot.rot(n).expect("the protocol succeeds"),
        );
        prop_assert_eq!(pairs.len(), n);
        for (i, (pair, key)) in pairs.iter().zip(&keys).enumerate() {
            prop_assert_eq!(pair[usize::from(choices.bit(i))], *key);
            prop_assert_ne!(pair[0], pair[1]);
        }
        prop_assert_eq!(cost, rot_cost(n, Role::Server));
    }

    #[test]
    fn random_bits(pool in pool(), n in length(), width in 0..5_usize) {
        let (planes, (choices, chosen), cost) = run_form(
            pool,
            |ot, _| ot.rot_bits(n, width).expect("the protocol succeeds"),
            |ot, _| ot.rot_bits(n, width).expect("the protocol succeeds"),
        );
        prop_assert_eq!(chosen.len(), width);
        for p in 0..width {
            let selected = planes[0][p].xor(&planes[0][p].xor(&planes[1][p]).and(&choices));
            prop_assert_eq!(&selected, &chosen[p]);
            if n > 128 {
                prop_assert_ne!(&planes[0][p], &planes[1][p]);
            }
        }
        prop_assert_eq!(cost, rot_cost(n, Role::Server));
    }

    #[test]
    fn random_words(pool in pool(), n in length(), l in 1..=64_u32) {
        let l = Bits::of(l);
        let (pairs, (choices, chosen), cost) = run_form(
            pool,
            |ot, _| ot.rot_words(n, l).expect("the protocol succeeds"),
            |ot, _| ot.rot_words(n, l).expect("the protocol succeeds"),
        );
        for (i, &word) in chosen.iter().enumerate() {
            prop_assert_eq!(pairs[usize::from(choices.bit(i))][i], word);
            prop_assert_eq!(l.reduce(word), word);
        }
        prop_assert_eq!(cost, rot_cost(n, Role::Server));
    }

    #[test]
    fn correlated_words(pool in pool(), n in length(), l in 1..=64_u32, seed: u64) {
        let l = Bits::of(l);
        let (x, b) = (words(seed, n), bits(!seed, n));
        let (r, y, cost) = run_form(
            pool,
            |ot, chan| ot.cot_words(chan, &x, l).expect("the protocol succeeds"),
            |ot, chan| ot.cot_words(chan, &b, l).expect("the protocol succeeds"),
        );
        prop_assert_eq!(r.len(), n);
        for i in 0..n {
            let expected = r[i].wrapping_add(x[i] * u64::from(b.bit(i)));
            prop_assert_eq!(y[i], l.reduce(expected));
            prop_assert_eq!(l.reduce(r[i]), r[i]);
        }
        prop_assert_eq!(cost, cot_words_cost(n, l, Role::Server));
    }

    #[test]
    fn chosen_messages(pool in pool(), n in length(), seed: u64) {
        let w = words(seed, 4 * n);
        let block = |i: usize| Block::from(w[i]) << 64 | Block::from(w[i + 1]);
        let messages: Vec<[Block; 2]> = (0..n).map(|i| [block(4 * i), block(4 * i + 2)]).collect();
        let b = bits(!seed, n);
        let ((), got, cost) = run_form(
            pool,
            |ot, chan| ot.chosen(chan, &messages).expect("the protocol succeeds"),
            |ot, chan| ot.chosen(chan, &b).expect("the protocol succeeds"),
        );
        for (i, &got) in got.iter().enumerate() {
            prop_assert_eq!(got, messages[i][usize::from(b.bit(i))]);
        }
        prop_assert_eq!(cost, chosen_cost(n, Role::Server));
    }

    #[test]
    fn leaf_tables(
        pool in pool(),
        m in length(),
        (k, width) in (1..=6_u32).prop_flat_map(|k| (Just(k), 1..=(64 >> k).min(9_u32))),
        seed: u64,
    ) {
        let tables = words(seed, m);
        let values: Vec<u8> = words(!seed, m).iter().map(|w| w.to_le_bytes()[0] % (1 << k)).collect();
        let (s, c, cost) = run_form(
            pool,
            |ot, chan| ot.leaves(chan, k, width, &tables).expect("the protocol succeeds"),
            |ot, chan| ot.leaves(chan, k, width, &values).expect("the protocol succeeds"),
        );
        prop_assert_eq!((s.len(), c.len()), (width as usize, width as usize));
        for p in 0..width {
            let opened = s[p as usize].xor(&c[p as usize]);
            for i in 0..m {
                let expected = tables[i] >> (u32::from(values[i]) * width + p) & 1 == 1;
                prop_assert_eq!(opened.bit(i), expected);
            }
        }
        prop_assert_eq!(cost, leaves_cost(m, k, width, Role::Server));
    }
}

/// Every table of k = 1 and 2 with every value, in one batch each.
#[test]
fn every_small_table() {
    for (k, width) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let (tables, values): (Vec<u64>, Vec<u8>) = (0..1_u64 << (width << k))
            .flat_map(|table| (0..1_u8 << k).map(move |value| (table, value)))
            .unzip();
        let (s, c, _) = run_form(
            Pool::Ideal,
            |ot, chan| {
                ot.leaves(chan, k, width, &tables)
                    .expect("the protocol succeeds")
            },
            |ot, chan| {
                ot.leaves(chan, k, width, &values)
                    .expect("the protocol succeeds")
            },
        );
        for (i, (table, value)) in tables.iter().zip(&values).enumerate() {
            for (p, (s, c)) in (0..).zip(s.iter().zip(&c)) {
                let expected = table >> (u32::from(*value) * width + p) & 1 == 1;
                assert_eq!(s.bit(i) ^ c.bit(i), expected);
            }
        }
    }
}

/// Every correlation mod 2^l with every choice, l <= 6.
#[test]
fn every_small_correlation() {
    for l in 1..=6 {
        let x: Vec<u64> = (0..2 << l).map(|i| i / 2).collect();
        let b = BitVec::from_fn(x.len(), |i| i % 2 == 1);
        let l = Bits::of(l);
        let (r, y, _) = run_form(
            Pool::SoftSpoken(1),
            |ot, chan| ot.cot_words(chan, &x, l).expect("the protocol succeeds"),
            |ot, chan| ot.cot_words(chan, &b, l).expect("the protocol succeeds"),
        );
        for i in 0..x.len() {
            assert_eq!(y[i], l.reduce(r[i] + x[i] * u64::from(b.bit(i))));
        }
    }
}

#[test]
fn shares_are_balanced() {
    let (tables, values) = (vec![0; 4096], vec![5; 4096]);
    let (s, ..) = run_form(
        Pool::SoftSpoken(2),
        |ot, chan| {
            ot.leaves(chan, 3, 2, &tables)
                .expect("the protocol succeeds")
        },
        |ot, chan| {
            ot.leaves(chan, 3, 2, &values)
                .expect("the protocol succeeds")
        },
    );
    for plane in s {
        let ones = plane.iter().filter(|&bit| bit).count();
        // Seven standard deviations.
        assert!(ones.abs_diff(2048) < 7 * 32, "{ones} of 4096");
    }
}

#[test]
fn forms_follow_each_other_on_one_pool_and_its_children() {
    let bits8 = Bits::of(8);
    let (x, b) = (words(1, 300), bits(2, 300));
    let (r, y, _) = run_form(
        Pool::SoftSpoken(4),
        |ot, chan| {
            ot.rot(77).expect("the protocol succeeds");
            let mut child = ot.detach(300).expect("a child is split off");
            ot.rot_bits(100, 1).expect("the protocol succeeds");
            let r = child
                .cot_words(chan, &x, bits8)
                .expect("the protocol succeeds");
            assert!(child.rot(1).is_err());
            (
                r,
                ot.cot_words(chan, &x, bits8)
                    .expect("the protocol succeeds"),
            )
        },
        |ot, chan| {
            ot.rot(77).expect("the protocol succeeds");
            let mut child = ot.detach(300).expect("a child is split off");
            ot.rot_bits(100, 1).expect("the protocol succeeds");
            let y = child
                .cot_words(chan, &b, bits8)
                .expect("the protocol succeeds");
            assert!(child.rot(1).is_err());
            (
                y,
                ot.cot_words(chan, &b, bits8)
                    .expect("the protocol succeeds"),
            )
        },
    );
    for (r, y) in [(&r.0, &y.0), (&r.1, &y.1)] {
        for i in 0..300 {
            let expected = r[i].wrapping_add(x[i] * u64::from(b.bit(i)));
            assert_eq!(y[i], bits8.reduce(expected));
        }
    }
}
