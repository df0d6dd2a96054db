//! Clipping, rectifiers with secret signs, and protocols in chunks.

mod common;

use common::{LENGTHS, PRICES, Shares, edge_shares, every_share, run, run_signed, signed, values};
use nonlinear::{ChannelSigns, Chunked, Clip, Relu, SignedRelu, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{CotPrice, Party};
use testkit::rng;

fn check_clip(bits: Bits, top: i64, inputs: &Shares) {
    for price in PRICES {
        let clip = Clip::new(bits, top, CotPrice::bits(price));
        let result = run_signed(
            inputs,
            bits,
            &clip.rounds(inputs.0.len()),
            async |party, x| clip.run(party, x).await,
        );
        let expected = values(inputs, bits).into_iter();
        let expected: Vec<i64> = expected.map(|x| clear::clip(top, x)).collect();
        assert_eq!(result, expected, "{clip:?}");
    }
}

#[test]
fn every_secret_and_every_share_is_clipped() {
    for bits in (2..=5).map(Bits::of) {
        let inputs = every_share(bits);
        for top in 1..=bits.max_signed() {
            check_clip(bits, top, &inputs);
        }
    }
}

#[test]
#[should_panic(expected = "a bound of 8 mod 2^4")]
fn a_bound_beyond_the_ring_is_refused() {
    let _ = Clip::new(Bits::of(4), 8, CotPrice::FREE);
}

/// Runs whole channels, with the parameters at the server.
fn check_signed(bits: Bits, chunk: usize, signs: &[i32], shifts: &[i64], inputs: &Shares) {
    let step = SignedRelu::new(bits, Chunked::new(chunk), CotPrice::bits(32));
    let n = inputs.0.len();
    let (server, client) = run(inputs, &step.rounds(n), async |party, x| {
        let server = party.role().is_server();
        let channels = server.then_some(ChannelSigns { signs, shifts });
        step.run(party, x, channels).await
    });
    let plane = n.checked_div(signs.len()).unwrap_or(0);
    let value = |(i, &x): (usize, &i64)| {
        let channel = i / plane;
        clear::signed_relu(bits, signs[channel], shifts[channel], x)
    };
    let expected: Vec<i64> = (values(inputs, bits).iter().enumerate())
        .map(value)
        .collect();
    assert_eq!(signed(&server, &client, bits), expected, "{step:?}");
}

#[test]
fn every_secret_and_every_share_of_every_sign_and_shift() {
    for bits in (2..=4).map(Bits::of) {
        let inputs = every_share(bits);
        for sign in [0, -1] {
            for shift in bits.min_signed()..=bits.max_signed() {
                check_signed(bits, 1 << 10, &[sign], &[shift], &inputs);
            }
        }
    }
}

#[test]
fn channels_and_chunks_do_not_meet() {
    let bits = Bits::of(12);
    for (channels, plane) in [(1, 1), (3, 5), (4, 16), (7, 9)] {
        let inputs = edge_shares(bits, channels * plane, &mut rng(9));
        let signs: Vec<i32> = (0..channels).map(|c| -i32::from(c % 2 == 1)).collect();
        let shifts: Vec<i64> = (0..channels)
            .map(|c| 100 * i64::try_from(c).expect("small") - 150)
            .collect();
        for chunk in [1, 4, 7, 1 << 10] {
            check_signed(bits, chunk, &signs, &shifts, &inputs);
        }
    }
}

#[test]
fn no_channels_have_no_values() {
    check_signed(Bits::of(8), 4, &[], &[], &(Vec::new(), Vec::new()));
}

#[test]
#[should_panic(expected = "3 signs and 3 shifts for 7 values")]
fn channels_that_do_not_divide_the_values_are_refused() {
    let inputs = edge_shares(Bits::of(8), 7, &mut rng(1));
    check_signed(Bits::of(8), 100, &[0; 3], &[0; 3], &inputs);
}

/// A chunked protocol is the protocol: the same values, and as much traffic as its pieces.
#[test]
fn chunks_of_a_protocol() {
    let bits = Bits::of(9);
    let relu = Relu::new(bits, CotPrice::bits(32));
    for n in LENGTHS {
        let inputs = edge_shares(bits, n, &mut rng(n as u64));
        for size in [1, 64, 1000, 4000] {
            if n > 300 * size {
                continue;
            }
            let chunks = Chunked::new(size);
            let rounds = chunks.rounds(n, |n| relu.rounds(n));
            let pieces = (0..n).step_by(size).map(|at| relu.rounds(size.min(n - at)));
            let bytes: u64 = pieces.map(|piece| piece.cost().bytes()).sum();
            assert_eq!(rounds.cost().bytes(), bytes);
            let result = run_signed(&inputs, bits, &rounds, async |party, x| {
                let relu = async |party: &Party<'_>, x: &[u64]| relu.run(party, x).await;
                chunks.run(party, x, relu).await
            });
            let expected = values(&inputs, bits).into_iter();
            let expected: Vec<i64> = expected.map(clear::relu).collect();
            assert_eq!(result, expected, "{n} in chunks of {size}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_ring(l in 2_u32..=64, at in 0_usize..9, top: u32, sign in -1_i32..1, shift: i64, seed: u64) {
        let bits = Bits::of(l);
        let inputs = edge_shares(bits, LENGTHS[at].min(300), &mut rng(seed));
        check_clip(bits, i64::from(top).clamp(1, bits.max_signed()), &inputs);
        if !inputs.0.is_empty() {
            check_signed(bits, 100, &[sign], &[shift], &inputs);
        }
    }
}
