//! Algebraic attacks: the products of two errors of a block are 0, which makes quadratic equations of the unknowns.
//!
//! The attacker guesses μ samples without an error in each of f blocks, multiplies the equations by monomials up to a
//! degree d and eliminates. How many equations are left over at a degree, a Hilbert series says:
//! (1 + (b − μ − 1)·z)^f · (1 + (b − 1)·z)^(t − f) / (1 + z)^(N − k − 1).

use super::{Lpn, least};

/// The largest degree that pays.
const DEGREES: usize = 4;

/// Exponent and constant of fast elimination.
const FAST: (f64, f64) = (2.8, 5.64);

/// What the matrix of a guess has, for the degrees 2, 3 and 4.
struct Matrix {
    /// log2 of 1 over the probability that the guess is right.
    wrong: f64,
    /// Monomials up to the degree.
    monomials: [f64; DEGREES - 1],
    /// Coefficients of the series.
    left: [f64; DEGREES + 1],
}

/// The coefficients of (1 + x·z)^n.
fn power(x: f64, n: f64) -> [f64; DEGREES + 1] {
    let mut series = [1.0; DEGREES + 1];
    let mut place = 0.0;
    for d in 1..=DEGREES {
        series[d] = series[d - 1] * x * (n - place) / (place + 1.0);
        place += 1.0;
    }
    series
}

fn product(a: [f64; DEGREES + 1], b: [f64; DEGREES + 1]) -> [f64; DEGREES + 1] {
    std::array::from_fn(|d| (0..=d).map(|i| a[i] * b[d - i]).sum())
}

impl Matrix {
    fn new(lpn: Lpn, f: f64, mu: f64) -> Self {
        let (b, t) = (lpn.block(), lpn.weight);
        let all = product(power(b - mu - 1.0, f), power(b - 1.0, t - f));
        let left = product(all, power(1.0, 1.0 - (lpn.samples - lpn.secret)));
        let up_to = |d: usize| all[1..=d].iter().sum();
        Self {
            wrong: -f * (1.0 - mu / b).log2(),
            monomials: [up_to(2), up_to(3), up_to(4)],
            left,
        }
    }

    /// The sum of the coefficients from one degree to another; below 1 the equations suffice.
    fn left(&self, from: usize, to: usize) -> f64 {
        self.left[from..=to].iter().sum()
    }
}

/// All guesses that are looked at: f, μ and the matrix.
fn guesses(lpn: Lpn) -> impl Iterator<Item = (f64, f64, Matrix)> {
    let (t, k, b) = (lpn.weight, lpn.secret, lpn.block());
    let most = (b - 2.0).min(2.0 * k / t + 2.0);
    let whole =
        |n: f64| std::iter::successors(Some(0.0), |n| Some(n + 1.0)).take_while(move |i| *i <= n);
    let blocks = whole(300.0).map(move |i| (3.0 + (t - 3.0) * i / 300.0).floor());
    let blocks = blocks.chain(whole(100.0).map(move |i| (t - i).max(3.0)));
    let both = blocks.flat_map(move |f| whole(most).map(move |mu| (f, mu)));
    both.filter(move |(f, mu)| f * mu <= k)
        .map(move |(f, mu)| (f, mu, Matrix::new(lpn, f, mu)))
}

/// Guesses and one elimination, eprint 2023/176.
pub(super) fn agb(lpn: Lpn) -> f64 {
    least(guesses(lpn).filter_map(|(f, mu, matrix)| {
        let degree = (2..=DEGREES).find(|&d| matrix.left(1, d) < 1.0)?;
        let size = matrix.monomials[degree - 2].log2();
        let rounds = 3.0 * (lpn.secret + 1.0 - f * mu);
        Some(2.0 * size + rounds.log2() + matrix.wrong)
    }))
}

/// Few guesses and one elimination, from which more guesses go on with what is left of the matrix: eprint 2025/1476.
pub(super) fn agb_two_stages(lpn: Lpn) -> f64 {
    let all: Vec<_> = guesses(lpn).collect();
    least((2..=DEGREES).map(|d| {
        let closed = all.iter().filter(|(.., matrix)| matrix.left(2, d) < 1.0);
        let Some(end) = closed.min_by(|a, b| a.2.wrong.total_cmp(&b.2.wrong)) else {
            return f64::INFINITY;
        };
        let before = all.iter().filter(|(f, mu, _)| *f <= end.0 && *mu <= end.1);
        least(before.map(|(.., matrix)| {
            let size = matrix.monomials[d - 2];
            let left = matrix.left(2, d).max(1.0);
            let eliminated = (size - left).max(1.0);
            let (omega, constant) = FAST;
            let fast = constant.log2() + omega * size.log2();
            let sparse = size.log2() + 2.0 * eliminated.log2() - eliminated.log2().max(1.0).log2();
            let first = fast.min(sparse) + matrix.wrong;
            let second = constant.log2() + omega * left.min(eliminated).log2() + end.2.wrong;
            first.max(second) + (1.0 + (-(first - second).abs()).exp2()).log2()
        }))
    }))
}
