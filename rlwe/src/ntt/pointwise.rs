//! Loops over transformed polynomials.

use super::machine::{Field, Machine, Operation};
use super::tables::Line;

/// x := x next to zero, for |x| < 2^53.
pub(super) struct Reduce<'a> {
    pub(super) prime: u64,
    pub(super) x: &'a mut [f64],
}

impl Operation for Reduce<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, m: M) {
        let field = Field::new(m, self.prime);
        for line in self.x.as_chunks_mut::<8>().0 {
            for part in 0..M::PARTS {
                m.store(line, part, field.centre(m.load(line, part)));
            }
        }
    }
}

/// x := factor·x next to zero, for |x| ≤ 2^52.
pub(super) struct Scale<'a> {
    pub(super) prime: u64,
    pub(super) x: &'a mut [f64],
    pub(super) factor: f64,
}

impl Operation for Scale<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, m: M) {
        let field = Field::new(m, self.prime);
        let factor = quotient(m, self.factor, self.prime);
        for line in self.x.as_chunks_mut::<8>().0 {
            for part in 0..M::PARTS {
                let x = field.times(m.load(line, part), factor);
                m.store(line, part, field.reduce(x));
            }
        }
    }
}

/// out := a·b next to zero, or what was there added, for all of at most 2^52.
pub(super) struct Multiply<'a> {
    pub(super) prime: u64,
    pub(super) out: &'a mut [f64],
    pub(super) a: &'a [f64],
    pub(super) b: &'a [f64],
    pub(super) add: bool,
}

impl Operation for Multiply<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, m: M) {
        let field = Field::new(m, self.prime);
        let factors = lines(self.a).iter().zip(lines(self.b));
        let out = self.out.as_chunks_mut::<8>().0;
        for (out, (a, b)) in out.iter_mut().zip(factors) {
            for part in 0..M::PARTS {
                let a = field.reduce(m.load(a, part));
                let mut x = field.product(a, m.load(b, part));
                if self.add {
                    // At most p, and p/2.
                    x = m.add(x, field.reduce(m.load(out, part)));
                }
                m.store(out, part, field.reduce(x));
            }
        }
    }
}

/// acc += ct·w, for a pair ct next to zero and |w| ≤ 2.3p: products are at most 0.8p.
pub(super) struct AddProducts<'a> {
    pub(super) prime: u64,
    pub(super) acc: &'a mut [f64],
    pub(super) ct: &'a [f64],
    pub(super) w: &'a [f64],
    pub(super) reduce: bool,
}

impl Operation for AddProducts<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, m: M) {
        let field = Field::new(m, self.prime);
        let Self { acc, ct, w, .. } = self;
        let pairs = acc.as_chunks_mut::<16>().0.iter_mut();
        let factors = ct.as_chunks::<16>().0.iter().zip(lines(w));
        for (acc, (ct, w)) in pairs.zip(factors) {
            let acc = acc.as_chunks_mut::<8>().0;
            let ct = ct.as_chunks::<8>().0;
            for part in 0..M::PARTS {
                let w = m.load(w, part);
                for half in 0..2 {
                    let product = field.product(m.load(&ct[half], part), w);
                    let mut sum = m.load(&acc[half], part);
                    if self.reduce {
                        sum = field.reduce(sum);
                    }
                    m.store(&mut acc[half], part, m.add(sum, product));
                }
            }
        }
    }
}

/// acc += factor·ct, for ct next to zero and a factor of 32 bits: products are at most 0.52p.
pub(super) struct AddScaled<'a> {
    pub(super) prime: u64,
    pub(super) acc: &'a mut [f64],
    pub(super) ct: &'a [f64],
    pub(super) factor: f64,
    pub(super) reduce: bool,
}

impl Operation for AddScaled<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, m: M) {
        let field = Field::new(m, self.prime);
        let factor = quotient(m, self.factor, self.prime);
        let acc = self.acc.as_chunks_mut::<8>().0;
        for (acc, ct) in acc.iter_mut().zip(lines(self.ct)) {
            for part in 0..M::PARTS {
                let product = field.times(m.load(ct, part), factor);
                let mut sum = m.load(acc, part);
                if self.reduce {
                    sum = field.reduce(sum);
                }
                m.store(acc, part, m.add(sum, product));
            }
        }
    }
}

#[inline(always)]
fn lines(x: &[f64]) -> &[Line] {
    x.as_chunks::<8>().0
}

/// A factor and its quotient by p, in all lanes.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "below 2^50")]
fn quotient<M: Machine>(m: M, factor: f64, p: u64) -> (M::Vector, M::Vector) {
    (m.splat(factor), m.splat(factor / p as f64))
}
