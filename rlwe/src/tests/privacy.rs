//! What the client sees tells nothing of the weights, and would without re-randomising.

use super::*;
use crate::crt::round_to_bits;
use crate::ntt::{inverse_mod, mul_mod};
use crate::respond::Rerandomised;
use ring_arith::{Bits, unpack};

const FORM: Form = Form {
    ring: Bits::of(26),
    dropped: 6,
    extra: 9,
};

/// The response of a product, coefficients of k bits.
fn response(parties: &Parties, product: Product, honest: bool) -> Vec<u64> {
    let rerandomised = match honest {
        true => parties.server.rerandomise(parties.mask(), product),
        false => Rerandomised::forgotten(product),
    };
    let degree = parties.ring().degree;
    let mut bytes = vec![0; packed_len(degree, FORM.response_bits())];
    rerandomised.switch_down(FORM, &mut vec![0; degree], &mut bytes);
    let mut response = vec![0; degree];
    unpack(&bytes, FORM.response_bits(), &mut response);
    response
}

/// What the client would expect to see for weights: it knows a, so it can form round(2^k·W·a/q).
fn guess(parties: &Parties, ciphertext: &Ciphertext, weights: &[(usize, i32)]) -> Vec<u64> {
    let mut product = product_of(parties, ciphertext, weights);
    let mut guess = vec![0; parties.ring().degree];
    round_to_bits(
        parties.ring(),
        &mut product.parts[1],
        FORM.response_bits(),
        &mut guess,
    );
    guess
}

fn product_of(parties: &Parties, ciphertext: &Ciphertext, terms: &[(usize, i32)]) -> Product {
    let mut weights = Weights::new_in(parties.ring());
    weights.fill(parties.ring().degree, terms.iter().copied());
    let mut sum = Accumulator::new_in(parties.ring());
    sum.add(ciphertext, &weights);
    sum.finish(0, 0)
}

fn weights(rng: &mut ChaCha20Rng) -> Vec<(usize, i32)> {
    (0..16)
        .map(|i| (i, (rng.next_u64() & 1023) as i32 - 512))
        .collect()
}

/// The client tests two guesses at the weights against 163,840 coefficients.
#[test]
fn guesses_at_weights_are_right_only_without_randomness() {
    const KEYS: u64 = 40;
    for honest in [false, true] {
        let (mut near, mut near_other, mut cosines) = (0, 0, 0.0);
        let mut bins = [0_u32; 64];
        let mut n = 0;
        for key in 0..KEYS {
            let mut rng = ChaCha20Rng::seed_from_u64(key);
            let parties = Parties::new(Set::S1, 0, key);
            let x = numbers(&mut rng, parties.ring().degree, FORM.ring.mask());
            let ciphertext = parties.ciphertext(FORM, &x);
            let (right, wrong) = (weights(&mut rng), weights(&mut rng));
            let product = product_of(&parties, &ciphertext, &right);
            let seen = response(&parties, product, honest);
            let differences = |weights: &[(usize, i32)]| -> Vec<i64> {
                let guess = guess(&parties, &ciphertext, weights);
                let pairs = seen.iter().zip(guess);
                pairs
                    .map(|(a, b)| FORM.response_bits().to_signed(a.wrapping_sub(b)))
                    .collect()
            };
            near_other += differences(&wrong).iter().filter(|d| d.abs() <= 2).count();
            for difference in differences(&right) {
                near += usize::from(difference.abs() <= 2);
                let turn = difference as f64 / 2_f64.powi(FORM.response_bits().get() as i32);
                cosines += (turn * std::f64::consts::TAU).cos();
                bins[(((turn + 0.5) * 64.0) as usize).min(63)] += 1;
                n += 1;
            }
        }
        assert_eq!((near_other, n), (0, 163_840));
        if !honest {
            assert_eq!(near, n);
            continue;
        }
        assert_eq!(near, 0);
        let expected = f64::from(n as u32) / 64.0;
        let chi_square: f64 = bins
            .iter()
            .map(|&b| (f64::from(b) - expected).powi(2) / expected)
            .sum();
        assert!(chi_square < 110.0, "{chi_square}");
        let deviation = f64::sqrt(0.5 / n as f64);
        assert!((cosines / n as f64).abs() < 4.0 * deviation, "{cosines}");
    }
}

/// Before it is switched down, c1 divided by a is W itself.
#[test]
fn dividing_by_a_gives_the_weights_only_without_randomness() {
    for honest in [false, true] {
        let parties = Parties::new(Set::S1, 0, 3);
        let (ring, prime) = (parties.ring(), &parties.ring().primes()[0]);
        let x = vec![0; ring.degree];
        let terms = weights(&mut ChaCha20Rng::seed_from_u64(4));
        let ciphertext = parties.ciphertext(FORM, &x);
        let product = product_of(&parties, &ciphertext, &terms);
        let rerandomised = match honest {
            true => parties.server.rerandomise(parties.mask(), product),
            false => Rerandomised::forgotten(product),
        };
        // By the weight polynomial 1.
        let mut a = product_of(&parties, &ciphertext, &[(0, 1)]);
        let transformed = |x: &[f64]| -> Vec<u64> {
            let mut y = ring.zero();
            y.copy_from_slice(x);
            prime.ntt.reduce(&mut y);
            prime.ntt.forward(&mut y, ring.degree);
            prime.ntt.reduce(&mut y);
            y.iter()
                .map(|&y| crate::convert::canonical(y, prime.p))
                .collect()
        };
        let (c1, a) = (
            transformed(&rerandomised.parts()[1][0]),
            transformed(&a.parts[1].remove(0)),
        );
        let mut quotient = ring.zero();
        for ((quotient, c1), a) in quotient.iter_mut().zip(c1).zip(a) {
            *quotient =
                crate::convert::centred(mul_mod(c1, inverse_mod(a, prime.p), prime.p), prime.p);
        }
        prime.ntt.inverse(&mut quotient, 1);
        let found: Vec<(usize, i32)> = quotient[..16]
            .iter()
            .map(|&w| w as i32)
            .enumerate()
            .collect();
        assert_eq!(found == terms, !honest);
        assert_eq!(quotient[16..].iter().all(|&w| w == 0.0), !honest);
    }
}

#[test]
fn equal_products_have_different_responses() {
    let parties = Parties::new(Set::S1, 0, 5);
    let ciphertext = parties.ciphertext(FORM, &vec![1; parties.ring().degree]);
    let product = || product_of(&parties, &ciphertext, &[(0, 7), (3, -2)]);
    let responses = [true, true, false, false].map(|honest| response(&parties, product(), honest));
    assert_eq!(responses[2], responses[3]);
    let equal = responses[0]
        .iter()
        .zip(&responses[1])
        .filter(|(a, b)| a == b)
        .count();
    assert_eq!(equal, 0);
}
