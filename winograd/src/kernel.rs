//! The one-dimensional transforms, by additions and shifts on many tiles at once.

use std::ops::{Add, Sub};

use ring_arith::Word;

/// Tiles that are transformed at a time, enough for the compiler to use vector instructions; LOCAL.
pub(crate) const LANES: usize = 32;

/// Applies a transform to [`LANES`] tiles at once; element k of the tiles begins at `at[k]` in `words`.
#[inline(always)]
pub(crate) fn each<W: Word, const N: usize, const M: usize>(
    words: &[W],
    at: [usize; N],
    f: impl Fn([Ring<W>; N]) -> [Ring<W>; M],
) -> [[W; LANES]; M] {
    let d = at.map(|at| words[at..].first_chunk::<LANES>().expect("whole lanes"));
    let mut out = [[W::default(); LANES]; M];
    for i in 0..LANES {
        let new = f(std::array::from_fn(|k| Ring(d[k][i])));
        for o in 0..M {
            out[o][i] = new[o].0;
        }
    }
    out
}

/// A word with the operators of the ring of integers mod 2^(its bits).
#[derive(Clone, Copy)]
pub(crate) struct Ring<W>(W);

impl<W: Word> Ring<W> {
    #[inline(always)]
    pub(crate) fn scale(self, factor: W) -> Self {
        Self(self.0.wrapping_mul(factor))
    }

    #[inline(always)]
    fn shl(self, n: u32) -> Self {
        Self(self.0.shl(n))
    }
}

impl<W: Word> Add for Ring<W> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl<W: Word> Sub for Ring<W> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

/// The transform of one row or column of inputs. Its row for point p holds the coefficients of
/// M(x)/(x − p), and that for ∞ those of M(x), where M is the product of x − p over all finite points p.
pub(crate) trait Input {
    fn input(self) -> Self;
}

impl<W: Word> Input for [Ring<W>; 3] {
    #[inline(always)]
    fn input(self) -> Self {
        let [d0, d1, d2] = self;
        [d1 - d0, d1, d2 - d1]
    }
}

impl<W: Word> Input for [Ring<W>; 4] {
    #[inline(always)]
    fn input(self) -> Self {
        let [d0, d1, d2, d3] = self;
        [d2 - d0, d1 + d2, d2 - d1, d3 - d1]
    }
}

impl<W: Word> Input for [Ring<W>; 5] {
    #[inline(always)]
    fn input(self) -> Self {
        let [d0, d1, d2, d3, d4] = self;
        let (one, odd) = (d1.shl(1), d3 - d1);
        [
            odd - (d2 - d0).shl(1),
            d3 - d2 - one,
            d3 - d2 - d2.shl(1) + one,
            odd,
            d4 - d2 - odd.shl(1),
        ]
    }
}

impl<W: Word> Input for [Ring<W>; 6] {
    #[inline(always)]
    fn input(self) -> Self {
        let [d0, d1, d2, d3, d4, d5] = self;
        let (a, b) = (d4 - d2.shl(2), d3 - d1.shl(2));
        let (c, d) = (d4 - d2, (d3 - d1).shl(1));
        let first = d0.shl(2) - d2 + a;
        [first, a + b, a - b, c + d, c - d, d5 - d3.shl(2) - b]
    }
}

/// The transform of one row or column of products to M outputs: output o is the sum over all points p of
/// p^o times the product at p, and the last output has the product at ∞ as well.
pub(crate) trait Output<W, const M: usize> {
    fn output(self) -> [Ring<W>; M];
}

impl<W: Word> Output<W, 1> for [Ring<W>; 3] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 1] {
        let [p0, p1, end] = self;
        [p0 + p1 + end]
    }
}

impl<W: Word> Output<W, 2> for [Ring<W>; 4] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 2] {
        let [p0, p1, n1, end] = self;
        [p0 + p1 + n1, p1 - n1 + end]
    }
}

impl<W: Word> Output<W, 1> for [Ring<W>; 5] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 1] {
        let [p0, p1, n1, p2, end] = self;
        [p0 + p1 + n1 + p2 + end]
    }
}

impl<W: Word> Output<W, 3> for [Ring<W>; 5] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 3] {
        let [p0, p1, n1, p2, end] = self;
        let (even, odd) = (p1 + n1, p1 - n1);
        [p0 + even + p2, odd + p2.shl(1), even + p2.shl(2) + end]
    }
}

impl<W: Word> Output<W, 2> for [Ring<W>; 6] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 2] {
        let [p0, p1, n1, p2, n2, end] = self;
        let last = p1 - n1 + (p2 - n2).shl(1) + end;
        [p0 + p1 + n1 + p2 + n2, last]
    }
}

impl<W: Word> Output<W, 4> for [Ring<W>; 6] {
    #[inline(always)]
    fn output(self) -> [Ring<W>; 4] {
        let [p0, p1, n1, p2, n2, end] = self;
        let (even, odd) = (p1 + n1, p1 - n1);
        let (twice, thrice) = (p2 + n2, p2 - n2);
        [
            p0 + even + twice,
            odd + thrice.shl(1),
            even + twice.shl(2),
            odd + thrice.shl(3) + end,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [i64; 5] = [0, 1, -1, 2, -2];

    /// The product of (x − p) over some points, lowest coefficient first.
    fn polynomial(points: &[i64]) -> Vec<i64> {
        points.iter().fold(vec![1], |product, p| {
            let mut next = vec![0; product.len() + 1];
            for (k, v) in product.iter().enumerate() {
                next[k] -= p * v;
                next[k + 1] += v;
            }
            next
        })
    }

    /// What a transform makes of a unit at every point: row k is that of point k.
    fn images<const N: usize, const M: usize>(
        f: impl Fn([Ring<u64>; N]) -> [Ring<u64>; M],
    ) -> [[i64; M]; N] {
        let at = std::array::from_fn(|k| k * LANES);
        std::array::from_fn(|unit| {
            let mut words = vec![0; N * LANES];
            words[at[unit]..][..LANES].fill(1);
            each(&words, at, &f).map(|lanes| {
                assert_eq!(lanes, [lanes[0]; LANES]);
                lanes[0].cast_signed()
            })
        })
    }

    fn check_input<const N: usize>()
    where
        [Ring<u64>; N]: Input,
    {
        let (images, finite) = (images::<N, N>(Input::input), &ALL[..N - 1]);
        for p in 0..N {
            let others = finite.iter().copied();
            let others: Vec<_> = others.filter(|q| finite.get(p) != Some(q)).collect();
            let mut row = polynomial(&others);
            row.resize(N, 0);
            for k in 0..N {
                assert_eq!(images[k][p], row[k], "{N} points, {p}, {k}");
            }
        }
    }

    #[test]
    fn input_rows_are_the_polynomials() {
        check_input::<3>();
        check_input::<4>();
        check_input::<5>();
        check_input::<6>();
    }

    fn check_output<const N: usize, const M: usize>()
    where
        [Ring<u64>; N]: Output<u64, M>,
    {
        for (p, image) in images::<N, M>(Output::output).iter().enumerate() {
            for (o, &y) in (0_u32..).zip(image) {
                let last = i64::from(o as usize + 1 == M);
                let power = ALL[..N - 1].get(p).map_or(last, |v| v.pow(o));
                assert_eq!(y, power, "{N} points, {M} outputs, {p}");
            }
        }
    }

    #[test]
    fn output_columns_are_powers() {
        check_output::<3, 1>();
        check_output::<4, 2>();
        check_output::<5, 3>();
        check_output::<6, 4>();
        check_output::<5, 1>();
        check_output::<6, 2>();
    }
}
