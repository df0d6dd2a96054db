//! Extension of channels whose signs the server knows.

mod common;

use channel::Role;
use common::{
    LENGTHS, Shares, bits_per_value, edge_shares, every_share, random_shares, run, signed, values,
};
use nonlinear::{ChannelExtend, ChannelSigns, Chunked, SignedRelu, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{CotPrice, Session};
use testkit::{Transcript, rng, run_sessions_over};

const WHOLE: Chunked = Chunked::new(1 << 16);

/// What [`SignedRelu`] leaves of inputs: where the value has not the sign that is kept, it becomes 0.
fn rectified(inputs: &Shares, bits: Bits, signs: &[i32]) -> Shares {
    let plane = inputs.0.len().checked_div(signs.len()).unwrap_or(0);
    let value = |i: usize, x: i64| clear::signed_relu(bits, signs[i / plane], 0, x);
    let x = values(inputs, bits).into_iter().enumerate();
    let x: Vec<u64> = x.map(|(i, x)| bits.from_signed(value(i, x))).collect();
    let server = ring_arith::slices::sub(bits, &x, &inputs.1);
    (server, inputs.1.clone())
}

fn check(from: Bits, to: Bits, chunks: Chunked, signs: &[i32], inputs: &Shares) {
    let inputs = rectified(inputs, from, signs);
    let x = values(&inputs, from);
    let step = ChannelExtend::new(from, to, chunks);
    let (server, client) = run(&inputs, &step.rounds(x.len()), async |party, x| {
        step.run(party, x, channels(party.role(), signs)).await
    });
    let expected: Vec<i64> = x.iter().map(|&x| clear::sign_extend(x)).collect();
    assert_eq!(
        signed(&server, &client, to),
        expected,
        "{step:?} of {signs:?}"
    );
}

/// The signs, at the server.
fn channels(role: Role, signs: &[i32]) -> Option<ChannelSigns<'_>> {
    let shifts = &[0; 16][..signs.len()];
    role.is_server().then_some(ChannelSigns { signs, shifts })
}

/// Both ends of the range are among the secrets, and 0 on either side.
#[test]
fn every_secret_and_every_share_of_every_sign() {
    for from in (1..=6).map(Bits::of) {
        for to in [0, 1, 2, 5].map(|more| Bits::of(from.get() + more)) {
            for sign in [0, -1] {
                check(from, to, WHOLE, &[sign], &every_share(from));
            }
        }
    }
}

#[test]
fn after_the_rectifier_of_every_secret_share_sign_and_shift() {
    let price = CotPrice::bits(32);
    for from in (2..=4).map(Bits::of) {
        let (inputs, to) = (every_share(from), Bits::of(from.get() + 4));
        let (relu, extend) = (
            SignedRelu::new(from, WHOLE, price),
            ChannelExtend::new(from, to, WHOLE),
        );
        let n = inputs.0.len();
        for sign in [0, -1] {
            for shift in from.min_signed()..=from.max_signed() {
                let (signs, shifts) = (&[sign], &[shift]);
                let parameters = ChannelSigns { signs, shifts };
                let rounds = relu.rounds(n).then(extend.rounds(n));
                let (server, client) = run(&inputs, &rounds, async |party, x| {
                    let channels = party.role().is_server().then_some(parameters);
                    let y = relu.run(party, x, channels).await?;
                    extend.run(party, &y, channels).await
                });
                let x = values(&inputs, from).into_iter();
                let expected: Vec<i64> = x
                    .map(|x| clear::signed_relu(from, sign, shift, x))
                    .collect();
                assert_eq!(signed(&server, &client, to), expected, "{sign} {shift}");
            }
        }
    }
}

#[test]
fn channels_and_chunks_do_not_meet() {
    let (from, to) = (Bits::of(12), Bits::of(21));
    for (channels, plane) in [(1, 1), (3, 5), (4, 16), (7, 9)] {
        let inputs = edge_shares(from, channels * plane, &mut rng(9));
        let signs: Vec<i32> = (0..channels).map(|c| -i32::from(c % 2 == 1)).collect();
        for chunk in [1, 4, 7, 1 << 10] {
            check(from, to, Chunked::new(chunk), &signs, &inputs);
        }
    }
}

#[test]
fn the_lengths_at_which_packing_turns() {
    for n in LENGTHS {
        let inputs = random_shares(Bits::of(16), n, 4);
        check(Bits::of(16), Bits::of(29), WHOLE, &[-1], &inputs);
    }
    check(Bits::of(16), Bits::of(29), WHOLE, &[], &(vec![], vec![]));
}

#[test]
#[should_panic(expected = "3 signs and 3 shifts for 7 values")]
fn channels_that_do_not_divide_the_values_are_refused() {
    let inputs = random_shares(Bits::of(8), 7, 1);
    let step = ChannelExtend::new(Bits::of(8), Bits::of(9), WHOLE);
    run(&inputs, &step.rounds(7), async |party, x| {
        step.run(party, x, channels(party.role(), &[0; 3])).await
    });
}

#[test]
fn costs_are_what_the_documentation_says() {
    let step = ChannelExtend::new(Bits::of(16), Bits::of(32), Chunked::new(100));
    let rounds = step.rounds(100);
    let cost = rounds.cost();
    assert_eq!(
        (cost.bytes_to_server(), cost.bytes_to_client()),
        (13, 16 * 100 / 8)
    );
    assert_eq!(rounds.len(), 1);
    assert_eq!((cost.cots.server_sends, cost.cots.client_sends), (100, 0));
    assert_eq!(step.rounds(300).cost().bytes(), 3 * cost.bytes());
    // One bit, and one for each that is missing.
    let step = ChannelExtend::new(Bits::of(15), Bits::of(25), WHOLE);
    assert!((bits_per_value(&step.rounds(1 << 10), 1 << 10, 0) - 11.0).abs() < 1e-9);
}

/// What the client says, digest and length of both directions, and the client's results.
fn client_sees(inputs: &Shares, signs: &[i32], seed: u64) -> (String, [u64; 2], Vec<u64>) {
    let step = ChannelExtend::new(Bits::of(3), Bits::of(5), WHOLE);
    let transcript = Transcript::new();
    let party = |s: &mut Session, x: &[u64]| {
        let channels = channels(s.role(), signs);
        let y = s.run(async |party| step.run(party, x, channels).await);
        y.expect("an honest run succeeds")
    };
    let (_, results, cost) = run_sessions_over(
        &transcript.line(),
        seed,
        |s| party(s, &inputs.0),
        |s| party(s, &inputs.1),
    );
    let lengths = [cost.bytes_to_server(), cost.bytes_to_client()];
    (transcript.digest(Role::Client), lengths, results)
}

#[test]
fn the_signs_change_neither_what_the_client_says_nor_how_much_it_hears() {
    let inputs = random_shares(Bits::of(3), 120, 1);
    let [positive, negative, mixed] =
        [[0; 4], [-1; 4], [0, -1, -1, 0]].map(|signs| client_sees(&inputs, &signs, 5));
    for other in [negative, mixed] {
        assert_eq!((&positive.0, positive.1), (&other.0, other.1));
    }
}

/// Whatever the two shares and the sign, the number that the client takes out of the COT is uniform.
#[test]
fn what_the_client_gets_is_uniform() {
    let (from, n) = (Bits::of(3), 4096);
    for (server, client) in [(0, 0), (1, 2), (2, 6), (6, 3), (4, 4), (7, 5)] {
        for sign in [0, -1] {
            let inputs = (vec![server; n], vec![client; n]);
            let (_, _, shares) = client_sees(&inputs, &[sign], server + 8 * client);
            let own = from.to_signed(client).cast_unsigned();
            let mut counts = [0_usize; 4];
            for share in shares {
                let wrap = share.wrapping_sub(own) >> from.get() & 3;
                counts[usize::try_from(wrap).expect("below 4")] += 1;
            }
            // 1024 expected, standard deviation 28.
            let even = counts.iter().all(|c| (850..1200).contains(c));
            assert!(even, "{server} {client} {sign}: {counts:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_widths_and_channels(
        from in 1_u32..=64,
        more in 0_u32..64,
        plane in 0_usize..60,
        signs in prop::collection::vec(-1_i32..1, 1..6),
        chunk in prop::sample::select(vec![1_usize, 64, 1000]),
        seed: u64,
    ) {
        let (bits, to) = (Bits::of(from), Bits::of(from + more % (65 - from)));
        let inputs = edge_shares(bits, plane * signs.len(), &mut rng(seed));
        check(bits, to, Chunked::new(chunk), &signs, &inputs);
    }
}
