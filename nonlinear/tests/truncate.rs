//! Truncation.

mod common;

use common::{
    LENGTHS, PRICES, Shares, bits_per_value, edge_shares, every_share, random_shares, ranges,
    run_signed, values,
};
use nonlinear::{Range, TruncFaithful, TruncReduce, ZeroExtend, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{CotPrice, Rounds};
use testkit::{elements, rng, share};

/// The inputs whose values lie in `range`.
fn within(inputs: &Shares, bits: Bits, range: Range) -> Shares {
    let x = values(inputs, bits);
    let pairs = inputs.0.iter().zip(&inputs.1).zip(x);
    let kept = pairs.filter(|&(_, x)| clear::is_within(bits, range, x));
    kept.map(|((&server, &client), _)| (server, client)).unzip()
}

fn check(bits: Bits, shift: u32, inputs: &Shares, price: u32) {
    for range in ranges(bits, shift) {
        let inputs = within(inputs, bits, range);
        let x = values(&inputs, bits);
        let protocol = TruncFaithful::new(bits, shift, CotPrice::bits(price)).within(range);
        let rounds = protocol.rounds(x.len());
        let result = run_signed(&inputs, bits, &rounds, async |party, x| {
            protocol.run(party, x).await
        });
        let expected: Vec<i64> = x.iter().map(|&x| clear::truncate(x, shift)).collect();
        assert_eq!(result, expected, "{protocol:?}");
    }
    let x = values(inputs, bits);
    let protocol = TruncReduce::new(bits, shift, true, CotPrice::bits(price));
    let output = protocol.output_bits();
    let result = run_signed(
        inputs,
        output,
        &protocol.rounds(x.len()),
        async |party, x| protocol.run(party, x).await,
    );
    let expected: Vec<i64> = x.iter().map(|&x| clear::truncate(x, shift)).collect();
    assert_eq!(result, expected, "{protocol:?}");
}

#[test]
fn every_secret_every_share_and_every_shift() {
    for bits in (1..=5).map(Bits::of) {
        let inputs = every_share(bits);
        for shift in 0..bits.get() {
            for price in [0, 32] {
                check(bits, shift, &inputs, price);
            }
        }
    }
}

#[test]
fn the_edges_of_rings() {
    for l in [6, 16, 31, 32, 33, 63, 64] {
        let bits = Bits::of(l);
        let inputs = edge_shares(bits, 300, &mut rng(l.into()));
        for shift in [1, 2, l / 2, l - 2, l - 1] {
            check(bits, shift, &inputs, 32);
        }
    }
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        let bits = Bits::of(32);
        check(bits, 12, &random_shares(bits, n, 4), 32);
    }
}

#[test]
fn a_faithful_truncation_of_32_bits_by_12_costs_less_than_2600_bits() {
    let n = 1 << 16;
    let protocol = TruncFaithful::new(Bits::of(32), 12, CotPrice::bits(32));
    let all = bits_per_value(&protocol.rounds(n), n, 32);
    assert!(all < 2600.0, "{all} bits");
    // Leaves, levels, and the last step in which the two bits become numbers.
    assert_eq!(protocol.rounds(n).len(), 2 + 4 + 1);
    let known = protocol.within(Range::Nonnegative).rounds(n);
    assert!(bits_per_value(&known, n, 32) < 1000.0);
}

#[test]
fn the_local_form_sends_nothing() {
    let protocol = TruncReduce::new(Bits::of(32), 12, false, CotPrice::bits(32));
    assert_eq!(protocol.rounds(100), Rounds::none());
    assert_eq!(protocol.output_bits(), Bits::of(20));
}

fn index(x: u64) -> usize {
    x.try_into().expect("a small number")
}

/// For every value, over all of its sharings: floor(x / 2^d) + 1 in exactly x mod 2^d out of 2^d
/// cases, floor(x / 2^d) else. That is the law, not a sample of it.
#[test]
fn the_local_form_obeys_its_law_exactly_over_all_shares() {
    for bits in (1..=6).map(Bits::of) {
        let inputs = every_share(bits);
        let x = values(&inputs, bits);
        for shift in 0..bits.get() {
            let protocol = TruncReduce::new(bits, shift, false, CotPrice::bits(0));
            let output = protocol.output_bits();
            let none = Rounds::none();
            let result = run_signed(&inputs, output, &none, async |party, x| {
                protocol.run(party, x).await
            });
            let mut above = vec![0_u64; 1 << bits.get()];
            for (&x, &result) in x.iter().zip(&result) {
                let floor = clear::truncate(x, shift);
                let is_above = result != floor;
                assert_eq!(result, clear::narrow(output, floor + i64::from(is_above)));
                above[index(bits.from_signed(x))] += u64::from(is_above);
                let in_range = x <= bits.max_signed() + 1 - (1 << shift);
                if in_range {
                    assert!(
                        (0..=1).contains(&(result - floor)),
                        "{x} by {shift} in {bits}"
                    );
                    assert!(
                        x < 0 || result >= 0,
                        "{x} by {shift} in {bits} became negative"
                    );
                }
            }
            for (x, &above) in above.iter().enumerate() {
                let remainder = x as u64 & ((1 << shift) - 1);
                assert_eq!(
                    above << shift,
                    remainder << bits.get(),
                    "{x} by {shift} in {bits}"
                );
            }
        }
    }
}

/// The same at full width, as a sample: within six standard deviations of the law.
#[test]
fn the_local_form_obeys_its_law_on_fresh_shares() {
    let (bits, shift, n) = (Bits::of(32), 12, 20_000);
    let mut rng = rng(9);
    for x in [
        0,
        1,
        4095,
        4096,
        2048,
        -1,
        -4095,
        -4096,
        123_456_789,
        -987_654_321_i64,
    ] {
        let inputs = share(&vec![bits.from_signed(x); n], bits, &mut rng);
        let protocol = TruncReduce::new(bits, shift, false, CotPrice::bits(32));
        let output = protocol.output_bits();
        let none = Rounds::none();
        let result = run_signed(&inputs, output, &none, async |party, x| {
            protocol.run(party, x).await
        });
        let floor = clear::truncate(x, shift);
        assert!(result.iter().all(|y| (0..=1).contains(&(y - floor))));
        let above = result.iter().filter(|&&y| y != floor).count() as f64;
        let p = x.rem_euclid(4096) as f64 / 4096.0;
        let n = n as f64;
        assert!(
            (above - n * p).abs() <= 6.0 * (n * p * (1.0 - p)).sqrt(),
            "{x}: {above} of {n}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_width_shift_and_length(
        l in 2_u32..=64,
        shift in 0_u32..64,
        n in 0_usize..200,
        price in prop::sample::select(PRICES.to_vec()),
        seed: u64,
    ) {
        let bits = Bits::of(l);
        let mut rng = rng(seed);
        let inputs = edge_shares(bits, n, &mut rng);
        check(bits, shift % l, &inputs, price);
        // Quotients that end at a multiple, where the carry decides.
        let d = shift % l;
        let x = elements(n, bits, &mut rng);
        let x: Vec<u64> = x.iter().map(|x| x >> d << d).collect();
        check(bits, d, &share(&x, bits, &mut rng), price);
    }
}

/// A value of known sign in the same ring, at most one above the quotient.
#[test]
fn the_local_form_and_an_extension_by_known_sign_divide() {
    for bits in (2..=6).map(Bits::of) {
        for shift in 1..bits.get() - 1 {
            let inputs = within(&every_share(bits), bits, Range::Nonnegative);
            // Above that the error may lead out of the half of the ring.
            let most = bits.max_signed() - (1 << shift) + 1;
            let small = values(&inputs, bits).into_iter().map(|x| x <= most);
            let shares = inputs.0.iter().zip(&inputs.1).zip(small);
            let inputs: Shares = shares
                .filter_map(|((&server, &client), small)| small.then_some((server, client)))
                .unzip();
            let x = values(&inputs, bits);
            let reduce = TruncReduce::new(bits, shift, false, CotPrice::FREE);
            let back = ZeroExtend::new(reduce.output_bits(), bits, CotPrice::FREE);
            let back = back.known_nonnegative();
            let result = run_signed(&inputs, bits, &back.rounds(x.len()), async |party, x| {
                back.run(party, &reduce.run(party, x).await?).await
            });
            for (x, y) in x.into_iter().zip(result) {
                let error = y - clear::truncate(x, shift);
                assert!(
                    error == 0 || error == 1,
                    "{x} / 2^{shift} in {bits} bits: {y}"
                );
            }
        }
    }
}
