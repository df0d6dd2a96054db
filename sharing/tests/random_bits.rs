//! Random bits, shared in both ways.

mod common;

use channel::Cost;
use common::{LENGTHS, check_fresh, clear, clear_bits, run};
use ring_arith::Bits;
use sharing::{RandomBits, Rounds};

#[test]
fn numbers_are_the_bits() {
    for l in 1..=64 {
        let bits = Bits::of(l);
        for n in LENGTHS.into_iter().filter(|&n| l < 4 || n < 200) {
            let drawn = run(&RandomBits::rounds(n, bits), async |party| {
                let drawn = RandomBits::draw(party, n, bits)?;
                let own = drawn.bits().clone();
                Ok((own, drawn.numbers(party).await?))
            });
            let [server, client] = drawn;
            let found = clear_bits(&[server.0, client.0]);
            assert_eq!(clear(&[server.1, client.1], bits), found.to_values());
        }
    }
}

/// Either party's bits are balanced, and so is what they stand for.
#[test]
fn they_are_random() {
    let n = 4096;
    for l in [1, 5] {
        let drawn = run(&RandomBits::rounds(n, Bits::of(l)), async |party| {
            let drawn = RandomBits::draw(party, n, Bits::of(l))?;
            let own = drawn.bits().clone();
            drawn.numbers(party).await?;
            Ok(own)
        });
        let both = drawn[0].xor(&drawn[1]);
        for bits in drawn.iter().chain([&both]) {
            let ones = bits.iter().filter(|&bit| bit).count();
            // Six deviations of 32.
            assert!(ones.abs_diff(n / 2) < 192, "{ones} of {n}");
        }
    }
}

#[test]
fn the_shares_are_fresh() {
    let bits = Bits::of(5);
    check_fresh(bits, &RandomBits::rounds(4096, bits), async |party| {
        RandomBits::draw(party, 4096, bits)?.numbers(party).await
    });
}

#[test]
fn costs_are_what_the_documentation_says() {
    let round = Rounds::to_client(18).with_cots(9, 0);
    assert_eq!(RandomBits::rounds(9, Bits::of(17)), round);
    assert_eq!(RandomBits::rounds(9, Bits::of(1)), Rounds::none());
    assert_eq!(RandomBits::rounds(0, Bits::of(9)).cost(), Cost::none());
}
