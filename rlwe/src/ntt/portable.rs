//! The twin in integers, for every processor and every degree. All its results are next to zero.

use zeroize::Zeroizing;

use super::modular::{Barrett, inverse_mod};
use super::roots::{BLOCK, powers};

/// A factor below p and floor(2^64·factor / p), for products without a division.
#[derive(Clone, Copy)]
struct Factor {
    factor: u64,
    quotient: u64,
}

impl Factor {
    fn new(factor: u64, p: u64) -> Self {
        let quotient = (u128::from(factor) << 64) / u128::from(p);
        Self {
            factor,
            quotient: u64::try_from(quotient).expect("the factor is below p"),
        }
    }

    /// x·factor, for any x: at most one p too large.
    #[inline]
    fn times(self, x: u64, field: Barrett) -> u64 {
        let quotient = ((u128::from(x) * u128::from(self.quotient)) >> 64) as u64;
        let rest = x
            .wrapping_mul(self.factor)
            .wrapping_sub(quotient.wrapping_mul(field.prime()));
        field.once(rest)
    }
}

/// Both directions for one degree and prime.
pub(super) struct Portable {
    field: Barrett,
    forward: Vec<Factor>,
    inverse: Vec<Factor>,
}

impl Portable {
    pub(super) fn new(degree: usize, psi: u64, p: u64) -> Self {
        let factors = |psi| {
            let powers = powers(degree, psi, p).into_iter();
            powers.map(|power| Factor::new(power, p)).collect()
        };
        Self {
            field: Barrett::new(p),
            forward: factors(psi),
            inverse: factors(inverse_mod(psi, p)),
        }
    }

    pub(super) fn forward(&self, x: &mut [f64], nonzero: usize) {
        let degree = x.len();
        x[nonzero.min(degree)..].fill(0.0);
        let field = self.field;
        let mut v = self.residues(x);
        let (mut blocks, mut stride) = (1, x.len() / 2);
        while stride > 0 {
            for (block, w) in v.chunks_exact_mut(2 * stride).zip(&self.forward[blocks..]) {
                let (upper, lower) = block.split_at_mut(stride);
                for (a, b) in upper.iter_mut().zip(lower) {
                    let product = w.times(*b, field);
                    *b = field.once(*a + field.prime() - product);
                    *a = field.once(*a + product);
                }
            }
            blocks *= 2;
            stride /= 2;
        }
        for (i, &v) in v.iter().enumerate() {
            x[place(i, degree)] = field.centred(v);
        }
    }

    pub(super) fn inverse(&self, x: &mut [f64], scale: u64) {
        let field = self.field;
        let from = self.residues(x);
        let mut v = Zeroizing::new(vec![0; x.len()]);
        for (i, v) in v.iter_mut().enumerate() {
            *v = from[place(i, from.len())];
        }
        let (mut blocks, mut stride) = (x.len() / 2, 1);
        while blocks > 0 {
            for (block, w) in v.chunks_exact_mut(2 * stride).zip(&self.inverse[blocks..]) {
                let (upper, lower) = block.split_at_mut(stride);
                for (a, b) in upper.iter_mut().zip(lower) {
                    let difference = *a + field.prime() - *b;
                    *a = field.once(*a + *b);
                    *b = w.times(difference, field);
                }
            }
            blocks /= 2;
            stride *= 2;
        }
        let scale = Factor::new(scale, field.prime());
        for (x, &v) in x.iter_mut().zip(v.iter()) {
            *x = field.centred(scale.times(v, field));
        }
    }

    pub(super) fn reduce(&self, x: &mut [f64]) {
        for x in x {
            *x = self.field.centred(self.field.residue(*x));
        }
    }

    pub(super) fn scale(&self, x: &mut [f64], factor: u64) {
        let factor = Factor::new(factor, self.field.prime());
        for x in x {
            *x = self
                .field
                .centred(factor.times(self.field.residue(*x), self.field));
        }
    }

    /// out := a·b, or what was there added.
    pub(super) fn multiply(&self, out: &mut [f64], a: &[f64], b: &[f64], add: bool) {
        for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
            let before = if add { *out } else { 0.0 };
            *out = self.sum(before, a, b);
        }
    }

    pub(super) fn add_products(&self, acc: &mut [f64], ct: &[f64], w: &[f64]) {
        let pairs = acc.chunks_exact_mut(16).zip(ct.chunks_exact(16));
        for ((acc, ct), w) in pairs.zip(w.chunks_exact(8)) {
            for (i, (acc, &ct)) in acc.iter_mut().zip(ct).enumerate() {
                *acc = self.sum(*acc, ct, w[i % 8]);
            }
        }
    }

    pub(super) fn add_scaled(&self, acc: &mut [f64], ct: &[f64], factor: i32) {
        let field = self.field;
        let factor = Factor::new(field.residue_of(factor), field.prime());
        for (acc, &ct) in acc.iter_mut().zip(ct) {
            let product = factor.times(field.residue(ct), field);
            *acc = field.centred(field.once(field.residue(*acc) + product));
        }
    }

    #[inline]
    fn sum(&self, before: f64, a: f64, b: f64) -> f64 {
        let field = self.field;
        let product = field.mul(field.residue(a), field.residue(b));
        field.centred(field.once(field.residue(before) + product))
    }

    fn residues(&self, x: &[f64]) -> Zeroizing<Vec<u64>> {
        Zeroizing::new(x.iter().map(|&x| self.field.residue(x)).collect())
    }
}

/// Where value i of the plain algorithm stands.
fn place(i: usize, degree: usize) -> usize {
    if degree < BLOCK {
        return i;
    }
    i / BLOCK * BLOCK + i % 8 * 8 + i / 8 % 8
}
