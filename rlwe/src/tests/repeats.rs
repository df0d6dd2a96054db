//! Nothing that is drawn is drawn twice, and keys of different sets have nothing in common.

use super::*;
use crate::public;
use crate::random::{Purpose, Source};
use ring_arith::Bits;
use std::collections::HashSet;

const FORM: Form = Form {
    ring: Bits::of(20),
    dropped: 3,
    extra: 9,
};

const PURPOSES: [Purpose; 9] = [
    Purpose::PublicKey,
    Purpose::PackingKey,
    Purpose::Request,
    Purpose::Secret,
    Purpose::PublicKeyError,
    Purpose::PackingKeyError,
    Purpose::RequestError,
    Purpose::Mask,
    Purpose::MaskError,
];

/// The streams of all purposes, sets, numbers and attempts, of secret and public sources, are different.
#[test]
fn streams_never_repeat() {
    let mut seen = HashSet::new();
    let mut expected = 0;
    for set in Set::ALL {
        let sources = [
            Source::secret(&[1; 32], set),
            Source::secret(&[2; 32], set),
            Source::public(b"session", &[1; 32], set),
            Source::public(b"session", &[2; 32], set),
            Source::public(b"sessio", &[1; 32], set),
            Source::public(b"", &[1; 32], set),
        ];
        for source in &sources {
            for purpose in PURPOSES {
                for number in [0, 1, 2, 255, 256, 1 << 32, u64::MAX] {
                    for attempt in [0, 1, 256] {
                        let mut start = [0; 16];
                        source.stream(purpose, number, attempt).bytes(&mut start);
                        seen.insert(start);
                        expected += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), expected);
}

/// Images one after the other, a retry of an image, and a second key of the same session: all have fresh a, errors, dither, u and e2.
#[test]
fn equal_inputs_share_nothing() {
    let ring = small_ring(256, &[45, 45]);
    let x = vec![5; ring.degree];
    let (mut requests, mut hashed, mut responses, mut masks) = (
        HashSet::new(),
        HashSet::new(),
        HashSet::new(),
        HashSet::new(),
    );
    let runs = 20;
    for fork in 0..2 {
        let parties = Parties::new_in(ring, Set::S1, 0, fork);
        for run in 0..runs {
            if run % 3 == 0 {
                // A run that failed: its numbers are gone, at both parties.
                let (_, _) = (parties.number(), parties.mask());
            }
            let (bytes, number) = parties.request(FORM, &x);
            let ciphertext = parties.server.ingest_form(FORM, number, &bytes).unwrap();
            requests.insert(bytes);
            let mut sum = Accumulator::new_in(ring);
            sum.add_scaled(&ciphertext, 1);
            let product = sum.finish(0, 0);
            let a: Vec<u64> = product.parts[1][0].iter().map(|x| x.to_bits()).collect();
            hashed.insert(a);
            let (own, response) = parties.respond(FORM, product);
            let mut share = vec![0; ring.degree];
            parties.client.share_form(FORM, &response, &mut share);
            assert!(
                own.iter()
                    .zip(share)
                    .all(|(a, d)| FORM.shares().reduce(a + d) >> 1 == 5)
            );
            responses.insert(response);
            masks.insert(
                parties.server.invertible(run)[0]
                    .iter()
                    .map(|u| u.to_bits())
                    .collect::<Vec<_>>(),
            );
        }
    }
    let expected = 2 * runs as usize;
    assert_eq!(
        [requests.len(), hashed.len(), responses.len(), masks.len()],
        [expected; 4]
    );
}

/// One generator in one state makes independent keys: secrets agree where chance has it.
#[test]
fn sets_have_secrets_and_errors_of_their_own() {
    let [s1, s2] = Set::ALL.map(|set| Parties::new(set, 0, 3));
    let secrets = [&s1, &s2].map(|parties| &parties.client.secret.coefficients);
    let equal = secrets[0]
        .iter()
        .zip(secrets[1].iter())
        .filter(|(a, b)| a == b)
        .count();
    // A third of them, with a deviation of 30.
    assert!((1200..1530).contains(&equal), "{equal}");
    let sources = Set::ALL.map(|set| Source::secret(&[7; 32], set));
    let errors = sources.map(|source| crate::secret::public_key_error(Ring::of(Set::S1), &source));
    let equal = errors[0]
        .iter()
        .zip(errors[1].iter())
        .filter(|(a, b)| a == b)
        .count();
    assert!(equal < 700, "{equal}");
}

/// Both parties derive the same a, whatever kernel transforms it: it is hashed as coefficients.
#[test]
fn both_parties_hash_the_same() {
    let parties = Parties::new(Set::S2, 0, 3);
    let ring = parties.ring();
    let a = |source: &Source| {
        public::polynomial(source, Purpose::Request, 4, ring.degree, ring.primes())
    };
    let ours = a(&parties.client.public);
    let theirs = a(&Source::public(
        SESSION,
        parties.client.public_key().first_chunk().unwrap(),
        Set::S2,
    ));
    assert!(ours.iter().zip(&theirs).all(|(a, b)| **a == **b));
    let mut coefficients = ring.zero();
    coefficients.copy_from_slice(&ours[0]);
    ring.primes()[0].ntt.inverse(&mut coefficients, 1);
    let hash = coefficients.iter().fold(0_u64, |hash, &x| {
        hash.wrapping_mul(31)
            .wrapping_add(crate::convert::canonical(x, ring.primes()[0].p))
    });
    assert_eq!(
        hash, 966_147_857_709_462_610,
        "the derivation of public polynomials has changed: that is a change on the wire"
    );
}
