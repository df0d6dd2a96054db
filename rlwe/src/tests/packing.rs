//! Packing, for every number of lanes.

use super::*;
use crate::Packer;
use crate::switch::Scratch;
use ring_arith::Bits;

const FORM: Form = Form {
    ring: Bits::of(20),
    dropped: 3,
    extra: 9,
};

/// A product of the input with one weight.
fn scaled(parties: &Parties, ciphertext: &Ciphertext, weight: i32, levels: u32) -> Product {
    let mut sum = Accumulator::new_in(parties.ring());
    sum.add_scaled(ciphertext, weight);
    sum.finish(0, levels)
}

/// Packs the lanes for which there is a weight, and compares every coefficient: garbage is gone, missing lanes are zero.
fn check(parties: &Parties, levels: u32, weight: impl Fn(usize) -> Option<i32>) {
    let (degree, lanes) = (parties.ring().degree, 1_usize << levels);
    let x = numbers(&mut ChaCha20Rng::seed_from_u64(9), degree, FORM.ring.mask());
    let ciphertext = parties.ciphertext(FORM, &x);
    let mut packer = Packer::new(&parties.server, levels);
    let reverse = |i: usize| {
        i.reverse_bits()
            .checked_shr(usize::BITS - levels)
            .unwrap_or(0)
    };
    // What is missing at the end need not be pushed.
    let pushed = (0..lanes)
        .rev()
        .find(|&i| weight(reverse(i)).is_some())
        .map_or(0, |i| i + 1);
    for i in 0..pushed {
        packer.push(weight(reverse(i)).map(|w| scaled(parties, &ciphertext, w, levels)));
    }
    let Some(packed) = packer.finish() else {
        assert!((0..lanes).all(|lane| weight(lane).is_none()));
        return;
    };
    for (i, sum) in parties.open(FORM, packed).iter().enumerate() {
        let (slot, lane) = (i / lanes, i % lanes);
        let y = x[slot * lanes].wrapping_mul(i64::from(weight(lane).unwrap_or(0)) as u64);
        assert_eq!(
            sum >> 1,
            FORM.ring.reduce(y),
            "{lanes} lanes, lane {lane}, slot {slot}"
        );
    }
}

#[test]
fn every_number_of_lanes() {
    let parties = Parties::new(Set::S1, 12, 5);
    for levels in 0..=12 {
        check(&parties, levels, |lane| Some(lane as i32 % 50 - 25));
        check(&parties, levels, |lane| (lane % 3 == 1).then_some(7));
        check(&parties, levels, |lane| {
            (lane == (1 << levels) - 1).then_some(-9)
        });
        check(&parties, levels, |lane| (lane == 0).then_some(3));
        check(&parties, levels, |_| None);
    }
}

#[test]
fn lanes_of_the_other_set() {
    let parties = Parties::new(Set::S2, 5, 6);
    for levels in 0..=5 {
        check(&parties, levels, |lane| Some(lane as i32 % 50 - 25));
        check(&parties, levels, |lane| (lane % 3 == 1).then_some(7));
    }
}

/// Every lane and slot in rings of small degree, of all numbers of lanes.
#[test]
fn lanes_in_small_rings() {
    for (set, bits) in [(Set::S1, &[42, 42][..]), (Set::S2, &[31, 31, 42])] {
        let parties = Parties::new_in(small_ring(64, bits), set, 6, 7);
        for levels in 0..=6 {
            for one in 0..1 << levels {
                check(&parties, levels, |lane| (lane != one).then_some(11));
            }
        }
    }
}

/// The error of one key switch is that of the rule for uniform digits: N·10.5·Σ(p/P)²/12 + (1 + h)/12.
#[test]
fn the_noise_of_a_key_switch() {
    for set in Set::ALL {
        let parties = Parties::new(set, 1, 8);
        let ring = parties.ring();
        let x = numbers(
            &mut ChaCha20Rng::seed_from_u64(2),
            ring.degree,
            FORM.ring.mask(),
        );
        let parts = scaled(&parties, &parties.ciphertext(FORM, &x), 19, 0).parts;
        let key = parties.server.switch_key(0);
        let mut image: [Poly; 2] =
            [(); 2].map(|()| ring.primes().iter().map(|_| ring.zero()).collect());
        key.add_image(ring, &parts, &mut image, &mut Scratch::new(ring));
        let before = phase(&parties.client, &parts);
        // X → X^(1 + N) negates the odd coefficients.
        let expected = before
            .iter()
            .enumerate()
            .map(|(i, &x)| if i % 2 == 0 { x } else { -x });
        let errors = phase(&parties.client, &image).into_iter().zip(expected);
        let errors: Vec<f64> = errors
            .map(|(y, x)| centre(y - x, ring.modulus as i128) as f64)
            .collect();
        let (n, special) = (ring.degree as f64, ring.special().p as f64);
        let ratios = ring
            .primes()
            .iter()
            .map(|prime| (prime.p as f64 / special).powi(2));
        let weight = parties.client.secret.weight() as f64;
        let rule = f64::sqrt(n * 10.5 / 12.0 * ratios.sum::<f64>() + (1.0 + weight) / 12.0);
        let sd = f64::sqrt(errors.iter().map(|e| e * e).sum::<f64>() / n);
        assert!((sd / rule - 1.0).abs() < 0.05, "{set:?}: {sd} for {rule}");
    }
}

#[test]
#[should_panic(expected = "a product for so many levels")]
fn products_must_be_divided_for_their_packing() {
    let parties = Parties::new_in(small_ring(16, &[30, 30]), Set::S1, 2, 1);
    let ciphertext = parties.ciphertext(FORM, &[0; 16]);
    Packer::new(&parties.server, 2).push(Some(scaled(&parties, &ciphertext, 1, 1)));
}

#[test]
#[should_panic(expected = "a product that is packed")]
fn products_must_be_packed_before_a_response() {
    let parties = Parties::new_in(small_ring(16, &[30, 30]), Set::S1, 2, 1);
    let ciphertext = parties.ciphertext(FORM, &[0; 16]);
    parties.respond(FORM, scaled(&parties, &ciphertext, 1, 1));
}

#[test]
fn accumulators_sum_and_shift_and_start_again() {
    let parties = Parties::new_in(small_ring(16, &[45, 45]), Set::S1, 0, 2);
    let ring = parties.ring();
    let x = numbers(&mut ChaCha20Rng::seed_from_u64(3), 16, FORM.ring.mask());
    let ciphertext = parties.ciphertext(FORM, &x);
    let (mut weights, mut sum) = (Weights::new_in(ring), Accumulator::new_in(ring));
    for terms in [1, 6, 7, 8, 13, 14, 15, 40] {
        let mut expected = [0_u64; 16];
        for term in 0..terms {
            let coefficients = [(term % 16, 3), (2, term as i32), (2, -7)];
            weights.fill(16, coefficients.into_iter());
            sum.add(&ciphertext, &weights);
            sum.add_scaled(&ciphertext, -5);
            let terms = [coefficients.as_slice(), &[(0, -5)]].concat();
            let products = convolve(&x, &terms);
            expected
                .iter_mut()
                .zip(products)
                .for_each(|(y, z)| *y = y.wrapping_add(z));
        }
        let shift = terms % 16;
        let sums = parties.open(FORM, sum.finish(shift, 0));
        for (i, sum) in sums.iter().enumerate() {
            let y = match i + shift {
                at if at < 16 => expected[at],
                at => expected[at - 16].wrapping_neg(),
            };
            assert_eq!(
                sum >> 1,
                FORM.ring.reduce(y),
                "{terms} terms, coefficient {i}"
            );
        }
    }
}
