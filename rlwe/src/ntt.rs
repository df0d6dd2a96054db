//! Number-theoretic transforms modulo primes below 2^50, on residues in doubles.
//!
//! A transformed polynomial holds the values at the odd powers of a 2N-th root of one, in an order that all kernels share. There are three:
//! of eight lanes (AVX-512F), of four (AVX2 and FMA), and one in integers. They agree in every result that is next to zero, and in the rest
//! modulo p. Times depend on degrees and counts only.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod bench;
mod buffer;
#[cfg(target_arch = "x86_64")]
mod forward;
#[cfg(target_arch = "x86_64")]
mod inverse;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod levels;
#[cfg(target_arch = "x86_64")]
mod machine;
mod modular;
#[cfg(target_arch = "x86_64")]
mod pointwise;
mod portable;
mod roots;
#[cfg(target_arch = "x86_64")]
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use buffer::{Buffer, interleave, split};
use kernel::Kernel;
pub(crate) use modular::{inverse_mod, mul_mod, pow_mod};

/// The most that [`Ntt::forward`] takes.
const FORWARD_FROM: f64 = (1_u64 << 51) as f64;

/// The most that the products take.
const FACTOR: f64 = (1_u64 << 52) as f64;

/// The most that [`Ntt::inverse`] and [`Ntt::reduce`] take.
const UNREDUCED: f64 = ((1_u64 << 53) - 1) as f64;

/// The most that [`Ntt::forward`] leaves, as a multiple of p.
const FORWARD_TO: f64 = 2.3;

/// The most that sums of products may be, as a multiple of p.
const SUM: f64 = 7.0;

/// The transforms of one degree N and one prime p, 1 modulo 2N.
///
/// Polynomials are integers in doubles, of a magnitude that each function bounds: 2^51 is more than 2p, 2^52 more than 4p, 2^53 more than 8p. "Next to zero" is at most (p − 1)/2. A pair is two
/// polynomials in blocks of eight by turns.
pub(crate) struct Ntt {
    degree: usize,
    prime: u64,
    inverse_degree: u64,
    kernel: Kernel,
}

impl Ntt {
    /// # Panics
    /// Unless the degree is a power of two from 16 on, and the prime below 2^50 and 1 modulo 2N.
    pub(crate) fn new(degree: usize, prime: u64) -> Self {
        Self::with_kernel(degree, prime, Kernel::detect)
    }

    /// One for each kernel that this processor has for this degree, the portable one first and the fastest last.
    fn with_each_kernel(degree: usize, prime: u64) -> Vec<Self> {
        let root = roots::root(degree as u64, prime);
        let kernels = [
            Some(Kernel::portable(degree, root, prime)),
            Kernel::avx2(degree, root, prime),
            Kernel::avx512(degree, root, prime),
        ];
        let of = |kernel| Self::with_kernel(degree, prime, |_, _, _| kernel);
        kernels.into_iter().flatten().map(of).collect()
    }

    fn with_kernel(
        degree: usize,
        prime: u64,
        kernel: impl FnOnce(usize, u64, u64) -> Kernel,
    ) -> Self {
        assert!(
            degree.is_power_of_two() && degree >= 16,
            "a degree of whole pairs of blocks"
        );
        let order = 2 * degree as u64;
        assert!(
            prime < 1 << 50 && prime % order == 1,
            "a prime with roots of one"
        );
        let root = roots::root(degree as u64, prime);
        Self {
            degree,
            prime,
            inverse_degree: inverse_mod(degree as u64, prime),
            kernel: kernel(degree, root, prime),
        }
    }

    /// The transform of x, of at most 2^51: at most 2.3p. Coefficients from `nonzero` on count as zero, whatever they are; the fewer the
    /// others, the less work.
    pub(crate) fn forward(&self, x: &mut [f64], nonzero: usize) {
        self.check(&x[..nonzero.min(x.len())], FORWARD_FROM);
        assert_eq!(x.len(), self.degree, "a polynomial");
        self.kernel.forward(x, nonzero);
        self.check(x, FORWARD_TO * self.p());
    }

    /// The polynomial whose transform is x, below 2^53, times `scale`: next to zero.
    pub(crate) fn inverse(&self, x: &mut [f64], scale: u64) {
        self.check(x, UNREDUCED);
        assert_eq!(x.len(), self.degree, "a polynomial");
        let scale = mul_mod(scale % self.prime, self.inverse_degree, self.prime);
        self.kernel.inverse(x, scale);
        self.check(x, 0.5 * self.p());
    }

    /// x, below 2^53 and of any length of whole blocks, next to zero.
    pub(crate) fn reduce(&self, x: &mut [f64]) {
        self.check(x, UNREDUCED);
        assert!(x.len().is_multiple_of(8), "whole blocks");
        self.kernel.reduce(x);
        self.check(x, 0.5 * self.p());
    }

    /// out = a·b, value by value, of a and b of at most 2^52: next to zero.
    pub(crate) fn multiply(&self, out: &mut [f64], a: &[f64], b: &[f64]) {
        self.multiply_kernel(out, a, b, false);
    }

    /// acc = acc + a·b, value by value, all of at most 2^52: next to zero.
    pub(crate) fn multiply_add(&self, acc: &mut [f64], a: &[f64], b: &[f64]) {
        self.check(acc, FACTOR);
        self.multiply_kernel(acc, a, b, true);
    }

    fn multiply_kernel(&self, out: &mut [f64], a: &[f64], b: &[f64], add: bool) {
        self.check(a, FACTOR);
        self.check(b, FACTOR);
        let lens = [out.len(), a.len(), b.len()];
        assert_eq!(lens, [self.degree; 3], "polynomials");
        self.kernel.multiply(out, a, b, add);
        self.check(out, 0.5 * self.p());
    }

    /// x·factor, for x of at most 2^52 and any length of whole blocks: next to zero.
    pub(crate) fn scale(&self, x: &mut [f64], factor: u64) {
        self.check(x, FACTOR);
        assert!(x.len().is_multiple_of(8), "whole blocks");
        self.kernel.scale(x, factor % self.prime);
        self.check(x, 0.5 * self.p());
    }

    /// Adds the products of both polynomials of the pair `ct`, next to zero, by w, of at most 2.3p, to the pair `acc`.
    ///
    /// A product adds at most 0.8p. With `reduce` the sums before, of at most 7p, are brought next to zero first: so there may be six
    /// calls without it after one with it, or seven after the sums were zero.
    pub(crate) fn add_products(&self, acc: &mut [f64], ct: &[f64], w: &[f64], reduce: bool) {
        self.check(acc, SUM * self.p());
        self.check(ct, 0.5 * self.p());
        self.check(w, FORWARD_TO * self.p());
        let lens = [acc.len(), ct.len(), 2 * w.len()];
        assert_eq!(lens, [2 * self.degree; 3], "pairs and a polynomial");
        self.kernel.add_products(acc, ct, w, reduce);
        self.check(acc, SUM * self.p());
    }

    /// Adds the pair `ct`, next to zero, times a factor, to the pair `acc`: as [`Self::add_products`] by a constant polynomial.
    pub(crate) fn add_scaled(&self, acc: &mut [f64], ct: &[f64], factor: i32, reduce: bool) {
        self.check(acc, SUM * self.p());
        self.check(ct, 0.5 * self.p());
        assert_eq!([acc.len(), ct.len()], [2 * self.degree; 2], "pairs");
        self.kernel.add_scaled(acc, ct, factor, reduce);
        self.check(acc, SUM * self.p());
    }

    #[expect(clippy::cast_precision_loss, reason = "below 2^50")]
    fn p(&self) -> f64 {
        self.prime as f64
    }

    /// In debug builds: integers of at most this.
    #[inline]
    fn check(&self, x: &[f64], most: f64) {
        debug_assert!(
            x.iter().all(|x| x.fract() == 0.0 && x.abs() <= most),
            "integers of at most {most}, modulo {}",
            self.prime
        );
    }
}
