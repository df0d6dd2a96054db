//! Number-theoretic transforms modulo primes below 2^50, on doubles.

use std::ops::{Deref, DerefMut};
use zeroize::Zeroize;

/// Doubles that are zeroized on drop.
#[derive(Clone)]
pub(crate) struct Buffer(Vec<f64>);

impl Buffer {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![0.0; len])
    }
}

impl Deref for Buffer {
    type Target = [f64];
    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

pub(crate) fn mul_mod(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

pub(crate) fn pow_mod(mut b: u64, mut e: u64, p: u64) -> u64 {
    let mut r = 1;
    while e > 0 {
        if e & 1 == 1 {
            r = mul_mod(r, b, p);
        }
        b = mul_mod(b, b, p);
        e >>= 1;
    }
    r
}

pub(crate) fn inverse_mod(a: u64, p: u64) -> u64 {
    pow_mod(a % p, p - 2, p)
}

fn canonical(x: f64, p: u64) -> u64 {
    (x as i64).rem_euclid(p as i64) as u64
}

fn centred(x: u64, p: u64) -> f64 {
    if x > p / 2 {
        -((p - x) as f64)
    } else {
        x as f64
    }
}

pub(crate) fn interleave(pair: &mut [f64], a: &[f64], b: &[f64]) {
    for ((out, a), b) in pair
        .chunks_exact_mut(16)
        .zip(a.chunks_exact(8))
        .zip(b.chunks_exact(8))
    {
        out[..8].copy_from_slice(a);
        out[8..].copy_from_slice(b);
    }
}

pub(crate) fn split(pair: &[f64], a: &mut [f64], b: &mut [f64]) {
    for ((x, a), b) in pair
        .chunks_exact(16)
        .zip(a.chunks_exact_mut(8))
        .zip(b.chunks_exact_mut(8))
    {
        a.copy_from_slice(&x[..8]);
        b.copy_from_slice(&x[8..]);
    }
}

pub(crate) struct Ntt {
    n: usize,
    p: u64,
    roots: Vec<u64>,
    inverse: Vec<u64>,
}

impl Ntt {
    pub(crate) fn new(n: usize, p: u64) -> Self {
        let bits = n.ilog2();
        let root = (2..)
            .map(|g| pow_mod(g, (p - 1) / (2 * n as u64), p))
            .find(|&c| pow_mod(c, n as u64, p) == p - 1)
            .unwrap();
        let powers = |base: u64| {
            (0..n)
                .map(|i| pow_mod(base, (i.reverse_bits() >> (usize::BITS - bits)) as u64, p))
                .collect()
        };
        Self {
            n,
            p,
            roots: powers(root),
            inverse: powers(inverse_mod(root, p)),
        }
    }

    pub(crate) fn forward(&self, x: &mut [f64], nonzero: usize) {
        let p = self.p;
        let mut v: Vec<u64> = x.iter().map(|&x| canonical(x, p)).collect();
        v[nonzero..].fill(0);
        let (mut t, mut m) = (self.n, 1);
        while m < self.n {
            t /= 2;
            for i in 0..m {
                let w = self.roots[m + i];
                for j in 2 * i * t..2 * i * t + t {
                    let (a, b) = (v[j], mul_mod(v[j + t], w, p));
                    v[j] = (a + b) % p;
                    v[j + t] = (a + p - b) % p;
                }
            }
            m *= 2;
        }
        x.iter_mut().zip(v).for_each(|(x, v)| *x = centred(v, p));
    }

    pub(crate) fn inverse(&self, x: &mut [f64], scale: u64) {
        let p = self.p;
        let mut v: Vec<u64> = x.iter().map(|&x| canonical(x, p)).collect();
        let (mut t, mut m) = (1, self.n / 2);
        while m >= 1 {
            for i in 0..m {
                let w = self.inverse[m + i];
                for j in 2 * i * t..2 * i * t + t {
                    let (a, b) = (v[j], v[j + t]);
                    v[j] = (a + b) % p;
                    v[j + t] = mul_mod(a + p - b, w, p);
                }
            }
            t *= 2;
            m /= 2;
        }
        let scale = mul_mod(inverse_mod(self.n as u64, p), scale, p);
        x.iter_mut()
            .zip(v)
            .for_each(|(x, v)| *x = centred(mul_mod(v, scale, p), p));
    }

    pub(crate) fn reduce(&self, x: &mut [f64]) {
        x.iter_mut()
            .for_each(|x| *x = centred(canonical(*x, self.p), self.p));
    }

    pub(crate) fn multiply(&self, out: &mut [f64], a: &[f64], b: &[f64]) {
        out.fill(0.0);
        self.multiply_add(out, a, b);
    }

    pub(crate) fn multiply_add(&self, acc: &mut [f64], a: &[f64], b: &[f64]) {
        let p = self.p;
        for ((c, &a), &b) in acc.iter_mut().zip(a).zip(b) {
            *c += centred(mul_mod(canonical(a, p), canonical(b, p), p), p);
        }
    }

    pub(crate) fn scale(&self, x: &mut [f64], factor: u64) {
        let p = self.p;
        x.iter_mut()
            .for_each(|x| *x = centred(mul_mod(canonical(*x, p), factor, p), p));
    }

    pub(crate) fn add_products(&self, acc: &mut [f64], ct: &[f64], w: &[f64], reduce: bool) {
        if reduce {
            self.reduce(acc);
        }
        let p = self.p;
        for ((acc, ct), w) in acc
            .chunks_exact_mut(16)
            .zip(ct.chunks_exact(16))
            .zip(w.chunks_exact(8))
        {
            for i in 0..16 {
                acc[i] += centred(mul_mod(canonical(ct[i], p), canonical(w[i % 8], p), p), p);
            }
        }
    }

    pub(crate) fn add_scaled(&self, acc: &mut [f64], ct: &[f64], factor: i32, reduce: bool) {
        if reduce {
            self.reduce(acc);
        }
        let (p, f) = (self.p, canonical(f64::from(factor), self.p));
        acc.iter_mut()
            .zip(ct)
            .for_each(|(a, &x)| *a += centred(mul_mod(canonical(x, p), f, p), p));
    }
}
