//! The two parameter sets.

/// The ring degree N: polynomials are those modulo X^N + 1.
pub const DEGREE: usize = 4096;

/// A parameter set: the ciphertext modulus q, and the special modulus P of the packing keys.
///
/// The secret is uniform ternary with at most [`Set::MAX_WEIGHT`] coefficients that are not zero; errors are differences of two counts of
/// [`Set::ERROR_COINS`] coins, of variance [`Set::ERROR_VARIANCE`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the sets there are")]
pub enum Set {
    /// q is one prime below 2^50, for rings of up to 28 bits.
    S1,
    /// q is the product of two primes below 2^33, for rings of up to 40 bits.
    S2,
}

impl Set {
    /// Both sets, the cheaper one first.
    pub const ALL: [Self; 2] = [Self::S1, Self::S2];

    /// The most coefficients of a secret that are not zero: 2N/3 and 2.8 standard deviations. Others are drawn again.
    pub const MAX_WEIGHT: u32 = 2816;

    /// Coins of either sign in an error.
    pub const ERROR_COINS: u32 = 21;

    /// The variance of an error.
    pub const ERROR_VARIANCE: f64 = 10.5;

    /// The primes whose product is q, all 1 modulo 2^14.
    #[must_use]
    pub const fn primes(self) -> &'static [u64] {
        match self {
            Self::S1 => &[1_125_899_906_826_241],
            Self::S2 => &[8_589_852_673, 8_589_475_841],
        }
    }

    /// The special prime P.
    #[must_use]
    pub const fn special(self) -> u64 {
        match self {
            Self::S1 => 1_125_899_906_629_633,
            Self::S2 => 1_099_511_480_321,
        }
    }

    /// The modulus q.
    #[must_use]
    pub const fn modulus(self) -> u128 {
        match self.primes() {
            [p] => *p as u128,
            [p, r, ..] => *p as u128 * *r as u128,
            [] => 1,
        }
    }

    /// Bits of a residue modulo q.
    #[must_use]
    pub const fn modulus_bits(self) -> u32 {
        self.modulus().ilog2() + 1
    }

    /// The widest ring of shares.
    #[must_use]
    pub const fn max_ring(self) -> u32 {
        match self {
            Self::S1 => 28,
            Self::S2 => 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntt::{mul_mod, pow_mod};

    /// Miller and Rabin; these bases decide below 2^64.
    fn is_prime(n: u64) -> bool {
        let twos = (n - 1).trailing_zeros();
        [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]
            .iter()
            .all(|&base| {
                let first = pow_mod(base, (n - 1) >> twos, n);
                let squares = std::iter::successors(Some(first), |&x| Some(mul_mod(x, x, n)));
                first == 1 || squares.take(twos as usize).any(|x| x == n - 1)
            })
    }

    #[test]
    fn moduli_are_products_of_different_primes_with_roots_of_one() {
        assert!(is_prime(65_537) && !is_prime(65_537 * 257) && !is_prime((1 << 50) - 1));
        let mut all: Vec<u64> = Vec::new();
        for set in Set::ALL {
            all.extend(set.primes().iter().chain([&set.special()]));
            let product = set
                .primes()
                .iter()
                .map(|&p| u128::from(p))
                .product::<u128>();
            assert_eq!(set.modulus(), product);
        }
        for &p in &all {
            assert!(is_prime(p) && p % (1 << 14) == 1 && p < 1 << 50, "{p}");
        }
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Set::ALL.map(Set::modulus_bits), [50, 66]);
    }

    /// The Homomorphic Encryption Standard has 109 bits for 128 bits of security at this degree, with ternary secrets.
    #[test]
    fn moduli_are_within_the_standard() {
        assert_eq!(DEGREE, 4096);
        let log = |x: u128| (x as f64).log2();
        let logs = Set::ALL.map(|set| {
            (
                log(set.modulus()),
                log(set.modulus()) + log(set.special().into()),
            )
        });
        assert!(logs.iter().all(|&(q, keys)| q <= keys && keys <= 109.0));
        assert!(logs[0].1 <= 100.0, "{logs:?}");
        assert!(logs[1].1 <= 106.0, "{logs:?}");
    }
}
