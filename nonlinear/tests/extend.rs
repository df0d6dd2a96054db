//! Extension.

mod common;

use common::{
    LENGTHS, PRICES, Shares, edge_shares, every_share, random_shares, ranges, run_signed, values,
};
use nonlinear::{Range, SignExtend, ZeroExtend, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::CotPrice;
use testkit::rng;

/// The inputs whose values lie in `range`.
fn within(inputs: &Shares, bits: Bits, range: Range) -> Shares {
    let x = values(inputs, bits);
    let pairs = inputs.0.iter().zip(&inputs.1).zip(x);
    let kept = pairs.filter(|&(_, x)| clear::is_within(bits, range, x));
    kept.map(|((&server, &client), _)| (server, client)).unzip()
}

fn check(from: Bits, to: Bits, inputs: &Shares, price: u32) {
    let zero = ZeroExtend::new(from, to, CotPrice::bits(price));
    for (range, zero) in [
        (Range::Any, zero.clone()),
        (Range::Nonnegative, zero.known_nonnegative()),
    ] {
        let inputs = within(inputs, from, range);
        let x = values(&inputs, from);
        let result = run_signed(&inputs, to, &zero.rounds(x.len()), async |party, x| {
            zero.run(party, x).await
        });
        let expected: Vec<i64> = x.iter().map(|&x| clear::zero_extend(from, to, x)).collect();
        assert_eq!(result, expected, "{zero:?}");
    }
    for range in ranges(from, 0) {
        let inputs = within(inputs, from, range);
        let x = values(&inputs, from);
        let sign = SignExtend::new(from, to, CotPrice::bits(price)).within(range);
        let result = run_signed(&inputs, to, &sign.rounds(x.len()), async |party, x| {
            sign.run(party, x).await
        });
        let expected: Vec<i64> = x.iter().map(|&x| clear::sign_extend(x)).collect();
        assert_eq!(result, expected, "{sign:?}");
    }
}

#[test]
fn every_secret_and_every_share() {
    for from in (1..=5).map(Bits::of) {
        let inputs = every_share(from);
        for to in [0, 1, 2, 5].map(|more| Bits::of(from.get() + more)) {
            for price in [0, 32] {
                check(from, to, &inputs, price);
            }
        }
    }
}

#[test]
fn the_edges_of_rings() {
    for (from, to) in [(16, 32), (31, 33), (32, 64), (63, 64), (2, 64), (64, 64)] {
        let bits = Bits::of(from);
        check(bits, Bits::of(to), &edge_shares(bits, 300, &mut rng(1)), 32);
    }
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        check(
            Bits::of(16),
            Bits::of(29),
            &random_shares(Bits::of(16), n, 4),
            32,
        );
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let cost = ZeroExtend::new(Bits::of(16), Bits::of(32), CotPrice::bits(32))
        .known_nonnegative()
        .rounds(100)
        .cost();
    assert_eq!(
        (
            cost.bytes_to_server(),
            cost.bytes_to_client(),
            cost.flights()
        ),
        (13, 200, 1)
    );
    assert_eq!((cost.cots.server_sends, cost.cots.client_sends), (100, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn any_widths_and_length(
        from in 1_u32..=64,
        more in 0_u32..64,
        n in 0_usize..200,
        price in prop::sample::select(PRICES.to_vec()),
        seed: u64,
    ) {
        let bits = Bits::of(from);
        let to = Bits::of(from + more % (65 - from));
        check(bits, to, &edge_shares(bits, n, &mut rng(seed)), price);
    }
}
