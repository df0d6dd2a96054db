//! Three levels of a transform at a time, over the vectors of blocks: what both directions share.
//!
//! A butterfly waits for each of its three products in turn. Where registers allow it, as with eight lanes, two of them run side by side.

use super::machine::{Field, Machine, Powers};
use super::tables::{Fan, Line};

/// Three levels of eight vectors.
pub(super) trait Butterfly<M: Machine> {
    /// Of G times eight vectors side by side.
    fn run<P: Powers<M>, const G: usize>(f: Field<M>, a: &mut [[M::Vector; 8]; G], powers: [P; G]);
}

/// Whether two butterflies should run side by side.
pub(super) const fn in_pairs<M: Machine>() -> bool {
    M::PARTS == 1
}

/// Three levels of one block.
#[inline(always)]
pub(super) fn block<M: Machine, B: Butterfly<M>, P: Powers<M>>(
    f: Field<M>,
    x: &mut [Line],
    powers: P,
) {
    if in_pairs::<M>() && x.len() >= 16 {
        columns::<M, B, P, 2>(f, x, powers);
    } else {
        columns::<M, B, P, 1>(f, x, powers);
    }
}

#[inline(always)]
fn columns<M: Machine, B: Butterfly<M>, P: Powers<M>, const G: usize>(
    f: Field<M>,
    x: &mut [Line],
    powers: P,
) {
    let m = f.machine;
    let rows = eighths(x);
    for i in 0..rows[0].len() * M::PARTS / G {
        let mut a = [[m.splat(0.0); 8]; G];
        for g in 0..G {
            let (j, part) = ((i * G + g) / M::PARTS, (i * G + g) % M::PARTS);
            for k in 0..8 {
                a[g][k] = m.load(&rows[k][j], part);
            }
        }
        B::run(f, &mut a, [powers; G]);
        for g in 0..G {
            let (j, part) = ((i * G + g) / M::PARTS, (i * G + g) % M::PARTS);
            for k in 0..8 {
                m.store(&mut rows[k][j], part, a[g][k]);
            }
        }
    }
}

/// The upper three levels of G blocks of 64 at a time.
#[inline(always)]
pub(super) fn upper<M: Machine, B: Butterfly<M>, const G: usize>(
    f: Field<M>,
    blocks: &mut [[Line; 8]],
    fans: &[Fan],
) {
    let fans = fans.as_chunks::<G>().0;
    for (blocks, fans) in blocks.as_chunks_mut::<G>().0.iter_mut().zip(fans) {
        for part in 0..M::PARTS {
            let mut a = [[f.machine.splat(0.0); 8]; G];
            for g in 0..G {
                a[g] = load(f.machine, &blocks[g], part);
            }
            B::run(f, &mut a, fans.each_ref());
            for g in 0..G {
                store(f.machine, &mut blocks[g], part, a[g]);
            }
        }
    }
}

/// A part of each line of a block.
#[inline(always)]
pub(super) fn load<M: Machine>(m: M, block: &[Line; 8], part: usize) -> [M::Vector; 8] {
    let mut a = [m.splat(0.0); 8];
    for k in 0..8 {
        a[k] = m.load(&block[k], part);
    }
    a
}

#[inline(always)]
pub(super) fn store<M: Machine>(m: M, block: &mut [Line; 8], part: usize, a: [M::Vector; 8]) {
    for k in 0..8 {
        m.store(&mut block[k], part, a[k]);
    }
}

/// Where the vectors of a transposition stand in a block: vector n is this part of this line.
#[inline(always)]
pub(super) fn transposed<M: Machine>(part: usize, n: usize) -> (usize, usize) {
    let lanes = 8 / M::PARTS;
    (lanes * part + n % lanes, n / lanes)
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
