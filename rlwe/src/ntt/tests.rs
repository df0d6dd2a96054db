#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "integers below 2^53"
)]

use proptest::prelude::*;

use super::*;
use crate::Set;
use crate::convert::{canonical, centred};

fn primes() -> Vec<u64> {
    let of_set = |set: Set| set.primes().iter().copied().chain([set.special()]);
    Set::ALL.into_iter().flat_map(of_set).collect()
}

fn half(p: u64) -> f64 {
    (p / 2) as f64
}

/// a·b modulo X^N + 1 and p.
fn schoolbook(a: &[f64], b: &[f64], p: u64) -> Vec<f64> {
    let n = a.len();
    let reduce = |x: &f64| i128::from(*x as i64).rem_euclid(p.into());
    let (a, b): (Vec<_>, Vec<_>) = (
        a.iter().map(reduce).collect(),
        b.iter().map(reduce).collect(),
    );
    let mut out = vec![0_i128; n];
    for i in 0..n {
        for j in 0..n {
            let product = a[i] * b[j] % i128::from(p);
            out[(i + j) % n] += if i + j < n { product } else { -product };
        }
    }
    let residues = out.iter().map(|x| x.rem_euclid(p.into()) as u64);
    residues.map(|x| centred(x, p)).collect()
}

/// Integers of at most so much.
fn random(n: usize, most: f64, seed: &mut u64) -> Vec<f64> {
    let most = most as u64;
    let next = |_| {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(*seed) * u128::from(2 * most + 1)) >> 64) as f64 - most as f64
    };
    (0..n).map(next).collect()
}

/// The worst inputs of at most so much, and some in between.
fn extremes(n: usize, p: u64, most: f64) -> Vec<Vec<f64>> {
    let most = most.floor();
    let signs: [fn(usize) -> bool; 6] = [
        |_| true,
        |_| false,
        |i| i % 2 == 0,
        |i| i % 16 < 8,
        |i| i % 128 < 64,
        |i| i.count_ones() % 2 == 0,
    ];
    let of_signs = signs
        .iter()
        .map(|sign| (0..n).map(|i| if sign(i) { most } else { -most }).collect());
    let mut seed = 7;
    let between = (0..3).map(|_| random(n, most, &mut seed));
    let mut out: Vec<Vec<f64>> = of_signs.chain(between).collect();
    // Random signs of the largest, and half of p, where rounding changes sides.
    out.push(
        random(n, most, &mut seed)
            .iter()
            .map(|x| most.copysign(*x))
            .collect(),
    );
    out.push(
        (0..n)
            .map(|i| [half(p), -half(p), half(p) + 1.0, -half(p) - 1.0, 0.0][i % 5])
            .collect(),
    );
    out
}

fn reduced(ntt: &Ntt, x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    ntt.reduce(&mut x);
    x
}

#[test]
fn products_are_those_of_polynomials() {
    for degree in [16, 32, 64, 128, 256, 512] {
        for p in primes()
            .into_iter()
            .chain([97, 257, 12_289])
            .filter(|p| p % (2 * degree as u64) == 1)
        {
            for ntt in Ntt::with_each_kernel(degree, p) {
                let inputs = extremes(degree, p, half(p));
                for (a, b) in inputs.iter().zip(inputs.iter().rev()) {
                    let expected = schoolbook(a, b, p);
                    let (mut a, mut b) = (a.clone(), b.clone());
                    ntt.forward(&mut a, degree);
                    ntt.forward(&mut b, degree);
                    let mut out = vec![f64::NAN; degree];
                    ntt.multiply(&mut out, &a, &b);
                    ntt.inverse(&mut out, 1);
                    assert_eq!(out, expected);
                }
            }
        }
    }
}

/// The whole degree too slowly for the schoolbook: products by single powers of X.
#[test]
fn products_by_monomials_turn_the_whole_degree() {
    let degree = crate::DEGREE;
    for p in primes() {
        for ntt in Ntt::with_each_kernel(degree, p) {
            for (e, x) in
                [1, 7, 8, 63, 64, 511, 2048, 4095]
                    .into_iter()
                    .zip(extremes(degree, p, half(p)))
            {
                let turned = (0..degree).map(|i| if i < e { -x[i + degree - e] } else { x[i - e] });
                let expected = reduced(&ntt, &turned.collect::<Vec<_>>());
                let (mut a, mut b) = (x, vec![0.0; degree]);
                b[e] = 1.0;
                ntt.forward(&mut a, degree);
                ntt.forward(&mut b, e + 1);
                let mut out = vec![0.0; degree];
                ntt.multiply_add(&mut out, &a, &b);
                ntt.inverse(&mut out, 1);
                assert_eq!(out, expected, "X^{e}");
            }
        }
    }
}

#[test]
fn kernels_agree_on_extreme_inputs_both_ways() {
    for degree in [64, 128, 256, 512, 1024, 2048, 4096, 8192] {
        for p in primes()
            .into_iter()
            .filter(|p| p % (2 * degree as u64) == 1)
        {
            let kernels = Ntt::with_each_kernel(degree, p);
            for x in extremes(degree, p, FORWARD_FROM) {
                let mut expected = x.clone();
                kernels[0].forward(&mut expected, degree);
                for ntt in &kernels[1..] {
                    let mut out = x.clone();
                    ntt.forward(&mut out, degree);
                    assert_eq!(reduced(ntt, &out), expected);
                }
            }
            for (i, x) in extremes(degree, p, UNREDUCED).into_iter().enumerate() {
                let scale = [1, p - 1, p / 2, p / 2 + 1, 12_345][i % 5];
                let mut expected = x.clone();
                kernels[0].inverse(&mut expected, scale);
                for ntt in &kernels[1..] {
                    let mut out = x.clone();
                    ntt.inverse(&mut out, scale);
                    assert_eq!(out, expected);
                }
            }
        }
    }
}

#[test]
fn the_inverse_undoes_the_transform_and_scales() {
    for degree in [16, 64, 128, 512, 4096] {
        for p in primes() {
            for ntt in Ntt::with_each_kernel(degree, p) {
                for x in extremes(degree, p, FORWARD_FROM) {
                    let mut out = x.clone();
                    ntt.forward(&mut out, degree);
                    ntt.inverse(&mut out, 5);
                    let mut expected = x;
                    ntt.scale(&mut expected, 5);
                    assert_eq!(out, expected);
                }
            }
        }
    }
}

/// Every count of coefficients, with rubbish after them.
#[test]
fn pruned_transforms_ignore_the_rest() {
    for degree in [16, 64, 128, 256, 512, 1024, 4096] {
        let p = primes()[0];
        let kernels = Ntt::with_each_kernel(degree, p);
        let counts = (0..=degree).filter(|c| {
            degree <= 512 || c % 61 < 2 || c.is_power_of_two() || (c + 1).is_power_of_two()
        });
        for (nonzero, x) in counts.zip(extremes(degree, p, FORWARD_FROM).into_iter().cycle()) {
            let mut expected = x.clone();
            expected[nonzero..].fill(0.0);
            kernels[0].forward(&mut expected, degree);
            for ntt in &kernels {
                let mut out = x.clone();
                out[nonzero..].fill(f64::NAN);
                ntt.forward(&mut out, nonzero);
                assert_eq!(reduced(ntt, &out), expected, "{nonzero} of {degree}");
            }
        }
    }
}

#[test]
fn pointwise_kernels_agree_on_extreme_inputs() {
    let degree = 256;
    for p in primes() {
        let kernels = Ntt::with_each_kernel(degree, p);
        let portable = &kernels[0];
        for ntt in &kernels {
            let large = extremes(degree, p, FACTOR);
            for (a, b) in large.iter().zip(large.iter().cycle().skip(2)) {
                let (mut out, mut expected) = (vec![0.0; degree], vec![0.0; degree]);
                ntt.multiply(&mut out, a, b);
                portable.multiply(&mut expected, a, b);
                assert_eq!(out, expected);
                let (mut out, mut expected) = (b.clone(), b.clone());
                ntt.multiply_add(&mut out, a, a);
                portable.multiply_add(&mut expected, a, a);
                assert_eq!(out, expected);
                for factor in [0, 1, p / 2, p / 2 + 1, p - 1] {
                    let (mut out, mut expected) = (a.clone(), a.clone());
                    ntt.scale(&mut out, factor);
                    portable.scale(&mut expected, factor);
                    assert_eq!(out, expected);
                }
            }
            for x in extremes(degree, p, UNREDUCED) {
                assert_eq!(reduced(ntt, &x), reduced(portable, &x));
            }
        }
    }
}

/// Six sums after a reduction, with the largest products of one sign.
#[test]
fn six_sums_of_products_need_no_reduction() {
    let degree = 128;
    for p in primes() {
        for ntt in Ntt::with_each_kernel(degree, p) {
            let weights = extremes(degree, p, FORWARD_TO * p as f64);
            let pairs = extremes(2 * degree, p, half(p));
            for (w, pair) in weights.iter().zip(pairs.iter().cycle().skip(1)) {
                let pair = reduced(&ntt, pair);
                let mut acc = vec![0.0; 2 * degree];
                for i in 0..15 {
                    ntt.add_products(&mut acc, &pair, w, i % 7 == 0);
                }
                ntt.reduce(&mut acc);
                let mut expected = vec![0.0; 2 * degree];
                let (mut a, mut b) = (vec![0.0; degree], vec![0.0; degree]);
                split(&pair, &mut a, &mut b);
                for half in [&mut a, &mut b] {
                    let factor = half.clone();
                    ntt.multiply(half, &factor, w);
                    ntt.scale(half, 15);
                }
                interleave(&mut expected, &a, &b);
                assert_eq!(acc, expected);
            }
            for (i, pair) in pairs.iter().enumerate() {
                let pair = reduced(&ntt, pair);
                let factor = [0, 1, -1, 513, -8192, i32::MAX, i32::MIN][i % 7];
                let mut acc = vec![0.0; 2 * degree];
                for i in 0..8 {
                    ntt.add_scaled(&mut acc, &pair, factor, i % 7 == 0);
                }
                ntt.reduce(&mut acc);
                let mut expected = pair;
                ntt.scale(
                    &mut expected,
                    (8 * i64::from(factor)).rem_euclid(p as i64) as u64,
                );
                assert_eq!(acc, expected);
            }
        }
    }
}

#[test]
fn the_fastest_kernel_is_chosen_and_in_a_portable_build_the_portable_one() {
    let chosen = |degree| Ntt::new(degree, primes()[0]).kernel.name();
    let there = Ntt::with_each_kernel(64, primes()[0]);
    assert_eq!(chosen(64), there[there.len() - 1].kernel.name());
    assert_eq!(chosen(32), "portable");
    #[cfg(blindray_portable)]
    assert_eq!(chosen(64), "portable");
    #[cfg(all(target_arch = "x86_64", not(blindray_portable)))]
    {
        let names: Vec<_> = there.iter().map(|ntt| ntt.kernel.name()).collect();
        let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        assert_eq!(names.contains(&"avx2"), fma);
        assert_eq!(
            names.contains(&"avx512"),
            is_x86_feature_detected!("avx512f")
        );
    }
}

#[test]
fn residues_and_doubles() {
    for p in primes() {
        for x in [0, 1, p / 2, p / 2 + 1, p - 1] {
            assert_eq!(canonical(centred(x, p), p), x);
            assert!(centred(x, p).abs() <= (p / 2) as f64);
            if x > 0 {
                assert_eq!(mul_mod(x, inverse_mod(x, p), p), 1);
            }
        }
        assert_eq!(pow_mod(3, p - 1, p), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn barrett_reduces(a in any::<u64>(), b in any::<u64>(), which in 0_usize..6) {
        for p in [primes()[which % primes().len()], 97, 193, 12_289] {
            let barrett = modular::Barrett::new(p);
            prop_assert_eq!(barrett.mul(a % p, b % p), mul_mod(a % p, b % p, p));
        }
    }

    #[test]
    fn random_transforms_agree_and_return(bits in 4_u32..13, which in 0_usize..5, nonzero in 0_usize..5000, mut seed in any::<u64>()) {
        let (degree, p) = (1 << bits, primes()[which]);
        let nonzero = nonzero.min(degree);
        let kernels = Ntt::with_each_kernel(degree, p);
        let x = random(degree, FORWARD_FROM, &mut seed);
        let mut first: Option<Vec<f64>> = None;
        for ntt in &kernels {
            let mut out = x.clone();
            ntt.forward(&mut out, nonzero);
            let values = reduced(ntt, &out);
            prop_assert_eq!(first.get_or_insert_with(|| values.clone()), &values);
            ntt.inverse(&mut out, 1);
            let mut expected = x.clone();
            expected[nonzero..].fill(0.0);
            prop_assert_eq!(out, reduced(ntt, &expected));
        }
    }
}
