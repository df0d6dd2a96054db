//! Comparison.

mod common;

use common::{LENGTHS, PRICES, Shares, bits_of, every_share, random_shares, run};
use nonlinear::{Millionaire, SplitMillionaire};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{CotPrice, Rounds};

fn check(protocol: Millionaire, bits: Bits, inputs: &Shares) {
    let greater = run(
        inputs,
        &protocol.rounds(inputs.0.len()),
        async |party, x| protocol.run(party, x).await,
    );
    let clear = |(&x, &y): (&u64, &u64)| bits.reduce(x) > bits.reduce(y);
    let expected: Vec<bool> = inputs.0.iter().zip(&inputs.1).map(clear).collect();
    assert_eq!(bits_of(&greater), expected, "{protocol:?}");
}

fn check_split(protocol: SplitMillionaire, bits: Bits, low: u32, inputs: &Shares) {
    let (server, client) = run(
        inputs,
        &protocol.rounds(inputs.0.len()),
        async |party, x| protocol.run(party, x).await,
    );
    let pairs = || inputs.0.iter().zip(&inputs.1);
    let whole: Vec<bool> = pairs()
        .map(|(&x, &y)| bits.reduce(x) > bits.reduce(y))
        .collect();
    assert_eq!(
        bits_of(&(server.whole, client.whole)),
        whole,
        "{protocol:?}"
    );
    let mask = (1_u64 << low) - 1;
    let lows: Vec<bool> = pairs().map(|(&x, &y)| x & mask > y & mask).collect();
    assert_eq!(bits_of(&(server.low, client.low)), lows, "{protocol:?}");
}

/// Digits of `radix` bits, and one of the rest.
fn uniform(bits: u32, radix: u32) -> Vec<u32> {
    let digits = (0..bits).step_by(radix as usize);
    digits.map(|at| radix.min(bits - at)).collect()
}

#[test]
fn every_pair_of_small_numbers_in_every_radix() {
    for bits in (1..=6).map(Bits::of) {
        let inputs = every_share(bits);
        for radix in 1..=4 {
            check(
                Millionaire::with_digits(&uniform(bits.get(), radix)),
                bits,
                &inputs,
            );
        }
        for price in PRICES {
            check(Millionaire::new(bits, CotPrice::bits(price)), bits, &inputs);
        }
    }
}

/// Numbers that agree above every bit, and so do the carries.
#[test]
fn every_width_at_every_price_and_pace() {
    for bits in (1..=64).map(Bits::of) {
        let (x, mut y) = random_shares(bits, 130, 3);
        for (i, (x, y)) in (0..).zip(x.iter().zip(&mut y)) {
            *y = *x ^ y.checked_shr(i % (bits.get() + 1)).unwrap_or(0);
        }
        let inputs = (x, y);
        for price in [0, 1, 8, 16, 32, 128].map(CotPrice::bits) {
            check(Millionaire::new(bits, price), bits, &inputs);
            check(Millionaire::leisurely(bits, price), bits, &inputs);
        }
    }
}

#[test]
fn every_pair_of_small_numbers_at_every_split() {
    for bits in (1..=5).map(Bits::of) {
        let inputs = every_share(bits);
        for low in 0..=bits.get() {
            for price in [0, 32] {
                check_split(
                    SplitMillionaire::new(bits, low, CotPrice::bits(price)),
                    bits,
                    low,
                    &inputs,
                );
            }
        }
    }
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        for l in [1, 5, 31, 64] {
            let bits = Bits::of(l);
            let inputs = random_shares(bits, n, 1);
            check(Millionaire::new(bits, CotPrice::bits(0)), bits, &inputs);
            check(Millionaire::new(bits, CotPrice::bits(32)), bits, &inputs);
        }
        let bits = Bits::of(32);
        check_split(
            SplitMillionaire::new(bits, 12, CotPrice::bits(32)),
            bits,
            12,
            &random_shares(bits, n, 2),
        );
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    // Digits of 4, 4 and 3 bits: messages of 15, 29 and 13 bits; three nodes meet at two levels.
    let protocol = Millionaire::with_digits(&uniform(11, 4));
    let cost = protocol.rounds(100).cost();
    let segments: Vec<_> = cost
        .segments()
        .map(|s| (s.to_server, s.to_client))
        .collect();
    assert_eq!(segments, [(138, 0), (0, 713), (25, 25), (25, 25)]);
    assert_eq!(
        (cost.cots.server_sends, cost.cots.client_sends),
        (1300, 200)
    );
    assert_eq!(protocol.rounds(0), Rounds::none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Numbers that agree in their high bits, so that every digit decides somewhere.
    #[test]
    fn any_width_length_and_price(
        l in 1_u32..=64,
        n in 0_usize..200,
        price in prop::sample::select(PRICES.to_vec()),
        low in 0_u32..64,
        seed: u64,
    ) {
        let bits = Bits::of(l);
        let (x, mut y) = random_shares(bits, n, seed);
        for (i, (x, y)) in (0..).zip(x.iter().zip(&mut y)) {
            let equal = bits.get() - i % (bits.get() + 1);
            *y = *x ^ y.checked_shr(equal).unwrap_or(0);
        }
        let inputs = (x, y);
        check(Millionaire::new(bits, CotPrice::bits(price)), bits, &inputs);
        let low = low % l;
        check_split(SplitMillionaire::new(bits, low, CotPrice::bits(price)), bits, low, &inputs);
    }
}
