//! The ring modulo q and P: primes, their transforms, and the constants of the Chinese remainder theorem.

use std::sync::OnceLock;

use crate::ntt::{Buffer, Ntt, inverse_mod};
use crate::set::{DEGREE, Set};

/// A polynomial as its residues modulo each of some primes.
pub(crate) type Poly = Vec<Buffer>;

/// One prime.
pub(crate) struct Prime {
    pub(crate) p: u64,
    pub(crate) ntt: Ntt,
    /// The inverse of q / p. (1 for the special prime.)
    pub(crate) cofactor_inverse: u64,
    /// The inverse of P. (1 for the special prime.)
    pub(crate) special_inverse: u64,
}

impl Prime {
    /// Bits of a residue.
    pub(crate) const fn bits(&self) -> u32 {
        self.p.ilog2() + 1
    }
}

/// The ring of polynomials of one set.
///
/// What it says of secrets and errors is that of the [`Set`]. Tests make rings of small degree and tiny primes.
pub(crate) struct Ring {
    pub(crate) degree: usize,
    /// The primes whose product is q, and then P.
    primes: Vec<Prime>,
    pub(crate) modulus: u128,
    /// The most coefficients of a secret that are not zero.
    pub(crate) max_weight: usize,
}

impl Ring {
    /// The ring of a set.
    pub(crate) fn of(set: Set) -> &'static Self {
        static RINGS: [OnceLock<Ring>; 2] = [const { OnceLock::new() }; 2];
        RINGS[set as usize].get_or_init(|| {
            Self::new(
                DEGREE,
                set.primes(),
                set.special(),
                Set::MAX_WEIGHT as usize,
            )
        })
    }

    /// The ring of this degree, a power of four.
    pub(crate) fn new(degree: usize, primes: &[u64], special: u64, max_weight: usize) -> Self {
        assert!(!primes.contains(&special), "a special prime");
        let modulus = primes.iter().map(|&p| u128::from(p)).product();
        let of = |p: u64| Prime {
            p,
            ntt: Ntt::new(degree, p),
            cofactor_inverse: match p == special {
                true => 1,
                false => inverse_mod(residue(modulus / u128::from(p), p), p),
            },
            special_inverse: match p == special {
                true => 1,
                false => inverse_mod(special % p, p),
            },
        };
        Self {
            degree,
            primes: primes.iter().chain([&special]).map(|&p| of(p)).collect(),
            modulus,
            max_weight,
        }
    }

    /// The primes whose product is q.
    pub(crate) fn primes(&self) -> &[Prime] {
        &self.primes[..self.primes.len() - 1]
    }

    /// The special prime P.
    pub(crate) fn special(&self) -> &Prime {
        &self.primes[self.primes.len() - 1]
    }

    /// The primes of q, and P.
    pub(crate) fn all_primes(&self) -> &[Prime] {
        &self.primes
    }

    /// Bits of a residue modulo q.
    pub(crate) const fn modulus_bits(&self) -> u32 {
        self.modulus.ilog2() + 1
    }

    /// A polynomial of zeros.
    pub(crate) fn zero(&self) -> Buffer {
        Buffer::zeroed(self.degree)
    }

    /// The same polynomial modulo each of the primes, in NTT form, centred. Its coefficients are at most half of each prime.
    pub(crate) fn transform(primes: &[Prime], x: &Buffer) -> Poly {
        let transformed = primes.iter().map(|prime| {
            let mut y = Buffer::zeroed(x.len());
            y.copy_from_slice(x);
            prime.ntt.forward(&mut y, x.len());
            prime.ntt.reduce(&mut y);
            y
        });
        transformed.collect()
    }

    /// Whether no value of the polynomial in NTT form is zero modulo any of its primes, in time that does not depend on the values.
    pub(crate) fn is_invertible(x: &Poly) -> bool {
        let zeros = |x: &Buffer| x.iter().map(|&v| u32::from(v == 0.0)).sum::<u32>();
        x.iter().map(zeros).sum::<u32>() == 0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a residue is below its 64-bit modulus"
)]
pub(crate) const fn residue(x: u128, p: u64) -> u64 {
    (x % p as u128) as u64
}
