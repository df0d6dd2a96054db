//! A documented limit: security is against parties that keep to the protocol. A client that makes its public key otherwise learns from the
//! results that it is shown.

use super::*;
use crate::crt::round_to_bits;
use crate::public::{self, NONCE};
use crate::random::Purpose;
use crate::wire::write_residues;
use ring_arith::{Bits, unpack};

/// Coefficients of u that one result gives: 3^16 is below 2^26.
const TRITS: usize = 16;

/// b = e − a·s + round(q/2^l)·m makes b·u part of the result: y + m·u modulo 2^l. With powers of three in m, each result that is opened
/// gives 16 coefficients of u; with all of u, c1 is as if it had not been re-randomised, and guesses at the weights can be tested.
#[test]
fn a_public_key_with_a_message_gives_the_randomness_away() {
    let ring = small_ring(256, &[49, 49]);
    let form = Form {
        ring: Bits::of(26),
        dropped: 0,
        extra: 9,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let client = ClientKey::generate_in(ring, Set::S1, SESSION, &mut rng);
    let key = deviating_key(&client, form);
    let server = ServerKey::read_in(ring, Set::S1, SESSION, &key, &mut rng).unwrap();
    let parties = Parties { client, server };
    let weights: Vec<(usize, i32)> = (0..9).map(|i| (i, 37 * i as i32 - 100)).collect();

    let zeros = vec![0; ring.degree];
    let (own, response) = parties.respond(form, parties.product(form, &zeros, &weights, 0));
    let mut share = vec![0; ring.degree];
    parties.client.share_form(form, &response, &mut share);
    // The results that the client is shown, one of sixteen: y = 0, so they are m·u.
    let opened = (0..ring.degree)
        .step_by(TRITS)
        .map(|i| form.shares().reduce(own[i] + share[i]) >> 1);
    let u: Vec<f64> = opened.flat_map(|y| trits(form.ring.to_signed(y))).collect();

    // Now a·u can be taken from the response, but for e2.
    let prime = &ring.primes()[0];
    let a = public::polynomial(
        &parties.client.public,
        Purpose::PublicKey,
        0,
        ring.degree,
        ring.primes(),
    );
    let (mut transformed, mut hidden) = (ring.zero(), ring.zero());
    transformed.copy_from_slice(&u);
    prime.ntt.forward(&mut transformed, ring.degree);
    prime.ntt.multiply(&mut hidden, &a[0], &transformed);
    prime.ntt.inverse(&mut hidden, 1);
    let mut seen = vec![0_u64; ring.degree];
    unpack(&response, form.response_bits(), &mut seen);
    let near = |weights: &[(usize, i32)]| {
        // The request has number 0.
        let source = &parties.client.public;
        let a = public::polynomial(source, Purpose::Request, 0, ring.degree, ring.primes());
        let (mut transformed, mut product) = (ring.zero(), ring.zero());
        for &(exponent, weight) in weights {
            transformed[exponent] = f64::from(weight);
        }
        prime.ntt.forward(&mut transformed, ring.degree);
        prime.ntt.multiply(&mut product, &a[0], &transformed);
        prime.ntt.inverse(&mut product, 1);
        product
            .iter_mut()
            .zip(hidden.iter())
            .for_each(|(x, h)| *x += h);
        let mut expected = vec![0; ring.degree];
        round_to_bits(
            ring,
            &mut vec![product],
            form.response_bits(),
            &mut expected,
        );
        let pairs = seen.iter().zip(expected);
        let differences = pairs.map(|(a, b)| form.response_bits().to_signed(a.wrapping_sub(b)));
        differences.filter(|d| d.abs() <= 2).count()
    };
    assert_eq!(
        near(&weights),
        ring.degree,
        "the limit is gone: document it"
    );
    let other: Vec<(usize, i32)> = weights.iter().map(|&(i, w)| (i, w + 1)).collect();
    assert_eq!(near(&other), 0);
}

/// The public key with the message m = Σ 3^j·X^−j, times q/2^l.
fn deviating_key(client: &ClientKey, form: Form) -> Vec<u8> {
    let ring = client.ring;
    let a = public::polynomial(
        &client.public,
        Purpose::PublicKey,
        0,
        ring.degree,
        ring.primes(),
    );
    let step = (ring.modulus >> form.ring.get()) as f64;
    let mut message = ring.zero();
    message[0] = step;
    for j in 1..TRITS {
        message[ring.degree - j] = -step * 3_f64.powi(j as i32);
    }
    let b = client.secret.hide(ring.primes(), &a, &message);
    let mut bytes = client.public_key()[..NONCE].to_vec();
    write_residues(ring.primes(), &b, &mut bytes);
    bytes
}

/// The digits −1, 0 and 1 of a number in base three.
fn trits(mut y: i64) -> [f64; TRITS] {
    [(); TRITS].map(|()| {
        let digit = (y + 1).rem_euclid(3) - 1;
        y = (y - digit) / 3;
        digit as f64
    })
}
