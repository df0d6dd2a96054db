//! The powers of the root that the vector kernels multiply by.
//!
//! With ψ a primitive 2N-th root of one, t(i) = ψ^bitreverse(i). The level of m blocks multiplies in block i by t(m + i). Three levels make
//! a fan: the block's power, its two halves' and its four quarters', 1 + 2 + 4. The levels above blocks of 64 are passes over memory; the
//! six within a block of 64 are done at once, the last three with the lanes of vectors apart.

use super::modular::{Barrett, inverse_mod};
use super::roots::{BLOCK, powers};
use crate::convert::centred;

/// Eight doubles: one cache line.
pub(super) type Line = [f64; 8];

/// The powers of one block over three levels, from 1 on, and their quotients by p. Entry 0 is left to the caller.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Fan {
    pub(super) w: Line,
    pub(super) q: Line,
}

/// Eight fans, lane by lane, entry 0 left out.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Fans {
    pub(super) w: [Line; 7],
    pub(super) q: [Line; 7],
}

/// One pass over memory, of the blocks in order.
pub(super) enum Pass {
    /// Three levels.
    Eight(Vec<Fan>),
    /// One level: entry 1 of each fan.
    Two(Vec<Fan>),
}

/// The tables of a direction.
pub(super) struct Direction {
    /// Largest blocks first.
    pub(super) passes: Vec<Pass>,
    /// The upper three levels of each block of 64.
    pub(super) upper: Vec<Fan>,
    /// The lower three.
    pub(super) lower: Vec<Fans>,
}

impl Fan {
    fn of_block(powers: &[u64], m: usize, i: usize, p: u64) -> Self {
        let at = [0, m + i, 2 * (m + i), 2 * (m + i) + 1];
        let quarters = (0..4).map(|k| 4 * (m + i) + k);
        let mut out = Self {
            w: [0.0; 8],
            q: [0.0; 8],
        };
        for (k, at) in at.into_iter().chain(quarters).enumerate().skip(1) {
            // The passes of one level know entry 1 only.
            if let Some(&power) = powers.get(at) {
                out.set(k, power, p);
            }
        }
        out
    }

    #[expect(clippy::cast_precision_loss, reason = "below 2^50")]
    fn set(&mut self, k: usize, power: u64, p: u64) {
        self.w[k] = centred(power, p);
        self.q[k] = self.w[k] / p as f64;
    }

    /// Every entry times a factor, which is entry 0.
    pub(super) fn scaled(&self, factor: u64, p: u64) -> Self {
        let barrett = Barrett::new(p);
        let mut out = *self;
        out.set(0, factor, p);
        for k in 1..8 {
            out.set(k, barrett.mul(barrett.residue(self.w[k]), factor), p);
        }
        out
    }
}

impl Fans {
    fn of(fans: &[Fan]) -> Self {
        let lines = |entry: fn(&Fan) -> &Line| {
            std::array::from_fn(|k| std::array::from_fn(|lane| entry(&fans[lane])[k + 1]))
        };
        Self {
            w: lines(|fan| &fan.w),
            q: lines(|fan| &fan.q),
        }
    }
}

impl Direction {
    /// For degrees from 64 on.
    pub(super) fn new(powers: &[u64], p: u64) -> Self {
        let blocks = powers.len() / BLOCK;
        let fans =
            |m: usize| -> Vec<Fan> { (0..m).map(|i| Fan::of_block(powers, m, i, p)).collect() };
        let mut passes = Vec::new();
        let mut m = 1;
        while m < blocks {
            if blocks / m >= 8 {
                passes.push(Pass::Eight(fans(m)));
                m *= 8;
            } else {
                passes.push(Pass::Two(fans(m)));
                m *= 2;
            }
        }
        Self {
            passes,
            upper: fans(blocks),
            lower: fans(8 * blocks).chunks(8).map(Fans::of).collect(),
        }
    }
}

/// Tables of both directions, and the prime.
pub(super) struct Tables {
    pub(super) prime: u64,
    pub(super) forward: Direction,
    pub(super) inverse: Direction,
}

impl Tables {
    pub(super) fn new(degree: usize, psi: u64, p: u64) -> Self {
        let direction = |psi| Direction::new(&powers(degree, psi, p), p);
        Self {
            prime: p,
            forward: direction(psi),
            inverse: direction(inverse_mod(psi, p)),
        }
    }
}
