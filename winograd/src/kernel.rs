//! The one-dimensional transforms, by additions and shifts on many tiles at once.

use std::ops::{Add, Sub};

use ring_arith::Word;

use crate::tile::MAX_POINTS;

/// Tiles that are transformed at once; LOCAL. More make fewer, longer pieces of each position, less
/// room in the first-level cache.
pub(crate) const LANES: usize = 128;

/// The same element of [`LANES`] tiles: loops over it become vector instructions.
pub(crate) type Lanes<W> = [W; LANES];

/// Some tiles, element by element; those of fewer points use the first rows and columns.
#[derive(Clone)]
pub(crate) struct Tiles<W>(pub(crate) [[Lanes<W>; MAX_POINTS]; MAX_POINTS]);

/// The direction of a one-dimensional transform.
#[derive(Clone, Copy)]
pub(crate) enum Axis {
    /// Along the columns, number by number.
    Down,
    /// Along the rows.
    Across,
}

/// A word with the operators of its ring.
#[derive(Clone, Copy)]
struct Ring<W>(W);

impl<W: Word> Ring<W> {
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

impl<W: Word> Tiles<W> {
    pub(crate) fn zero() -> Self {
        Self([[[W::default(); LANES]; MAX_POINTS]; MAX_POINTS])
    }

    /// The input transform for `points` points of `lines` rows or columns: row p holds the
    /// coefficients of M(x)/(x − p), the row of ∞ those of M(x), where M is the product of all
    /// x − p.
    pub(crate) fn input(&mut self, axis: Axis, points: usize, lines: usize) {
        match points {
            3 => self.each(axis, lines, |[d0, d1, d2]| [d1 - d0, d1, d2 - d1]),
            4 => self.each(axis, lines, |[d0, d1, d2, d3]| {
                [d2 - d0, d1 + d2, d2 - d1, d3 - d1]
            }),
            5 => self.each(axis, lines, |[d0, d1, d2, d3, d4]| {
                let (one, odd) = (d1.shl(1), d3 - d1);
                [
                    odd - (d2 - d0).shl(1),
                    d3 - d2 - one,
                    d3 - d2 - d2.shl(1) + one,
                    odd,
                    d4 - d2 - odd.shl(1),
                ]
            }),
            _ => self.each(axis, lines, |[d0, d1, d2, d3, d4, d5]| {
                let (a, b) = (d4 - d2.shl(2), d3 - d1.shl(2));
                let (c, d) = (d4 - d2, (d3 - d1).shl(1));
                let first = d0.shl(2) - d2 + a;
                [first, a + b, a - b, c + d, c - d, d5 - d3.shl(2) - b]
            }),
        }
    }

    /// The output transform for `points` points and `outputs` outputs: output o is Σ p^o times
    /// the product at p, and the last one has the product at ∞ as well.
    pub(crate) fn output(&mut self, axis: Axis, points: usize, outputs: usize, lines: usize) {
        match (points, outputs) {
            (3, _) => self.each(axis, lines, |[p0, p1, end]| [p0 + p1 + end, p1, end]),
            (4, _) => self.each(axis, lines, |[p0, p1, n1, end]| {
                [p0 + p1 + n1, p1 - n1 + end, n1, end]
            }),
            (5, 1) => self.each(axis, lines, |[p0, p1, n1, p2, end]| {
                [p0 + p1 + n1 + p2 + end, p1, n1, p2, end]
            }),
            (5, _) => self.each(axis, lines, |[p0, p1, n1, p2, end]| {
                let (even, odd) = (p1 + n1, p1 - n1);
                let last = even + p2.shl(2) + end;
                [p0 + even + p2, odd + p2.shl(1), last, p2, end]
            }),
            (_, 2) => self.each(axis, lines, |[p0, p1, n1, p2, n2, end]| {
                let last = p1 - n1 + (p2 - n2).shl(1) + end;
                [p0 + p1 + n1 + p2 + n2, last, n1, p2, n2, end]
            }),
            _ => self.each(axis, lines, |[p0, p1, n1, p2, n2, end]| {
                let (even, odd) = (p1 + n1, p1 - n1);
                let (twice, thrice) = (p2 + n2, p2 - n2);
                [
                    p0 + even + twice,
                    odd + thrice.shl(1),
                    even + twice.shl(2),
                    odd + thrice.shl(3) + end,
                    n2,
                    end,
                ]
            }),
        }
    }

    /// Applies `f` to the first `lines` rows or columns, lane by lane.
    #[inline(always)]
    fn each<const N: usize>(
        &mut self,
        axis: Axis,
        lines: usize,
        f: impl Fn([Ring<W>; N]) -> [Ring<W>; N],
    ) {
        match axis {
            Axis::Across => {
                for row in &mut self.0[..lines] {
                    for i in 0..LANES {
                        let new = f(std::array::from_fn(|k| Ring(row[k][i])));
                        for k in 0..N {
                            row[k][i] = new[k].0;
                        }
                    }
                }
            }
            Axis::Down => {
                for column in 0..lines.min(MAX_POINTS) {
                    for i in 0..LANES {
                        let new = f(std::array::from_fn(|k| Ring(self.0[k][column][i])));
                        for k in 0..N {
                            self.0[k][column][i] = new[k].0;
                        }
                    }
                }
            }
        }
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

    /// What a transform makes of a unit in line 1, in both directions alike.
    fn images(unit: usize, f: impl Fn(&mut Tiles<u64>, Axis)) -> Vec<i64> {
        let (mut down, mut across) = (Tiles::zero(), Tiles::zero());
        down.0[unit][1] = [1; LANES];
        across.0[1][unit] = [1; LANES];
        f(&mut down, Axis::Down);
        f(&mut across, Axis::Across);
        let value = |k: usize| {
            let v = across.0[1][k];
            assert_eq!(v, [v[0]; LANES]);
            assert_eq!(v, down.0[k][1]);
            v[0].cast_signed()
        };
        (0..MAX_POINTS).map(value).collect()
    }

    #[test]
    fn input_rows_are_the_polynomials() {
        for points in 3..=6 {
            let finite = &ALL[..points - 1];
            for k in 0..points {
                let column = images(k, |tiles, axis| tiles.input(axis, points, 2));
                for p in 0..points {
                    let others = finite.iter().copied();
                    let others: Vec<_> = others.filter(|q| finite.get(p) != Some(q)).collect();
                    let mut row = polynomial(&others);
                    row.resize(points, 0);
                    assert_eq!(column[p], row[k], "{points} points, {p}, {k}");
                }
            }
        }
    }

    #[test]
    fn output_columns_are_powers() {
        for (points, outputs) in [(3, 1), (4, 2), (5, 3), (6, 4), (5, 1), (6, 2)] {
            for p in 0..points {
                let y = images(p, |tiles, axis| tiles.output(axis, points, outputs, 2));
                for (o, &y) in (0_u32..).zip(&y[..outputs]) {
                    let last = i64::from(o as usize + 1 == outputs);
                    let power = ALL[..points - 1].get(p).map_or(last, |v| v.pow(o));
                    assert_eq!(y, power, "{points} points, {outputs} outputs, {p}");
                }
            }
        }
    }
}
