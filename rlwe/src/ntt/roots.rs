//! Roots of one, and the order of transformed polynomials.

use super::modular::{mul_mod, pow_mod};

/// The coefficients of the blocks that are transformed at once. Within them values are transposed, as eight lanes leave them: value 8l + k of the plain
/// algorithm, in bit-reversed order, is at 8k + l.
pub(super) const BLOCK: usize = 64;

/// A primitive root of one of order 2·degree.
pub(super) fn root(degree: u64, p: u64) -> u64 {
    let roots = (2..p).map(|g| pow_mod(g, (p - 1) / (2 * degree), p));
    let mut primitive = roots.filter(|&c| pow_mod(c, degree, p) == p - 1);
    primitive.next().expect("a prime that is 1 modulo 2N")
}

/// t(0), ..., t(N − 1) for the root ψ.
pub(super) fn powers(degree: usize, psi: u64, p: u64) -> Vec<u64> {
    let bits = degree.ilog2();
    let mut out = vec![0; degree];
    let mut power = 1;
    for i in 0..degree {
        out[i.reverse_bits() >> (usize::BITS - bits)] = power;
        power = mul_mod(power, psi, p);
    }
    out
}
