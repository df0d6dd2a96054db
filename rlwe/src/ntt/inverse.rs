//! The inverse transform: butterflies that multiply differences, the last of them by the scale as well.
//!
//! If all of eight values are at most p, the first of three levels gives sums of 2p, the second sums of 4p, of which the first two are
//! reduced, and the third one of p (the first), one of 2.25p, one of 1.25p and one of 1.07p, which are reduced; products are below 0.63p.
//! What is multiplied is at most 4p.

use super::machine::{Field, Machine, Operation, Powers};
use super::tables::{BLOCK, Fan, Fans, Line, Pass, Tables};

/// Transforms x, of at most 7p, in place and multiplies it by `scale`, below p. What comes out is next to zero.
pub(super) struct Inverse<'a> {
    pub(super) tables: &'a Tables,
    pub(super) x: &'a mut [f64],
    pub(super) scale: u64,
}

impl Operation for Inverse<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { tables, x, scale } = self;
        let Tables { prime, inverse, .. } = tables;
        let field = Field::new(machine, *prime);
        let x = x.as_chunks_mut::<8>().0;
        let fans = inverse.lower.iter().zip(&inverse.upper);
        for (block, (lower, upper)) in x.as_chunks_mut::<8>().0.iter_mut().zip(fans) {
            let rows = lower_levels(field, block, lower);
            upper_levels(field, &rows, block, upper);
        }
        let mut stride = BLOCK / 8;
        for pass in inverse.passes.iter().rev() {
            match pass {
                Pass::Eight(fans) if fans.len() == 1 => {
                    let scaled = fans[0].scaled(scale, *prime);
                    return last(field, x, &fans[0], &scaled);
                }
                Pass::Eight(fans) => {
                    for (block, fan) in x.chunks_exact_mut(8 * stride).zip(fans) {
                        eight(field, block, fan);
                    }
                    stride *= 8;
                }
                Pass::Two(fans) => {
                    for (block, fan) in x.chunks_exact_mut(2 * stride).zip(fans) {
                        two(field, block, fan);
                    }
                    stride *= 2;
                }
            }
        }
        let scale = inverse.upper[0].scaled(scale, *prime);
        for line in x {
            for part in 0..M::PARTS {
                let a = field.times(machine.load(line, part), (&scale).power(machine, 0));
                machine.store(line, part, field.reduce(a));
            }
        }
    }
}

/// Three levels within lines. Entry l of line k goes to entry k of line l of the rows.
#[inline(always)]
fn lower_levels<M: Machine>(f: Field<M>, x: &[Line; 8], fans: &Fans) -> [Line; 8] {
    let m = f.machine;
    let lanes = 8 / M::PARTS;
    let mut rows = [[0.0; 8]; 8];
    for part in 0..M::PARTS {
        let a = std::array::from_fn(|k| f.reduce(m.load(&x[k], part)));
        let a = m.transpose(butterfly(f, a, (fans, part)));
        for n in 0..8 {
            m.store(&mut rows[lanes * part + n % lanes], n / lanes, a[n]);
        }
    }
    rows
}

/// Three levels over the lines of a block.
#[inline(always)]
fn upper_levels<M: Machine>(f: Field<M>, rows: &[Line; 8], out: &mut [Line; 8], fan: &Fan) {
    let m = f.machine;
    for part in 0..M::PARTS {
        let a = std::array::from_fn(|k| m.load(&rows[k], part));
        let a = butterfly(f, a, fan);
        for k in 0..8 {
            m.store(&mut out[k], part, a[k]);
        }
    }
}

/// Three levels of a block.
#[inline(always)]
fn eight<M: Machine>(f: Field<M>, x: &mut [Line], fan: &Fan) {
    let m = f.machine;
    let stride = x.len() / 8;
    for j in 0..stride {
        for part in 0..M::PARTS {
            let a = std::array::from_fn(|k| m.load(&x[k * stride + j], part));
            let a = butterfly(f, a, fan);
            for k in 0..8 {
                m.store(&mut x[k * stride + j], part, a[k]);
            }
        }
    }
}

/// One level of a block.
#[inline(always)]
fn two<M: Machine>(f: Field<M>, x: &mut [Line], fan: &Fan) {
    let m = f.machine;
    let stride = x.len() / 2;
    for j in 0..stride {
        for part in 0..M::PARTS {
            let (a, b) = (m.load(&x[j], part), m.load(&x[stride + j], part));
            m.store(&mut x[j], part, f.reduce(m.add(a, b)));
            let difference = f.times(m.sub(a, b), fan.power(m, 1));
            m.store(&mut x[stride + j], part, difference);
        }
    }
}

/// The last three levels and the scale: each result but the first passes one product by the scale as well.
#[inline(always)]
fn last<M: Machine>(f: Field<M>, x: &mut [Line], plain: &Fan, scaled: &Fan) {
    let m = f.machine;
    let stride = x.len() / 8;
    for j in 0..stride {
        for part in 0..M::PARTS {
            let a = std::array::from_fn(|k| m.load(&x[k * stride + j], part));
            let a = scaling_butterfly(f, a, plain, scaled);
            for k in 0..8 {
                m.store(&mut x[k * stride + j], part, f.reduce(a[k]));
            }
        }
    }
}

/// (a + b, (a − b)·w).
#[inline(always)]
fn cross<M: Machine, P: Powers<M>>(
    f: Field<M>,
    a: &mut [M::Vector; 8],
    (i, j): (usize, usize),
    powers: P,
    k: usize,
) {
    let m = f.machine;
    let (x, y) = (a[i], a[j]);
    a[i] = m.add(x, y);
    a[j] = f.times(m.sub(x, y), powers.power(m, k));
}

#[inline(always)]
fn butterfly<M: Machine, P: Powers<M>>(
    f: Field<M>,
    mut a: [M::Vector; 8],
    powers: P,
) -> [M::Vector; 8] {
    for i in 0..4 {
        cross(f, &mut a, (2 * i, 2 * i + 1), powers, 4 + i);
    }
    for i in [0, 1, 4, 5] {
        cross(f, &mut a, (i, i + 2), powers, 2 + i / 4);
    }
    a[0] = f.reduce(a[0]);
    a[4] = f.reduce(a[4]);
    for i in 0..4 {
        cross(f, &mut a, (i, i + 4), powers, 1);
    }
    for i in 1..4 {
        a[i] = f.reduce(a[i]);
    }
    a
}

#[inline(always)]
fn scaling_butterfly<M: Machine>(
    f: Field<M>,
    mut a: [M::Vector; 8],
    plain: &Fan,
    scaled: &Fan,
) -> [M::Vector; 8] {
    for i in 0..4 {
        cross(f, &mut a, (2 * i, 2 * i + 1), scaled, 4 + i);
    }
    for i in [0, 4] {
        cross(f, &mut a, (i, i + 2), scaled, 2 + i / 4);
        cross(f, &mut a, (i + 1, i + 3), plain, 2 + i / 4);
        a[i] = f.reduce(a[i]);
    }
    cross(f, &mut a, (0, 4), scaled, 1);
    for i in 1..4 {
        cross(f, &mut a, (i, i + 4), plain, 1);
    }
    a[0] = f.times(a[0], scaled.power(f.machine, 0));
    a
}
