//! The choice of kernel.

use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{
    avx2::Avx2,
    avx512::Avx512,
    forward::Forward,
    inverse::Inverse,
    pointwise::{AddProducts, AddScaled, Multiply, Reduce, Scale},
    roots::BLOCK,
    tables::Tables,
};

/// A kernel with its tables.
pub(super) enum Kernel {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2, Tables),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512, Tables),
}

/// Runs a method of the portable kernel, or an operation on a vector machine.
macro_rules! run {
    ($kernel:expr, |$portable:ident| $call:expr, |$tables:ident| $operation:expr) => {
        match $kernel {
            Kernel::Portable($portable) => $call,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(machine, $tables) => machine.run($operation),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(machine, $tables) => machine.run($operation),
        }
    };
}

impl Kernel {
    /// The fastest one of this processor for a degree N, a primitive 2N-th root and a prime. Degrees below 64 are for tests.
    pub(super) fn detect(degree: usize, psi: u64, p: u64) -> Self {
        let vector = || Self::avx512(degree, psi, p).or_else(|| Self::avx2(degree, psi, p));
        vector().unwrap_or_else(|| Self::portable(degree, psi, p))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(..) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(..) => "avx512",
        }
    }

    pub(super) fn portable(degree: usize, psi: u64, p: u64) -> Self {
        Self::Portable(Portable::new(degree, psi, p))
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn avx2(degree: usize, psi: u64, p: u64) -> Option<Self> {
        let machine = Avx2::new().filter(|_| degree >= BLOCK)?;
        Some(Self::Avx2(machine, Tables::new(degree, psi, p)))
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn avx512(degree: usize, psi: u64, p: u64) -> Option<Self> {
        let machine = Avx512::new().filter(|_| degree >= BLOCK)?;
        Some(Self::Avx512(machine, Tables::new(degree, psi, p)))
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn avx2(_: usize, _: u64, _: u64) -> Option<Self> {
        None
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn avx512(_: usize, _: u64, _: u64) -> Option<Self> {
        None
    }

    pub(super) fn forward(&self, x: &mut [f64], nonzero: usize) {
        run!(self, |portable| portable.forward(x, nonzero), |tables| {
            Forward { tables, x, nonzero }
        });
    }

    pub(super) fn inverse(&self, x: &mut [f64], scale: u64) {
        run!(self, |portable| portable.inverse(x, scale), |tables| {
            Inverse { tables, x, scale }
        });
    }

    pub(super) fn reduce(&self, x: &mut [f64]) {
        run!(self, |portable| portable.reduce(x), |tables| Reduce {
            prime: tables.prime,
            x
        });
    }

    pub(super) fn multiply(&self, out: &mut [f64], a: &[f64], b: &[f64], add: bool) {
        run!(
            self,
            |portable| portable.multiply(out, a, b, add),
            |tables| Multiply {
                prime: tables.prime,
                out,
                a,
                b,
                add,
            }
        );
    }

    /// The factor is below p.
    pub(super) fn scale(&self, x: &mut [f64], factor: u64) {
        run!(self, |portable| portable.scale(x, factor), |tables| Scale {
            prime: tables.prime,
            x,
            factor: crate::convert::centred(factor, tables.prime),
        });
    }

    pub(super) fn add_products(&self, acc: &mut [f64], ct: &[f64], w: &[f64], reduce: bool) {
        run!(
            self,
            |portable| portable.add_products(acc, ct, w),
            |tables| AddProducts {
                prime: tables.prime,
                acc,
                ct,
                w,
                reduce,
            }
        );
    }

    pub(super) fn add_scaled(&self, acc: &mut [f64], ct: &[f64], factor: i32, reduce: bool) {
        run!(
            self,
            |portable| portable.add_scaled(acc, ct, factor),
            |tables| AddScaled {
                prime: tables.prime,
                acc,
                ct,
                factor: f64::from(factor),
                reduce,
            }
        );
    }
}
