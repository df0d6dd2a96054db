//! The forward transform: butterflies that multiply first, from the coefficients in their order.
//!
//! Of the eight values of three levels only the first is reduced before; every other one is multiplied once. With inputs below B·2^50 what is
//! multiplied is below B, B₁ = B + m(B) and B₂ = B₁ + m(B₁) times 2^50, where m(B) = 1/2 + B/32 bounds a product as a multiple of p, and
//! what comes out is below 1/2 + m(B) + m(B₁) + m(B₂) times p. For B of at most 2.3 that is at most 2.3 again, and B₂ is below 3.5.

use super::levels::{self, Butterfly, eighths, in_pairs, transposed};
use super::machine::{Field, Machine, Operation, Powers, four};
use super::tables::{Direction, Fan, Fans, Line, Pass, Tables};

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
        let (f, tables) = (Field::new(machine, tables.prime), &tables.forward);
        let degree = x.len();
        let source = nonzero.next_power_of_two().min(degree);
        x[nonzero.min(degree)..source].fill(0.0);
        if source == 1 {
            // Nothing but a constant, or nothing at all.
            let constant = if nonzero == 0 { 0.0 } else { x[0] };
            let constant = f.reduce(machine.splat(constant));
            for line in x.as_chunks_mut::<8>().0 {
                for part in 0..M::PARTS {
                    machine.store(line, part, constant);
                }
            }
            return;
        }
        let lines = x.as_chunks_mut::<8>().0;
        if passes(f, &tables.passes, lines, source) {
            let blocks = lines.as_chunks_mut::<8>().0;
            if in_pairs::<M>() && blocks.len() > 1 {
                levels::upper::<M, Multiplied<8>, 2>(f, blocks, &tables.upper);
            } else {
                levels::upper::<M, Multiplied<8>, 1>(f, blocks, &tables.upper);
            }
            return lower(f, blocks, &tables.lower);
        }
        // All blocks are still copies of the first.
        match source {
            2 => octets::<M, 2>(f, tables, lines),
            4 => octets::<M, 4>(f, tables, lines),
            8 => octets::<M, 8>(f, tables, lines),
            16 => spread::<M, 2>(f, lines, &tables.upper),
            32 => spread::<M, 4>(f, lines, &tables.upper),
            _ => spread::<M, 8>(f, lines, &tables.upper),
        }
        if source > 8 {
            lower(f, lines.as_chunks_mut::<8>().0, &tables.lower);
        }
    }
}

/// The levels above blocks of 64. While only the first part of a block is not zero, a level makes copies of it: these are not written,
/// and the first pass that computes takes all blocks from the first. Whether any did.
#[inline(always)]
fn passes<M: Machine>(f: Field<M>, passes: &[Pass], x: &mut [Line], source: usize) -> bool {
    let mut size = x.len();
    let mut spread_out = 8 * size == source;
    for pass in passes {
        let (stride, fans) = match pass {
            Pass::Eight(fans) => (size / 8, fans),
            Pass::Two(fans) => (size / 2, fans),
        };
        let blocks = x.chunks_exact_mut(size).zip(fans);
        match (pass, source / (8 * stride)) {
            (Pass::Eight(_), _) if spread_out => {
                for (x, fan) in blocks {
                    levels::block::<M, Multiplied<8>, _>(f, x, fan);
                }
            }
            (Pass::Two(_), _) if spread_out => {
                for (x, fan) in blocks {
                    two(f, x, stride, std::slice::from_ref(fan));
                }
            }
            (_, 0 | 1) => {}
            (Pass::Eight(_), 2) => spread::<M, 2>(f, x, fans),
            (Pass::Eight(_), 4) => spread::<M, 4>(f, x, fans),
            (Pass::Eight(_), _) => spread::<M, 8>(f, x, fans),
            (Pass::Two(_), _) => two(f, x, stride, fans),
        }
        spread_out |= source > 8 * stride;
        size = stride;
    }
    spread_out
}

/// Three levels of all blocks, from the first Z eighths of the first one.
#[inline(always)]
fn spread<M: Machine, const Z: usize>(f: Field<M>, x: &mut [Line], fans: &[Fan]) {
    if in_pairs::<M>() && fans.len() > 1 {
        spread_columns::<M, Z, 2>(f, x, fans);
    } else {
        spread_columns::<M, Z, 1>(f, x, fans);
    }
}

#[inline(always)]
fn spread_columns<M: Machine, const Z: usize, const G: usize>(
    f: Field<M>,
    x: &mut [Line],
    fans: &[Fan],
) {
    let m = f.machine;
    let stride = x.len() / (8 * fans.len());
    for j in 0..stride {
        for part in 0..M::PARTS {
            let mut source = [m.splat(0.0); 8];
            for k in 0..Z {
                source[k] = m.load(&x[k * stride + j], part);
            }
            let blocks = x.chunks_exact_mut(8 * stride * G);
            for (blocks, fans) in blocks.zip(fans.as_chunks::<G>().0) {
                let mut a = [source; G];
                Multiplied::<Z>::run(f, &mut a, fans.each_ref());
                for (block, a) in blocks.chunks_exact_mut(8 * stride).zip(a) {
                    let rows = eighths(block);
                    for k in 0..8 {
                        m.store(&mut rows[k][j], part, a[k]);
                    }
                }
            }
        }
    }
}

/// One level of all blocks, from both halves of the first one.
#[inline(always)]
fn two<M: Machine>(f: Field<M>, x: &mut [Line], stride: usize, fans: &[Fan]) {
    let m = f.machine;
    for j in 0..stride {
        for part in 0..M::PARTS {
            let a = f.reduce(m.load(&x[j], part));
            let b = m.load(&x[stride + j], part);
            for (block, fan) in x.chunks_exact_mut(2 * stride).zip(fans) {
                let b = f.times(b, fan.power(m, 1));
                m.store(&mut block[j], part, m.add(a, b));
                m.store(&mut block[stride + j], part, m.sub(a, b));
            }
        }
    }
}

/// The last three levels, all lines being copies of one of which the first Z doubles are not zero.
#[inline(always)]
fn octets<M: Machine, const Z: usize>(f: Field<M>, tables: &Direction, x: &mut [Line]) {
    let m = f.machine;
    let mut source = [m.splat(0.0); 8];
    for k in 0..Z {
        source[k] = m.splat(x[0][k]);
    }
    for (block, fans) in x.as_chunks_mut::<8>().0.iter_mut().zip(&tables.lower) {
        for part in 0..M::PARTS {
            let mut a = [source];
            Multiplied::<Z>::run(f, &mut a, [(fans, part)]);
            levels::store(m, block, part, a[0]);
        }
    }
}

/// The last three levels, within lines. Entry k of line l goes to entry l of line k.
#[inline(always)]
fn lower<M: Machine>(f: Field<M>, blocks: &mut [[Line; 8]], fans: &[Fans]) {
    if in_pairs::<M>() && blocks.len() > 1 {
        lower_levels::<M, 2>(f, blocks, fans);
    } else {
        lower_levels::<M, 1>(f, blocks, fans);
    }
}

#[inline(always)]
fn lower_levels<M: Machine, const G: usize>(f: Field<M>, blocks: &mut [[Line; 8]], fans: &[Fans]) {
    let m = f.machine;
    let fans = fans.as_chunks::<G>().0;
    for (blocks, fans) in blocks.as_chunks_mut::<G>().0.iter_mut().zip(fans) {
        // All is read before anything is written.
        let mut a = [[[m.splat(0.0); 8]; G]; 2];
        for g in 0..G {
            a[0][g] = m.transpose(rows_of(m, &blocks[g], 0));
            if M::PARTS == 2 {
                a[1][g] = m.transpose(rows_of(m, &blocks[g], 1));
            }
        }
        Multiplied::<8>::run(f, &mut a[0], fans.each_ref().map(|fans| (fans, 0)));
        for g in 0..G {
            levels::store(m, &mut blocks[g], 0, a[0][g]);
        }
        if M::PARTS == 2 {
            Multiplied::<8>::run(f, &mut a[1], fans.each_ref().map(|fans| (fans, 1)));
            for g in 0..G {
                levels::store(m, &mut blocks[g], 1, a[1][g]);
            }
        }
    }
}

/// The vectors to transpose.
#[inline(always)]
fn rows_of<M: Machine>(m: M, block: &[Line; 8], part: usize) -> [M::Vector; 8] {
    let mut a = [m.splat(0.0); 8];
    for n in 0..8 {
        let (line, part) = transposed::<M>(part, n);
        a[n] = m.load(&block[line], part);
    }
    a
}

/// The butterfly where only the first Z inputs are not zero.
struct Multiplied<const Z: usize>;

impl<M: Machine, const Z: usize> Butterfly<M> for Multiplied<Z> {
    #[inline(always)]
    fn run<P: Powers<M>, const G: usize>(f: Field<M>, a: &mut [[M::Vector; 8]; G], powers: [P; G]) {
        const { assert!(Z == 2 || Z == 4 || Z == 8) };
        let m = f.machine;
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            a[0] = f.reduce(a[0]);
            if Z > 4 {
                let w = powers.power(m, 1);
                cross(f, a, [(0, 4), (1, 5), (2, 6), (3, 7)], [w; 4]);
            } else {
                [a[4], a[5], a[6], a[7]] = [a[0], a[1], a[2], a[3]];
            }
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            if Z > 2 {
                let (v, w) = (powers.power(m, 2), powers.power(m, 3));
                cross(f, a, [(0, 2), (1, 3), (4, 6), (5, 7)], [v, v, w, w]);
            } else {
                [a[2], a[3], a[6], a[7]] = [a[0], a[1], a[4], a[5]];
            }
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let w = four(m, powers, 4);
            cross(f, a, [(0, 1), (2, 3), (4, 5), (6, 7)], w);
        }
    }
}

/// a + b·w and a − b·w of four pairs.
#[inline(always)]
fn cross<M: Machine>(
    f: Field<M>,
    a: &mut [M::Vector; 8],
    pairs: [(usize, usize); 4],
    w: [(M::Vector, M::Vector); 4],
) {
    let mut factors = [a[0]; 4];
    for n in 0..4 {
        factors[n] = a[pairs[n].1];
    }
    let products = f.times_each(factors, w);
    for n in 0..4 {
        let (i, j) = pairs[n];
        a[j] = f.machine.sub(a[i], products[n]);
        a[i] = f.machine.add(a[i], products[n]);
    }
}
