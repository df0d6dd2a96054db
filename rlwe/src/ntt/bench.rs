//! The kernels one by one, for benchmarks.

use super::{Buffer, Ntt};

/// The transforms by one kernel, with polynomials to work on.
#[expect(missing_debug_implementations, reason = "not an interface")]
pub struct Bench {
    /// The kernel's name.
    pub name: &'static str,
    ntt: Ntt,
    x: Buffer,
    w: Buffer,
    ct: Buffer,
    acc: Buffer,
}

impl Bench {
    /// Each kernel of this processor.
    #[must_use]
    pub fn each(degree: usize, prime: u64) -> Vec<Self> {
        let of = |ntt: Ntt| {
            let polynomial = |len| {
                let mut x = Buffer::zeroed(len);
                (0_u32..).zip(x.iter_mut()).for_each(|(i, x)| {
                    *x = f64::from(i.wrapping_mul(2_654_435_769)) - f64::from(1_u32 << 31);
                });
                ntt.reduce(&mut x);
                x
            };
            Self {
                x: polynomial(degree),
                w: polynomial(degree),
                ct: polynomial(2 * degree),
                acc: polynomial(2 * degree),
                name: ntt.kernel.name(),
                ntt,
            }
        };
        let kernels = Ntt::with_each_kernel(degree, prime).into_iter();
        kernels.map(of).collect()
    }

    /// A transform of so many coefficients: of what the last one left, which may go in again for ever.
    pub fn forward(&mut self, nonzero: usize) {
        self.ntt.forward(&mut self.x, nonzero);
    }

    /// An inverse transform.
    pub fn inverse(&mut self) {
        self.ntt.inverse(&mut self.x, 1);
    }

    /// A product of a pair, reduced at every seventh call.
    pub fn add_products(&mut self, count: usize) {
        let reduce = count.is_multiple_of(7);
        self.ntt
            .add_products(&mut self.acc, &self.ct, &self.w, reduce);
    }

    /// A multiple of a pair, reduced at every seventh call.
    pub fn add_scaled(&mut self, count: usize) {
        let reduce = count.is_multiple_of(7);
        self.ntt.add_scaled(&mut self.acc, &self.ct, -357, reduce);
    }

    /// A product value by value, added.
    pub fn multiply_add(&mut self) {
        self.ntt
            .multiply_add(&mut self.x, &self.ct[..self.w.len()], &self.w);
    }
}
