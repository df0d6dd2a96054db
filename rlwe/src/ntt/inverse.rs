//! The inverse transform: butterflies that multiply differences, the last of them by the scale as well.
//!
//! If all of eight values are at most p, the first of three levels gives sums of 2p, the second sums of 4p, of which the first two are
//! reduced, and the third one of p (the first), one of 2.25p, one of 1.25p and one of 1.07p, which are reduced; products are below 0.63p.
//! What is multiplied is at most 4p.

use super::levels::{self, Butterfly, in_pairs, transposed};
use super::machine::{Field, Machine, Operation, Powers, four};
use super::roots::BLOCK;
use super::tables::{Fan, Fans, Line, Pass, Tables};

/// Transforms x, below 2^53, in place and multiplies it by `scale`, below p. What comes out is next to zero.
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
        let f = Field::new(machine, *prime);
        let x = x.as_chunks_mut::<8>().0;
        let blocks = x.as_chunks_mut::<8>().0;
        if in_pairs::<M>() && blocks.len() > 1 {
            lower::<M, 2>(f, blocks, &inverse.lower);
            levels::upper::<M, Differences, 2>(f, blocks, &inverse.upper);
        } else {
            lower::<M, 1>(f, blocks, &inverse.lower);
            levels::upper::<M, Differences, 1>(f, blocks, &inverse.upper);
        }
        let mut stride = BLOCK / 8;
        for pass in inverse.passes.iter().rev() {
            match pass {
                Pass::Eight(fans) if fans.len() == 1 => {
                    let scaled = fans[0].scaled(scale, *prime);
                    return levels::block::<M, Scaled, _>(f, x, (&fans[0], &scaled));
                }
                Pass::Eight(fans) => {
                    for (block, fan) in x.chunks_exact_mut(8 * stride).zip(fans) {
                        levels::block::<M, Differences, _>(f, block, fan);
                    }
                    stride *= 8;
                }
                Pass::Two(fans) => {
                    for (block, fan) in x.chunks_exact_mut(2 * stride).zip(fans) {
                        two(f, block, fan);
                    }
                    stride *= 2;
                }
            }
        }
        // The degrees whose last pass is not one of three levels.
        let scale = inverse.upper[0].scaled(scale, *prime);
        for line in x {
            for part in 0..M::PARTS {
                let a = f.times(machine.load(line, part), (&scale).power(machine, 0));
                machine.store(line, part, f.reduce(a));
            }
        }
    }
}

/// The first three levels, within lines. Entry l of line k goes to entry k of line l.
#[inline(always)]
fn lower<M: Machine, const G: usize>(f: Field<M>, blocks: &mut [[Line; 8]], fans: &[Fans]) {
    let m = f.machine;
    let fans = fans.as_chunks::<G>().0;
    for (blocks, fans) in blocks.as_chunks_mut::<G>().0.iter_mut().zip(fans) {
        // All is read before anything is written.
        let mut a = [[[m.splat(0.0); 8]; G]; 2];
        for g in 0..G {
            a[0][g] = reduced(f, levels::load(m, &blocks[g], 0));
            if M::PARTS == 2 {
                a[1][g] = levels::load(m, &blocks[g], 1);
            }
        }
        Differences::run(f, &mut a[0], fans.each_ref().map(|fans| (fans, 0)));
        for g in 0..G {
            store_rows(m, &mut blocks[g], 0, m.transpose(a[0][g]));
        }
        if M::PARTS == 2 {
            for g in 0..G {
                a[1][g] = reduced(f, a[1][g]);
            }
            Differences::run(f, &mut a[1], fans.each_ref().map(|fans| (fans, 1)));
            for g in 0..G {
                store_rows(m, &mut blocks[g], 1, m.transpose(a[1][g]));
            }
        }
    }
}

#[inline(always)]
fn reduced<M: Machine>(f: Field<M>, mut a: [M::Vector; 8]) -> [M::Vector; 8] {
    for k in 0..8 {
        a[k] = f.reduce(a[k]);
    }
    a
}

/// Puts down what was transposed.
#[inline(always)]
fn store_rows<M: Machine>(m: M, block: &mut [Line; 8], part: usize, a: [M::Vector; 8]) {
    for n in 0..8 {
        let (line, part) = transposed::<M>(part, n);
        m.store(&mut block[line], part, a[n]);
    }
}

/// One level of a block.
#[inline(always)]
fn two<M: Machine>(f: Field<M>, x: &mut [Line], fan: &Fan) {
    let m = f.machine;
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (low, high) in low.iter_mut().zip(high) {
        for part in 0..M::PARTS {
            let (a, b) = (m.load(low, part), m.load(high, part));
            m.store(low, part, f.reduce(m.add(a, b)));
            m.store(high, part, f.times(m.sub(a, b), fan.power(m, 1)));
        }
    }
}

/// The butterfly.
struct Differences;

impl<M: Machine> Butterfly<M> for Differences {
    #[inline(always)]
    fn run<P: Powers<M>, const G: usize>(f: Field<M>, a: &mut [[M::Vector; 8]; G], powers: [P; G]) {
        let m = f.machine;
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let w = four(m, powers, 4);
            cross(f, a, [(0, 1), (2, 3), (4, 5), (6, 7)], w);
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let (v, w) = (powers.power(m, 2), powers.power(m, 3));
            cross(f, a, [(0, 2), (1, 3), (4, 6), (5, 7)], [v, v, w, w]);
            a[0] = f.reduce(a[0]);
            a[4] = f.reduce(a[4]);
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let w = powers.power(m, 1);
            cross(f, a, [(0, 4), (1, 5), (2, 6), (3, 7)], [w; 4]);
            for i in 1..4 {
                a[i] = f.reduce(a[i]);
            }
        }
    }
}

/// The last butterfly, whose powers from 8 on are those times the scale: each result passes one product by such a one. The first, which has
/// no other, is a product of its own, by power 8.
struct Scaled;

impl<M: Machine> Butterfly<M> for Scaled {
    #[inline(always)]
    fn run<P: Powers<M>, const G: usize>(f: Field<M>, a: &mut [[M::Vector; 8]; G], powers: [P; G]) {
        let m = f.machine;
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let w = four(m, powers, 12);
            cross(f, a, [(0, 1), (2, 3), (4, 5), (6, 7)], w);
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let (v, w) = (powers.power(m, 2), powers.power(m, 3));
            let (sv, sw) = (powers.power(m, 10), powers.power(m, 11));
            cross(f, a, [(0, 2), (1, 3), (4, 6), (5, 7)], [sv, v, sw, w]);
            a[0] = f.reduce(a[0]);
            a[4] = f.reduce(a[4]);
        }
        for g in 0..G {
            let (a, powers) = (&mut a[g], powers[g]);
            let (w, sw) = (powers.power(m, 1), powers.power(m, 9));
            cross(f, a, [(0, 4), (1, 5), (2, 6), (3, 7)], [sw, w, w, w]);
            a[0] = f.times(a[0], powers.power(m, 8));
            for k in 0..8 {
                a[k] = f.reduce(a[k]);
            }
        }
    }
}

/// a + b and (a − b)·w of four pairs.
#[inline(always)]
fn cross<M: Machine>(
    f: Field<M>,
    a: &mut [M::Vector; 8],
    pairs: [(usize, usize); 4],
    w: [(M::Vector, M::Vector); 4],
) {
    let m = f.machine;
    let mut differences = [a[0]; 4];
    for n in 0..4 {
        let (i, j) = pairs[n];
        differences[n] = m.sub(a[i], a[j]);
        a[i] = m.add(a[i], a[j]);
    }
    let products = f.times_each(differences, w);
    for n in 0..4 {
        a[pairs[n].1] = products[n];
    }
}
