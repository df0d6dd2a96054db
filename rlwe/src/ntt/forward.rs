//! The forward transform: butterflies that multiply first, from the coefficients in their order.
//!
//! Of the eight values of three levels only the first is reduced before. If all are below B·p, what comes out is below
//! 1/2 + m(B) + m(B₁) + m(B₂) times p, where m(B) = 1/2 + B/32 bounds a product, B₁ = B + m(B) and B₂ = B₁ + m(B₁): for B of at most
//! 2.3 again at most 2.3, and what is multiplied is below 3.5.

use super::machine::{Field, Machine, Operation, Powers};
use super::tables::{Fan, Fans, Line, Pass, Tables};

/// Transforms x in place. Coefficients from `nonzero` on count as zero.
pub(super) struct Forward<'a> {
    pub(super) tables: &'a Tables,
    pub(super) x: &'a mut [f64],
    pub(super) nonzero: usize,
}

impl Operation for Forward<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { tables, x, nonzero } = self;
        let field = Field::new(machine, tables.prime);
        let degree = x.len();
        let source = nonzero.next_power_of_two().min(degree);
        x[nonzero.min(degree)..source].fill(0.0);
        if source == 1 {
            // Nothing but a constant, or nothing at all.
            let constant = if nonzero == 0 { 0.0 } else { x[0] };
            x.fill(constant);
            return;
        }
        let lines = x.as_chunks_mut::<8>().0;
        let spread = passes(field, &tables.forward.passes, lines, source);
        let blocks = lines.as_chunks_mut::<8>().0;
        if spread {
            return in_place(field, tables, blocks);
        }
        // All blocks are still copies of the first.
        match source {
            2 => octets::<M, 2>(field, tables, blocks),
            4 => octets::<M, 4>(field, tables, blocks),
            8 => octets::<M, 8>(field, tables, blocks),
            16 => copies::<M, 2>(field, tables, lines),
            32 => copies::<M, 4>(field, tables, lines),
            _ => copies::<M, 8>(field, tables, lines),
        }
    }
}

/// The levels above blocks of 64. While only the first part of a block is not zero, a level makes copies of it: these are not written,
/// and the first pass that computes takes all blocks from the first. Whether any did.
#[inline(always)]
fn passes<M: Machine>(f: Field<M>, passes: &[Pass], x: &mut [Line], source: usize) -> bool {
    let mut spread = false;
    let mut size = x.len();
    for pass in passes {
        let (stride, fans) = match pass {
            Pass::Eight(fans) => (size / 8, fans),
            Pass::Two(fans) => (size / 2, fans),
        };
        match (pass, source / (8 * stride)) {
            (Pass::Eight(_), _) if spread => {
                for (block, fan) in x.chunks_exact_mut(size).zip(fans) {
                    eight(f, block, fan);
                }
            }
            (Pass::Two(_), _) if spread => {
                for (block, fan) in x.chunks_exact_mut(size).zip(fans) {
                    two(f, block, stride, std::slice::from_ref(fan));
                }
            }
            (_, 0 | 1) => {
                size = stride;
                continue;
            }
            (Pass::Eight(_), 2) => spread_eight::<M, 2>(f, x, fans),
            (Pass::Eight(_), 4) => spread_eight::<M, 4>(f, x, fans),
            (Pass::Eight(_), _) => spread_eight::<M, 8>(f, x, fans),
            (Pass::Two(_), _) => two(f, x, stride, fans),
        }
        spread = true;
        size = stride;
    }
    spread
}

/// Three levels of one block.
#[inline(always)]
fn eight<M: Machine>(f: Field<M>, block: &mut [Line], fan: &Fan) {
    let m = f.machine;
    let rows = eighths(block);
    for j in 0..rows[0].len() {
        for part in 0..M::PARTS {
            let a = std::array::from_fn(|k| m.load(&rows[k][j], part));
            let out = butterfly::<M, _, 8>(f, a, fan);
            for k in 0..8 {
                m.store(&mut rows[k][j], part, out[k]);
            }
        }
    }
}

/// Three levels of all blocks, from the first Z parts of the first one.
#[inline(always)]
fn spread_eight<M: Machine, const Z: usize>(f: Field<M>, x: &mut [Line], fans: &[Fan]) {
    let m = f.machine;
    let stride = x.len() / (8 * fans.len());
    for j in 0..stride {
        for part in 0..M::PARTS {
            let a =
                std::array::from_fn(|k| m.load(&x[if k < Z { k * stride + j } else { j }], part));
            for (block, fan) in x.chunks_exact_mut(8 * stride).zip(fans) {
                let out = butterfly::<M, _, Z>(f, a, fan);
                let rows = eighths(block);
                for k in 0..8 {
                    m.store(&mut rows[k][j], part, out[k]);
                }
            }
        }
    }
}

/// One level of all blocks, from both halves of the first one.
#[inline(always)]
fn two<M: Machine>(f: Field<M>, x: &mut [Line], stride: usize, fans: &[Fan]) {
    let m = f.machine;
    assert_eq!(x.len(), 2 * stride * fans.len(), "whole blocks");
    for j in 0..stride {
        for part in 0..M::PARTS {
            let a = f.reduce(m.load(&x[j], part));
            let b = m.load(&x[stride + j], part);
            for (i, fan) in fans.iter().enumerate() {
                let b = f.times(b, fan.power(m, 1));
                m.store(&mut x[2 * i * stride + j], part, m.add(a, b));
                m.store(&mut x[(2 * i + 1) * stride + j], part, m.sub(a, b));
            }
        }
    }
}

/// The last six levels of every block.
#[inline(always)]
fn in_place<M: Machine>(f: Field<M>, tables: &Tables, blocks: &mut [[Line; 8]]) {
    for (block, fan) in blocks.iter_mut().zip(&tables.forward.upper) {
        eight(f, block, fan);
    }
    for (block, fans) in blocks.iter_mut().zip(&tables.forward.lower) {
        lower_levels(f, block, fans);
    }
}

/// The last six levels, all blocks being copies of the first, of which the first Z lines are not zero.
#[inline(always)]
fn copies<M: Machine, const Z: usize>(f: Field<M>, tables: &Tables, x: &mut [Line]) {
    spread_eight::<M, Z>(f, x, &tables.forward.upper);
    for (block, fans) in x
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(&tables.forward.lower)
    {
        lower_levels(f, block, fans);
    }
}

/// The last three levels, all lines being copies of one of which the first Z doubles are not zero.
#[inline(always)]
fn octets<M: Machine, const Z: usize>(f: Field<M>, tables: &Tables, blocks: &mut [[Line; 8]]) {
    let m = f.machine;
    let a = blocks[0][0].map(|x| m.splat(x));
    for (block, lower) in blocks.iter_mut().zip(&tables.forward.lower) {
        for part in 0..M::PARTS {
            let out = butterfly::<M, _, Z>(f, a, (lower, part));
            for k in 0..8 {
                m.store(&mut block[k], part, out[k]);
            }
        }
    }
}

/// Three levels within lines, and entry k of line l goes to entry l of line k.
#[inline(always)]
fn lower_levels<M: Machine>(f: Field<M>, block: &mut [Line; 8], fans: &Fans) {
    let m = f.machine;
    let lanes = 8 / M::PARTS;
    let rows = *block;
    for part in 0..M::PARTS {
        let a = std::array::from_fn(|n| m.load(&rows[lanes * part + n % lanes], n / lanes));
        let a = butterfly::<M, _, 8>(f, m.transpose(a), (fans, part));
        for k in 0..8 {
            m.store(&mut block[k], part, a[k]);
        }
    }
}

/// The eighths of a block.
#[inline(always)]
pub(super) fn eighths(block: &mut [Line]) -> [&mut [Line]; 8] {
    let half = block.len() / 2;
    let (quarter, eighth) = (half / 2, half / 4);
    let (low, high) = block.split_at_mut(half);
    let ((ab, cd), (ef, gh)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
    let ((a, b), (c, d)) = (ab.split_at_mut(eighth), cd.split_at_mut(eighth));
    let ((e, f), (g, h)) = (ef.split_at_mut(eighth), gh.split_at_mut(eighth));
    [a, b, c, d, e, f, g, h]
}

/// Three levels, where only the first Z inputs are not zero.
#[inline(always)]
fn butterfly<M: Machine, P: Powers<M>, const Z: usize>(
    f: Field<M>,
    mut a: [M::Vector; 8],
    powers: P,
) -> [M::Vector; 8] {
    const { assert!(Z == 2 || Z == 4 || Z == 8) };
    let m = f.machine;
    a[0] = f.reduce(a[0]);
    if Z > 4 {
        let w = powers.power(m, 1);
        let b = f.times_each([a[4], a[5], a[6], a[7]], [w; 4]);
        for i in 0..4 {
            a[i + 4] = m.sub(a[i], b[i]);
            a[i] = m.add(a[i], b[i]);
        }
    } else {
        for i in 0..4 {
            a[i + 4] = a[i];
        }
    }
    if Z > 2 {
        let (v, w) = (powers.power(m, 2), powers.power(m, 3));
        let b = f.times_each([a[2], a[3], a[6], a[7]], [v, v, w, w]);
        for (i, b) in [0, 1, 4, 5].into_iter().zip(b) {
            a[i + 2] = m.sub(a[i], b);
            a[i] = m.add(a[i], b);
        }
    } else {
        for i in [0, 1, 4, 5] {
            a[i + 2] = a[i];
        }
    }
    let w = [
        powers.power(m, 4),
        powers.power(m, 5),
        powers.power(m, 6),
        powers.power(m, 7),
    ];
    let b = f.times_each([a[1], a[3], a[5], a[7]], w);
    for (i, b) in [0, 2, 4, 6].into_iter().zip(b) {
        a[i + 1] = m.sub(a[i], b);
        a[i] = m.add(a[i], b);
    }
    a
}
