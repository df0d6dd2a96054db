//! The key switch after an automorphism, by the special prime.
//!
//! c1 of a ciphertext under φ(s) is cut into its digits, its residues d_r modulo the primes of q, centred. Digit r meets an encryption
//! (b_r, a_r) under s of P·g_r·φ(s) modulo q·P, where g_r is 1 modulo prime r and 0 modulo the other. The sum Σ d_r·(b_r, a_r) encrypts
//! P·c1·φ(s), and its error is divided by P with the rest (eprint 2012/099, eprint 2020/015).

use crate::automorphism::Automorphism;
use crate::ntt::Buffer;
use crate::ring::{Poly, Ring};

/// The packing key of one level: for each digit b and a, in NTT form modulo the primes of q and P, centred.
pub(crate) struct SwitchKey {
    pub(crate) automorphism: Automorphism,
    digits: Vec<[Poly; 2]>,
}

/// Room for a key switch.
pub(crate) struct Scratch {
    /// φ(c1) modulo one prime.
    digit: Buffer,
    /// A digit modulo one prime, in NTT form.
    transformed: Buffer,
    /// The two sums, modulo the primes of q and P.
    sums: [Poly; 2],
}

impl Scratch {
    pub(crate) fn new(ring: &Ring) -> Self {
        let poly = |_| ring.all_primes().iter().map(|_| ring.zero()).collect();
        Self {
            digit: ring.zero(),
            transformed: ring.zero(),
            sums: [0, 1].map(poly),
        }
    }
}

impl SwitchKey {
    pub(crate) fn new(degree: usize, level: u32, digits: Vec<[Poly; 2]>) -> Self {
        Self {
            automorphism: Automorphism::new(degree, level),
            digits,
        }
    }

    /// Adds the encryption under s of φ(c0 + c1·s) to `sum`. `c` are c0 and c1 in coefficient form, centred, and so is the result.
    pub(crate) fn add_image(
        &self,
        ring: &Ring,
        c: &[Poly; 2],
        sum: &mut [Poly; 2],
        scratch: &mut Scratch,
    ) {
        let Scratch {
            digit,
            transformed,
            sums,
        } = scratch;
        for (r, key) in self.digits.iter().enumerate() {
            self.automorphism.apply(&c[1][r], digit);
            for (i, prime) in ring.all_primes().iter().enumerate() {
                transformed.copy_from_slice(digit);
                prime.ntt.forward(transformed, ring.degree);
                for (sum, key) in sums.iter_mut().zip(key) {
                    match r {
                        0 => prime.ntt.multiply(&mut sum[i], transformed, &key[i]),
                        _ => prime.ntt.multiply_add(&mut sum[i], transformed, &key[i]),
                    }
                }
            }
        }
        for (c0, sum) in c[0].iter().zip(&mut sum[0]) {
            self.automorphism.add(c0, sum);
        }
        for (sums, sum) in sums.iter_mut().zip(sum) {
            divide_add(ring, sums, digit, sum);
        }
    }
}

/// Adds x/P, rounded, to `sum`: (x − [x mod P])/P modulo each prime of q. `x` is in NTT form, `sum` in coefficient form, centred at the
/// end.
fn divide_add(ring: &Ring, x: &mut Poly, rest: &mut Buffer, sum: &mut Poly) {
    let (special, x) = x.split_last_mut().expect("P is the last");
    let last = ring.special();
    last.ntt.inverse(special, 1);
    for ((prime, x), sum) in ring.primes().iter().zip(x).zip(sum) {
        prime.ntt.inverse(x, prime.special_inverse);
        rest.copy_from_slice(special);
        prime.ntt.scale(rest, prime.special_inverse);
        for ((sum, &x), &rest) in sum.iter_mut().zip(x.iter()).zip(rest.iter()) {
            *sum += x - rest;
        }
        prime.ntt.reduce(sum);
    }
}
