//! From residues modulo the primes of q to integers, and to fractions of q.

use crate::convert::{to_int, vectorised};
use crate::ntt::Buffer;
use crate::ring::{Poly, Prime, Ring, residue};
use ring_arith::Bits;

/// The mixed-radix digits of a polynomial that is known modulo q: x = x0 + p0·x1 with x1 centred modulo p1. For one prime, x0 is all.
///
/// Takes centred residues, and turns the second polynomial into that of the second digits.
///
/// # Panics
/// If q has more than two primes.
pub(crate) fn to_digits(ring: &Ring, x: &mut Poly) {
    let [first, second] = ring.primes() else {
        assert!(ring.primes().len() == 1, "one or two primes");
        return;
    };
    let [x0, x1] = &mut x[..] else {
        unreachable!("a polynomial for each prime")
    };
    for (x1, &x0) in x1.iter_mut().zip(x0.iter()) {
        *x1 -= x0;
    }
    // (p1)^-1 modulo the second prime is the inverse of the cofactor.
    second.ntt.scale(x1, second.cofactor_inverse);
    debug_assert_eq!(
        residue(ring.modulus / u128::from(second.p), second.p),
        first.p % second.p
    );
}

/// The integer of some digits, modulo 2^64, of the one that is least in absolute value.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "arithmetic modulo 2^64")]
pub(crate) fn wrapping_integer(x0: f64, x1: f64, p0: u64) -> i64 {
    to_int(x0).wrapping_add(to_int(x1).wrapping_mul(p0 as i64))
}

/// round(2^k·x/q) mod 2^k of a polynomial modulo q in coefficient form, exact: halves are rounded up.
///
/// By x/q ≡ Σ y_i/p_i modulo 1, where y_i = x·(q/p_i)^-1 mod p_i. Leaves the y_i in place of x.
pub(crate) fn round_to_bits(ring: &Ring, x: &mut Poly, bits: Bits, out: &mut [u64]) {
    for (prime, x) in ring.primes().iter().zip(&mut *x) {
        match prime.cofactor_inverse {
            1 => prime.ntt.reduce(x),
            inverse => prime.ntt.scale(x, inverse),
        }
    }
    match (ring.primes(), &x[..]) {
        ([prime], [y]) => round_one(prime, y, bits, out),
        ([first, second], [y0, y1]) => round_two([first, second], [y0, y1], bits, out),
        _ => unreachable!("one or two primes, and a polynomial for each"),
    }
}

/// Quotient and remainder of 2^k·y by p: the quotient modulo 2^64.
struct Division {
    p: u64,
    bits: u32,
    ratio: f64,
}

impl Division {
    #[expect(clippy::cast_precision_loss, reason = "an estimate that is put right")]
    fn new(prime: &Prime, bits: Bits) -> Self {
        Self {
            p: prime.p,
            bits: bits.get(),
            ratio: (1_u64 << bits.get()) as f64 / prime.p as f64,
        }
    }

    /// For y centred, of the residue in [0, p), so that the remainder is in [0, p).
    #[inline(always)]
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "arithmetic modulo 2^64, of a remainder that is small"
    )]
    fn divide(&self, y: f64) -> (u64, u64) {
        let p = self.p as i64;
        // The estimate is at most one off: below 2^50, with an error of 2^-2 and half a unit.
        let quotient = to_int(y * self.ratio);
        let remainder = (to_int(y) << self.bits).wrapping_sub(quotient.wrapping_mul(p));
        // −p < remainder < p
        let low = remainder >> 63;
        ((quotient + low) as u64, (remainder + (low & p)) as u64)
    }
}

fn round_one(prime: &Prime, y: &Buffer, bits: Bits, out: &mut [u64]) {
    let (division, half, mask) = (Division::new(prime, bits), prime.p >> 1, bits.mask());
    vectorised(
        #[inline(always)]
        || {
            for (out, &y) in out.iter_mut().zip(y.iter()) {
                let (quotient, remainder) = division.divide(y);
                // p is odd: the remainder is more than half of it, or less.
                let up = half.wrapping_sub(remainder) >> 63;
                *out = quotient.wrapping_add(up) & mask;
            }
        },
    );
}

fn round_two(primes: [&Prime; 2], y: [&Buffer; 2], bits: Bits, out: &mut [u64]) {
    let divisions = primes.map(|prime| Division::new(prime, bits));
    let [p0, p1] = primes.map(|prime| u128::from(prime.p));
    let (modulus, mask) = (p0 * p1, bits.mask());
    for (out, (&y0, &y1)) in out.iter_mut().zip(y[0].iter().zip(y[1].iter())) {
        let (quotient0, remainder0) = divisions[0].divide(y0);
        let (quotient1, remainder1) = divisions[1].divide(y1);
        // What is left is r0/p0 + r1/p1 = rest/q, below 2: rounded it is 0, 1 or 2. q is odd, so there are no halves.
        let rest = 2 * (u128::from(remainder0) * p1 + u128::from(remainder1) * p0);
        let up = u64::from(rest > modulus) + u64::from(rest > 3 * modulus);
        *out = quotient0.wrapping_add(quotient1).wrapping_add(up) & mask;
    }
}

/// The canonical integer in [0, q) of some digits.
#[inline(always)]
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the sum is between −q and q"
)]
pub(crate) fn canonical_integer(x0: f64, x1: f64, p0: u64, modulus: u128) -> u128 {
    let x = i128::from(to_int(x0)) + i128::from(to_int(x1)) * i128::from(p0);
    (x + (x >> 127 & modulus as i128)) as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Set;
    use crate::convert::centred;
    use proptest::prelude::*;

    /// Residues, next to zero, of integers in every coefficient.
    fn polynomial(ring: &Ring, x: &[u128]) -> Poly {
        let residues = ring.primes().iter().map(|prime| {
            let mut y = ring.zero();
            for (y, &x) in y.iter_mut().zip(x.iter().cycle()) {
                *y = centred(residue(x, prime.p), prime.p);
            }
            y
        });
        residues.collect()
    }

    fn check(x: &[u128]) {
        for set in Set::ALL {
            let (ring, q) = (Ring::of(set), set.modulus());
            let x: Vec<u128> = x.iter().map(|x| x % q).collect();
            for bits in [1, 5, 24, 37, 38, 50] {
                let mut out = vec![0; ring.degree];
                round_to_bits(ring, &mut polynomial(ring, &x), Bits::of(bits), &mut out);
                for (&out, &x) in out.iter().zip(&x) {
                    let rounded = ((x << bits) + q / 2) / q;
                    assert_eq!(u128::from(out), rounded % (1 << bits), "{set:?} {bits} {x}");
                }
            }
            let mut digits = polynomial(ring, &x);
            to_digits(ring, &mut digits);
            for (i, &x) in x.iter().enumerate() {
                let (x0, p0) = (digits[0][i], ring.primes()[0].p);
                let x1 = digits.get(1).map_or(0.0, |digits| digits[i]);
                assert_eq!(canonical_integer(x0, x1, p0, q), x);
                // Modulo 2^64, of the integer next to zero.
                let next = if 2 * x > q { x.wrapping_sub(q) } else { x };
                let wrapped = wrapping_integer(x0, x1, p0);
                assert_eq!(
                    u128::from(wrapped.cast_unsigned()),
                    next & u128::from(u64::MAX)
                );
            }
        }
    }

    /// The ends of the range, and both sides of where roundings change.
    #[test]
    fn roundings_are_exact_where_they_change() {
        for set in Set::ALL {
            let q = set.modulus();
            let mut x = vec![0, 1, q / 2, q / 2 + 1, q - 1];
            for bits in [1, 5, 24, 37, 38, 50] {
                for i in [0, 1, 2, 3, (1 << bits) / 3, (1 << bits) - 1] {
                    // 2^k·x/q passes i + 1/2.
                    let edge = ((2 * i + 1) * q) >> (bits + 1);
                    x.extend([edge % q, (edge + 1) % q]);
                }
            }
            check(&x);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn roundings_are_exact(x in prop::collection::vec(any::<u128>(), 1..200)) {
            check(&x);
        }
    }
}
