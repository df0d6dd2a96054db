//! Estimates of the attacks that come closest to the parameters, in log2 of bit operations, memory being free. (Further off
//! is statistical decoding, at 220 bits and more.)
//!
//! LPN with regular noise: N samples of a secret of k bits, one error in each of t blocks of b = N/t samples. Each
//! formula is that of the authors, evaluated at its best point.

mod algebraic;

use super::set::SilentSet;
use algebraic::{agb, agb_two_stages};

/// What the attacks must cost at least. The margin over 128 pays for attacks on many rounds and sessions at once,
/// which share neither secret nor noise, and for small progress in linear algebra.
const BOUND: f64 = 140.0;

#[derive(Clone, Copy)]
struct Lpn {
    samples: f64,
    secret: f64,
    weight: f64,
}

impl Lpn {
    fn of(set: SilentSet) -> Self {
        let f = |x: usize| f64::from(u32::try_from(x).expect("parameters are small"));
        Self {
            samples: f(set.rows() << set.depth()),
            secret: f(set.table()),
            weight: f(set.rows()),
        }
    }

    fn block(self) -> f64 {
        self.samples / self.weight
    }

    /// The same without one sample of each block and t unknowns: the samples of a block add up to a known value.
    fn reduced(self) -> Self {
        Self {
            samples: self.samples - self.weight,
            secret: self.secret - self.weight,
            ..self
        }
    }
}

/// log2 of the factorial, by Stirling's series; exact to many digits from 0 on.
fn log_factorial(n: f64) -> f64 {
    // Shifted up, so that the series has converged.
    let shift: f64 = (1..=16).map(|i| (n + f64::from(i)).log2()).sum();
    let x = n + 17.0;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3));
    let ln = (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series;
    ln / std::f64::consts::LN_2 - shift
}

/// log2 of a binomial coefficient.
fn choose(n: f64, m: f64) -> f64 {
    log_factorial(n) - log_factorial(m) - log_factorial(n - m)
}

fn least(costs: impl Iterator<Item = f64>) -> f64 {
    costs.fold(f64::INFINITY, f64::min)
}

/// Pooled Gauss: k samples without an error, and linear algebra with exponent 2.8.
fn gauss(lpn: Lpn) -> f64 {
    let Lpn {
        samples: n,
        secret: k,
        weight: t,
    } = lpn.reduced();
    2.8 * k.min(n - k).log2() - (choose(n - k, t) - choose(n, t))
}

/// Stern and Dumer's information-set decoding, as in eprint 2022/712.
fn stern(lpn: Lpn) -> f64 {
    let Lpn {
        samples: n,
        secret: k,
        weight: t,
    } = lpn.reduced();
    least((0..42).step_by(2).map(f64::from).flat_map(|p| {
        (0..260).map(f64::from).map(move |l| {
            let list = choose((k + l) / 2.0, p / 2.0);
            let gauss = (n - k - l).log2() + n.log2() - (n - k - l).log2().log2();
            let cost = n.log2() + gauss.max(list + 1.0).max(2.0 * list - l + 1.0);
            cost - (choose(n - k - l, t - p) - choose(n, t) + 2.0 * list).min(0.0)
        })
    }))
}

/// Information-set decoding that knows the blocks, eprint 2023/1568, on all samples or on no more of them than it needs.
fn regular(lpn: Lpn, subsample: bool) -> f64 {
    let (t, b) = (lpn.weight, lpn.block());
    let k = lpn.secret - t;
    least((0..62).step_by(2).map(f64::from).flat_map(|p| {
        (0..300).map(f64::from).map(move |l| {
            let window = (k + l) / t;
            let half = choose(t / 2.0, p / 2.0);
            let list = if p == 0.0 {
                0.0
            } else {
                half + window.log2() * p / 2.0
            };
            let right = 2.0 * half + (window / b).log2() * p + (1.0 - window / b).log2() * (t - p);
            let pairs = 2.0 * list - l;
            let cost = if subsample {
                let all = (k + l).log2();
                // A list element costs one word of 64 bits, a pair the sum of its columns.
                (2.8 * all).max(7.0 + list).max(all + pairs)
            } else {
                let elimination = 2.0 * (lpn.samples - k).log2();
                lpn.samples.log2() + elimination.max(1.0 + list).max(pairs)
            };
            cost - right
        })
    }))
}

/// Guessing samples without an error until the products of two errors of a block, all 0, can be solved as linear
/// equations: eprint 2025/1284. `exponent` is that of the large elimination; without, the authors' own figure is used.
fn hybrid(lpn: Lpn, exponent: Option<f64>) -> f64 {
    let free = lpn.secret - lpn.weight;
    least(
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
            .into_iter()
            .map(|left| {
                let most = (free - (lpn.block() - 1.0) * left)
                    .min((lpn.block() - 3.0) * (lpn.weight - left) - 1.0);
                // The least number of guesses with which the equations suffice; more of them are never cheaper by much.
                let (mut low, mut high) = (0.0, most.floor());
                while low < high {
                    let middle = ((low + high) / 2.0_f64).floor();
                    if hybrid_at(lpn, middle, left, exponent).is_some() {
                        high = middle;
                    } else {
                        low = middle + 1.0;
                    }
                }
                let more = [
                    0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0,
                    30_000.0, 100_000.0,
                ];
                least(
                    more.into_iter()
                        .filter_map(|more| hybrid_at(lpn, low + more, left, exponent)),
                )
            }),
    )
}

/// The attack with so many guesses, and `q` blocks left to exhaustive search; none if the equations do not suffice.
fn hybrid_at(lpn: Lpn, guesses: f64, q: f64, exponent: Option<f64>) -> Option<f64> {
    let Lpn {
        samples: n,
        secret: k,
        weight: t,
    } = lpn;
    let b = lpn.block();
    // u places of every block, and one more in f of them.
    let u = (guesses / (t - q)).floor();
    let f = guesses - u * (t - q);
    let unknowns = k - t - guesses;
    if u > b - 3.0 {
        return None;
    }
    let right = (1.0 - (u + 1.0) / b).log2() * f + (1.0 - u / b).log2() * (t - q - f);
    let rest = n - k - ((n - k) / (b - 1.0)).floor() * (b - u - 2.0);
    let first = (rest * (n - k) * (rest + unknowns.max(0.0))).max(1.0);
    if unknowns <= 0.0 {
        return Some(first.log2() - right);
    }
    let equations =
        (t - f - q) * (b - u - 2.0) * (b - u - 1.0) / 2.0 + f * (b - u - 2.0) * (b - u - 3.0) / 2.0;
    let searched = (b - 1.0) * q;
    let v = unknowns - searched;
    if v < 0.0 || v > (2.0 * equations).max(0.0).sqrt() - 2.0 {
        return None;
    }
    let v = v.max(1.0);
    let large = exponent.map_or_else(
        || v.powi(4) * unknowns.powi(2) / 8.0 / (v * v / 2.0).max(2.0).log2(),
        |omega| (v * v / 2.0 + 2.0).powf(omega),
    );
    let small = 1.25 * (2.0 * v * v * searched + v * searched * searched)
        + (2.5 * v).powi(3) / (2.5 * v).max(2.0).log2();
    let (x, y) = ((first + large).log2(), small.max(1.0).log2() + b.log2() * q);
    Some(x.max(y) + (1.0 + (-(x - y).abs()).exp2()).log2() - right)
}

fn all(lpn: Lpn) -> [(&'static str, f64); 8] {
    [
        ("pooled Gauss", gauss(lpn)),
        ("Stern", stern(lpn)),
        ("regular decoding", regular(lpn, false)),
        ("regular decoding of a subsample", regular(lpn, true)),
        ("hybrid", hybrid(lpn, None)),
        ("hybrid, exponent 2.8", hybrid(lpn, Some(2.8))),
        ("algebraic", agb(lpn)),
        ("algebraic in two stages", agb_two_stages(lpn)),
    ]
}

#[test]
fn every_attack_on_every_set_costs_its_bound() {
    use SilentSet::{Large, Medium, Small, SmallTwice};
    for set in [Small, SmallTwice, Medium, Large] {
        // Any of the instances that share a matrix may be the one that falls.
        let instances = u32::try_from(set.instances()).expect("few instances");
        for (name, bits) in all(Lpn::of(set)) {
            let bits = bits - f64::from(instances).log2();
            assert!(
                (BOUND..400.0).contains(&bits),
                "{set:?}, {name}: 2^{bits:.1}"
            );
        }
    }
}

/// The estimates are those of the authors' programs on parameters in use elsewhere, and of the sets at ratio 72, which the
/// attack on a subsample rules out.
#[test]
fn the_estimates_are_those_that_are_known() {
    let lpn = |samples, secret, weight| Lpn {
        samples,
        secret,
        weight,
    };
    let near =
        |got: f64, expected: f64| assert!((got - expected).abs() < 0.1, "{got} is not {expected}");
    let large = lpn(10_485_760.0, 452_000.0, 1280.0);
    for (got, expected) in
        all(large)
            .into_iter()
            .zip([133.7, 129.1, 132.3, f64::NAN, 125.3, 123.2, 139.7, 132.0])
    {
        if !expected.is_nan() {
            near(got.1, expected);
        }
    }
    for (set, expected) in [
        (
            lpn(786_432.0, 73_728.0, 768.0),
            [153.3, 143.2, 144.8, 131.2, 143.3, 142.2, 159.6, 151.9],
        ),
        (
            lpn(2_097_152.0, 147_456.0, 1024.0),
            [155.1, 146.5, 148.5, 133.5, 143.5, 142.0, 159.4, 151.2],
        ),
        (
            lpn(5_242_880.0, 294_912.0, 1280.0),
            [157.3, 149.9, 152.4, 136.1, 144.5, 142.7, 160.0, 151.5],
        ),
    ] {
        for (got, expected) in all(set).into_iter().zip(expected) {
            near(got.1, expected);
        }
    }
}

#[test]
fn factorials() {
    for (n, expected) in [
        (0.0, 1.0_f64),
        (1.0, 1.0),
        (5.0, 120.0),
        (10.0, 3_628_800.0),
    ] {
        assert!((log_factorial(n) - expected.log2()).abs() < 1e-9);
    }
}
