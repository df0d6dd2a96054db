//! What is sampled has the distribution that it should have, and what must be redrawn is.

use super::*;
use crate::random::{Purpose, Source, Stream};
use crate::sample::{self, dither, error};
use crate::secret::{Secret, public_key_error};
use proptest::prelude::*;

fn stream(number: u64) -> Stream {
    Source::secret(&[3; 32], Set::S1).stream(Purpose::Secret, number, 0)
}

/// Σ (observed − expected)²/expected of samples that fall into classes.
fn chi_square(observed: &[u64], chances: &[f64]) -> f64 {
    let n = observed.iter().sum::<u64>() as f64;
    let terms = observed.iter().zip(chances);
    terms
        .map(|(&o, &c)| (o as f64 - n * c).powi(2) / (n * c))
        .sum()
}

/// The chance of each error from −21 on: binomial of 42 coins.
fn binomial() -> Vec<f64> {
    let mut row = vec![1.0];
    for _ in 0..42 {
        let sums = (0..=row.len()).map(|i| {
            let left = i.checked_sub(1).map_or(0.0, |i| row[i]);
            (left + row.get(i).copied().unwrap_or(0.0)) / 2.0
        });
        row = sums.collect();
    }
    row
}

#[test]
fn errors_are_differences_of_counts() {
    let mut counts = [0; 43];
    let mut x = vec![0.0; 1 << 20];
    sample::add_errors(&mut stream(1), &mut x);
    x.iter().for_each(|&x| counts[(x + 21.0) as usize] += 1);
    let chances = binomial();
    // Classes of at least 5; the tails are one class each.
    let body = 7..36;
    let tails = |x: &dyn Fn(usize) -> f64| [(0..7).map(x).sum::<f64>(), (36..43).map(x).sum()];
    let all =
        |x: &dyn Fn(usize) -> f64| -> Vec<f64> { body.clone().map(x).chain(tails(x)).collect() };
    let observed: Vec<u64> = all(&|i| f64::from(counts[i]))
        .iter()
        .map(|&c| c as u64)
        .collect();
    let chi = chi_square(&observed, &all(&|i| chances[i]));
    // 30 degrees of freedom.
    assert!(chi < 65.0, "{chi}");
    let variance = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    assert!((variance - 10.5).abs() < 0.1, "{variance}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_error_is_the_difference_of_two_counts(word: u64) {
        let [positive, negative] = [word >> 21, word].map(|x| (x & 0x1f_ffff).count_ones());
        prop_assert_eq!(error(word), i64::from(positive) - i64::from(negative));
        prop_assert_eq!(dither(word), word >> 42);
        prop_assert_eq!(error(word), error(word & ((1 << 42) - 1)), "errors and dither share no bits");
    }
}

#[test]
fn ternary_polynomials_are_uniform() {
    for len in [1, 4, 5, 4096, 1 << 20] {
        let mut x = vec![9.0; len];
        sample::ternary(&mut stream(2), &mut x);
        let mut counts = [0_u64; 3];
        x.iter().for_each(|&x| counts[(x + 1.0) as usize] += 1);
        assert!(x.iter().all(|x| [-1.0, 0.0, 1.0].contains(x)));
        // 2 degrees of freedom.
        assert!(
            len < 100 || chi_square(&counts, &[1.0 / 3.0; 3]) < 20.0,
            "{counts:?}"
        );
        // Neighbours, which may come of one byte.
        let mut pairs = [0_u64; 9];
        x.windows(2)
            .for_each(|x| pairs[(3.0 * x[0] + x[1] + 4.0) as usize] += 1);
        assert!(
            len < 100 || chi_square(&pairs, &[1.0 / 9.0; 9]) < 40.0,
            "{pairs:?}"
        );
    }
}

#[test]
fn residues_are_uniform() {
    // Nearly half of the words are refused for the first.
    for p in [65_537_u64, 97, 8_589_475_841, 1_125_899_906_826_241] {
        let mut x = vec![0.0; 1 << 18];
        sample::uniform(&mut stream(3), p, &mut x);
        let mut bins = [0_u64; 64];
        let mut chances = [0.0; 64];
        for x in &x {
            let x = crate::convert::canonical(*x, p);
            assert!(x < p);
            bins[(u128::from(x) * 64 / u128::from(p)) as usize] += 1;
        }
        for (i, chance) in chances.iter_mut().enumerate() {
            let start = |i: usize| (i as u128 * u128::from(p)).div_ceil(64);
            *chance = (start(i + 1) - start(i)) as f64 / p as f64;
        }
        let chi = chi_square(&bins, &chances);
        assert!(chi < 130.0, "{chi}");
    }
}

/// The accepted words are those below p, in the order of the stream.
#[test]
fn refused_words_are_skipped() {
    let p = 65_537;
    let mut words = vec![0; 10_000];
    stream(4).words(&mut words);
    let accepted = words
        .iter()
        .map(|word| word & 0x1_ffff)
        .filter(|&word| word < p);
    let mut x = vec![0.0; 4096];
    sample::uniform(&mut stream(4), p, &mut x);
    let residues = x.iter().map(|&x| crate::convert::canonical(x, p));
    assert!(residues.eq(accepted.take(4096)));
}

/// Tiny primes and low bounds make the redraws frequent.
#[test]
fn secrets_are_redrawn() {
    let small = Ring::new(16, &[97], 193, 10);
    let (mut heavy, mut singular) = (0, 0);
    for seed in 0..100 {
        let source = Source::secret(&[seed; 32], Set::S1);
        let secret = Secret::draw(&small, &source);
        assert!(secret.weight() <= 10);
        assert!(Ring::is_invertible(&secret.transformed));
        let mut first = small.zero();
        sample::ternary(&mut source.stream(Purpose::Secret, 0, 0), &mut first);
        heavy += usize::from(first.iter().filter(|&&x| x != 0.0).count() > 10);
        singular += usize::from(!Ring::is_invertible(&Ring::transform(
            small.all_primes(),
            &first,
        )));
    }
    assert!(heavy > 20 && singular > 10, "{heavy} {singular}");
}

#[test]
fn invertible_means_no_zero_modulo_any_prime() {
    let ring = small_ring(16, &[10, 10, 12]);
    let mut x = ring.zero();
    x[0] = 1.0;
    let mut poly = Ring::transform(ring.primes(), &x);
    assert!(Ring::is_invertible(&poly));
    poly[1][7] = 0.0;
    assert!(!Ring::is_invertible(&poly));
    poly[1][7] = -0.0;
    assert!(!Ring::is_invertible(&poly));
}

/// What re-randomises a response has no zero value, else a·u would not be uniform.
#[test]
fn masks_are_redrawn() {
    let ring = small_ring(16, &[6, 12]);
    let parties = Parties::new_in(ring, Set::S1, 0, 1);
    let mut singular = 0;
    for number in 0..300 {
        assert!(Ring::is_invertible(&parties.server.invertible(number)));
        let mut first = ring.zero();
        sample::ternary(
            &mut parties.server.source.stream(Purpose::Mask, number, 0),
            &mut first,
        );
        singular += usize::from(!Ring::is_invertible(&Ring::transform(
            ring.primes(),
            &first,
        )));
    }
    assert!(singular > 10, "{singular}");
}

#[test]
fn errors_of_public_keys_are_redrawn() {
    let ring = small_ring(16, &[20, 21]);
    let norm = |e: &[f64]| e.iter().map(|x| x * x).sum::<f64>();
    let mut large = 0;
    for seed in 0..100 {
        let source = Source::secret(&[seed; 32], Set::S1);
        assert!(norm(&public_key_error(ring, &source)) <= 1.1 * 10.5 * 16.0);
        let mut first = ring.zero();
        sample::add_errors(
            &mut source.stream(Purpose::PublicKeyError, 0, 0),
            &mut first,
        );
        large += usize::from(norm(&first) > 1.1 * 10.5 * 16.0);
    }
    assert!(large > 10, "{large}");
}

/// The redraws of full secrets: h above 2816 with a chance of 0.21 %.
#[test]
fn secrets_are_as_light_as_the_rule_has_them() {
    let ring = Ring::of(Set::S1);
    let weights = (0..1000).map(|seed: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&seed.to_le_bytes());
        let mut x = ring.zero();
        sample::ternary(
            &mut Source::secret(&key, Set::S1).stream(Purpose::Secret, 0, 0),
            &mut x,
        );
        x.iter().filter(|&&x| x != 0.0).count()
    });
    let heavy = weights.filter(|&h| h > Set::MAX_WEIGHT as usize).count();
    assert!((0..10).contains(&heavy), "{heavy}");
    assert_eq!(ring.max_weight, 2816);
}
