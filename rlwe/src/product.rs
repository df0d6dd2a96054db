//! Products of weights with ciphertexts.

use crate::ntt::{Buffer, inverse_mod, pow_mod, split};
use crate::ring::{Poly, Ring};
use crate::set::Set;

/// Products that may be added up before the sum is reduced.
const UNREDUCED: u32 = 6;

/// A ciphertext (c0, c1) with c0 + c1·s near q·x/2^l: both polynomials in NTT form, for each prime of q.
pub struct Ciphertext {
    ring: &'static Ring,
    pairs: Vec<Buffer>,
}

impl Ciphertext {
    pub(crate) const fn new(ring: &'static Ring, pairs: Vec<Buffer>) -> Self {
        Self { ring, pairs }
    }
}

/// A polynomial of weights, in NTT form. The server's secret.
pub struct Weights {
    ring: &'static Ring,
    values: Poly,
    /// Room for coefficients.
    coefficients: Buffer,
}

impl Weights {
    /// Room for polynomials of a set.
    #[must_use]
    pub fn new(set: Set) -> Self {
        Self::new_in(Ring::of(set))
    }

    pub(crate) fn new_in(ring: &'static Ring) -> Self {
        Self {
            ring,
            values: ring.primes().iter().map(|_| ring.zero()).collect(),
            coefficients: ring.zero(),
        }
    }

    /// Makes it the polynomial with these coefficients at these exponents; those of equal exponents are added up, and may not leave 32 bits.
    ///
    /// A smaller `span` makes the transform cheaper.
    ///
    /// # Panics
    /// If an exponent is not below `span`, or that is not in 1..=[`DEGREE`](crate::DEGREE).
    pub fn fill(&mut self, span: usize, terms: impl Iterator<Item = (usize, i32)>) {
        let degree = self.ring.degree;
        assert!((1..=degree).contains(&span), "a span within the degree");
        let coefficients = &mut self.coefficients[..span];
        coefficients.fill(0.0);
        for (exponent, weight) in terms {
            coefficients[exponent] += f64::from(weight);
        }
        for (prime, values) in self.ring.primes().iter().zip(&mut self.values) {
            values[..span].copy_from_slice(coefficients);
            prime.ntt.forward(values, span);
        }
    }
}

/// A sum of products of weights with ciphertexts.
///
/// Results are exact if no more weights meet in one of them, and no wider ones, than the [`Demand`](crate::Demand) says that the format was
/// chosen for. Nothing here counts them.
pub struct Accumulator {
    ring: &'static Ring,
    pairs: Vec<Buffer>,
    /// Products since the last reduction.
    unreduced: u32,
}

impl Accumulator {
    /// The empty sum.
    #[must_use]
    pub fn new(set: Set) -> Self {
        Self::new_in(Ring::of(set))
    }

    pub(crate) fn new_in(ring: &'static Ring) -> Self {
        let pair = |_| Buffer::zeroed(2 * ring.degree);
        Self {
            ring,
            pairs: ring.primes().iter().map(pair).collect(),
            unreduced: 0,
        }
    }

    /// Makes it the empty sum again.
    pub fn clear(&mut self) {
        self.pairs.iter_mut().for_each(|pair| pair.fill(0.0));
        self.unreduced = 0;
    }

    /// Adds the product of a ciphertext with weights.
    ///
    /// # Panics
    /// If they are of different sets.
    pub fn add(&mut self, ciphertext: &Ciphertext, weights: &Weights) {
        self.check(weights.ring);
        self.check(ciphertext.ring);
        let reduce = self.reduce_now();
        for (i, prime) in self.ring.primes().iter().enumerate() {
            let (acc, pair) = (&mut self.pairs[i], &ciphertext.pairs[i]);
            prime
                .ntt
                .add_products(acc, pair, &weights.values[i], reduce);
        }
    }

    /// Adds the product of a ciphertext with one weight: as [`add`](Self::add) with a constant polynomial, without its transform.
    ///
    /// # Panics
    /// If they are of different sets.
    pub fn add_scaled(&mut self, ciphertext: &Ciphertext, weight: i32) {
        self.check(ciphertext.ring);
        let reduce = self.reduce_now();
        for (i, prime) in self.ring.primes().iter().enumerate() {
            let (acc, pair) = (&mut self.pairs[i], &ciphertext.pairs[i]);
            prime.ntt.add_scaled(acc, pair, weight, reduce);
        }
    }

    fn check(&self, ring: &'static Ring) {
        assert!(
            std::ptr::eq(self.ring, ring),
            "what is multiplied is of one set"
        );
    }

    const fn reduce_now(&mut self) -> bool {
        let reduce = self.unreduced == UNREDUCED;
        self.unreduced = if reduce { 0 } else { self.unreduced + 1 };
        reduce
    }

    /// The sum times X^−shift, and divided by 2^levels modulo q, as a [`Packer`](crate::Packer) of so many levels wants it. The
    /// accumulator is empty after that.
    ///
    /// # Panics
    /// If the shift is not below [`DEGREE`](crate::DEGREE).
    pub fn finish(&mut self, shift: usize, levels: u32) -> Product {
        let ring = self.ring;
        assert!(shift < ring.degree, "a shift below the degree");
        let mut parts = [Poly::new(), Poly::new()];
        for (prime, pair) in ring.primes().iter().zip(&mut self.pairs) {
            let mut split_parts = [ring.zero(), ring.zero()];
            let [first, second] = &mut split_parts;
            split(pair, first, second);
            let scale = inverse_mod(pow_mod(2, u64::from(levels), prime.p), prime.p);
            for (mut x, part) in split_parts.into_iter().zip(&mut parts) {
                prime.ntt.inverse(&mut x, scale);
                x.rotate_left(shift);
                let wrapped = ring.degree - shift;
                x[wrapped..].iter_mut().for_each(|x| *x = -*x);
                part.push(x);
            }
        }
        self.clear();
        Product {
            ring,
            parts,
            levels,
            packed: 0,
        }
    }
}

/// A ciphertext of results, in coefficient form, centred.
///
/// It tells of the weights: only what [`ServerKey::respond`](crate::ServerKey::respond) makes of it may be sent, and it has no other way
/// to bytes.
pub struct Product {
    pub(crate) ring: &'static Ring,
    /// c0 and c1.
    pub(crate) parts: [Poly; 2],
    /// It is divided by 2^levels, and so many levels of packing have to multiply it again.
    pub(crate) levels: u32,
    /// Levels of packing that it has been through.
    pub(crate) packed: u32,
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
opaque!(Ciphertext, Weights, Accumulator, Product);
