//! Every derived form computes its functionality and says exactly what it costs.

mod common;

use channel::{Cost, Role};
use common::{Pool, bits, run_form, words};
use ot::{Block, chosen_cost, cot_words_batch_cost, cot_words_cost, rot_cost};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits, packed_len};

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
    fn correlated_words_of_several_rings(
        pool in pool(),
        parts in proptest::collection::vec((length(), 1..=64_u32), 0..5),
        seed: u64,
    ) {
        let l = |i: usize| Bits::of(parts[i].1);
        let x: Vec<_> = (0..).zip(&parts).map(|(i, p)| words(seed ^ i, p.0)).collect();
        let b: Vec<_> = (0..).zip(&parts).map(|(i, p)| bits(!seed ^ i, p.0)).collect();
        let (r, y, cost) = run_form(
            pool,
            |ot, chan| {
                let x: Vec<_> = (0..).zip(&x).map(|(i, x)| (x.as_slice(), l(i))).collect();
                ot.cot_words_batch(chan, &x).expect("the protocol succeeds")
            },
            |ot, chan| {
                let b: Vec<_> = (0..).zip(&b).map(|(i, b)| (b, l(i))).collect();
                ot.cot_words_batch(chan, &b).expect("the protocol succeeds")
            },
        );
        prop_assert_eq!((r.len(), y.len()), (parts.len(), parts.len()));
        for (i, (r, y)) in r.iter().zip(&y).enumerate() {
            prop_assert_eq!((r.len(), y.len()), (parts[i].0, parts[i].0));
            for (j, (&r, &y)) in r.iter().zip(y).enumerate() {
                let expected = r.wrapping_add(x[i][j] * u64::from(b[i].bit(j)));
                prop_assert_eq!(y, l(i).reduce(expected));
                prop_assert_eq!(l(i).reduce(r), r);
            }
        }
        let shapes: Vec<_> = parts.iter().map(|&(n, l)| (n, Bits::of(l))).collect();
        prop_assert_eq!(cost, cot_words_batch_cost(&shapes, Role::Server));
    }

    /// Nothing is said until the sender offers, and then one message.
    #[test]
    fn correlated_words_with_random_choices(
        pool in pool(),
        parts in proptest::collection::vec((length(), 1..=64_u32), 0..5),
        seed: u64,
    ) {
        let shapes: Vec<_> = parts.iter().map(|&(n, l)| (n, Bits::of(l))).collect();
        let x: Vec<_> = (0..).zip(&shapes).map(|(i, p)| words(seed ^ i, p.0)).collect();
        let (r, (b, y), cost) = run_form(
            pool,
            |ot, chan| {
                let pending = ot.begin_cot_words(shapes.iter().copied());
                let pending = pending.expect("the protocol succeeds");
                assert!(chan.measured().is_silent());
                let parts: Vec<_> = x.iter().zip(&shapes).map(|(x, p)| (&x[..], p.1)).collect();
                let (r, message) = pending.offer(&parts);
                chan.send(&message).expect("it is sent");
                chan.flush().expect("it is sent");
                r
            },
            |ot, chan| {
                let pending = ot.random_cot_words(&shapes).expect("the protocol succeeds");
                assert!(chan.measured().is_silent());
                let choices: Vec<_> = pending.choices().cloned().collect();
                let mut message = vec![0; pending.message_len()];
                chan.recv(&mut message).expect("it comes");
                (choices, pending.finish(&message))
            },
        );
        prop_assert_eq!((r.len(), b.len(), y.len()), (parts.len(), parts.len(), parts.len()));
        for (i, &(n, l)) in shapes.iter().enumerate() {
            prop_assert_eq!((r[i].len(), b[i].len(), y[i].len()), (n, n, n));
            for j in 0..n {
                let expected = r[i][j].wrapping_add(x[i][j] * u64::from(b[i].bit(j)));
                prop_assert_eq!(y[i][j], l.reduce(expected));
                prop_assert_eq!(l.reduce(r[i][j]), r[i][j]);
            }
        }
        let bytes: usize = shapes.iter().map(|&(n, l)| packed_len(n, l)).sum();
        let total: usize = shapes.iter().map(|p| p.0).sum();
        prop_assert_eq!(cost, Cost::to_client(bytes as u64).with_cots(total as u64, 0));
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
fn random_shares_are_balanced() {
    let (x, b) = (vec![0; 4096], BitVec::zeros(4096));
    let (r, ..) = run_form(
        Pool::SoftSpoken(2),
        |ot, chan| {
            ot.cot_words(chan, &x, Bits::of(7))
                .expect("the protocol succeeds")
        },
        |ot, chan| {
            ot.cot_words(chan, &b, Bits::of(7))
                .expect("the protocol succeeds")
        },
    );
    for j in 0..7 {
        let ones = r.iter().filter(|&r| r >> j & 1 == 1).count();
        // Seven standard deviations.
        assert!(ones.abs_diff(2048) < 7 * 32, "{ones} of 4096");
    }
}

/// The choices are the pool's: balanced, and others in every draw.
#[test]
fn random_choices_are_balanced_and_fresh() {
    const N: usize = 4096;
    let draw = [(N, Bits::of(3))];
    let ((), choices, cost) = run_form(
        Pool::SoftSpoken(2),
        |ot, _| {
            for _ in 0..2 {
                ot.begin_cot_words(draw).expect("the protocol succeeds");
            }
        },
        |ot, _| {
            [(); 2].map(|()| {
                let pending = ot.random_cot_words(&draw).expect("the protocol succeeds");
                pending.choices().next().expect("one part").clone()
            })
        },
    );
    let [first, second] = &choices;
    for bits in [first, second, &first.xor(second)] {
        let ones = bits.iter().filter(|&bit| bit).count();
        // Seven standard deviations.
        assert!(ones.abs_diff(N / 2) < 7 * 32, "{ones} of {N}");
    }
    assert_eq!(cost, Cost::none().with_cots(2 * N as u64, 0));
}

#[test]
#[should_panic(expected = "the parts that were begun")]
fn other_parts_than_were_begun_are_our_own_bug() {
    run_form(
        Pool::Ideal,
        |ot, _| {
            let pending = ot
                .begin_cot_words([(3, Bits::of(5))])
                .expect("the protocol succeeds");
            pending.offer(&[])
        },
        |_, _| (),
    );
}

#[test]
#[should_panic(expected = "the width that was begun")]
fn another_width_than_was_begun_is_our_own_bug() {
    run_form(
        Pool::Ideal,
        |ot, _| {
            let pending = ot.begin_cot_words([(3, Bits::of(5))]);
            let pending = pending.expect("the protocol succeeds");
            pending.offer(&[(&[1, 2, 3], Bits::of(6))])
        },
        |_, _| (),
    );
}

#[test]
fn forms_follow_each_other_on_one_pool() {
    let bits8 = Bits::of(8);
    let (x, b) = (words(1, 300), bits(2, 300));
    let (r, y, _) = run_form(
        Pool::SoftSpoken(4),
        |ot, chan| {
            ot.rot(77).expect("the protocol succeeds");
            let r = ot.cot_words(chan, &x, bits8).expect("the first");
            ot.rot_bits(100, 1).expect("the protocol succeeds");
            [r, ot.cot_words(chan, &x, bits8).expect("the second")]
        },
        |ot, chan| {
            ot.rot(77).expect("the protocol succeeds");
            let y = ot.cot_words(chan, &b, bits8).expect("the first");
            ot.rot_bits(100, 1).expect("the protocol succeeds");
            [y, ot.cot_words(chan, &b, bits8).expect("the second")]
        },
    );
    assert_ne!(r[0], r[1]);
    for (r, y) in r.iter().zip(&y) {
        for i in 0..300 {
            let expected = r[i].wrapping_add(x[i] * u64::from(b.bit(i)));
            assert_eq!(y[i], bits8.reduce(expected));
        }
    }
}
