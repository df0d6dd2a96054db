//! The client's secret, and encryptions of zero under it.

use crate::ntt::Buffer;
use crate::random::{Purpose, Source};
use crate::ring::{Poly, Prime, Ring};
use crate::sample;

/// The ternary secret s.
pub(crate) struct Secret {
    /// Its coefficients.
    pub(crate) coefficients: Buffer,
    /// Its NTT form modulo the primes of q and P, centred.
    pub(crate) transformed: Poly,
}

impl Secret {
    /// Draws until at most so many coefficients are not zero that the noise rule holds, and no NTT value is zero: then a·s is uniform
    /// for uniform a.
    pub(crate) fn draw(ring: &Ring, source: &Source) -> Self {
        let mut draws = (0..).map(|attempt| {
            let mut coefficients = ring.zero();
            let mut stream = source.stream(Purpose::Secret, 0, attempt);
            sample::ternary(&mut stream, &mut coefficients);
            let transformed = Ring::transform(ring.all_primes(), &coefficients);
            Self {
                coefficients,
                transformed,
            }
        });
        let good = |s: &Self| s.weight() <= ring.max_weight && Ring::is_invertible(&s.transformed);
        draws.find(good).expect("one of the next 2^32 is good")
    }

    /// How many coefficients are not zero.
    pub(crate) fn weight(&self) -> usize {
        self.coefficients
            .iter()
            .map(|&x| usize::from(x != 0.0))
            .sum()
    }

    /// e − a·s modulo each of the primes, which are some of the first of those of the ring; coefficients, centred. `a` is in NTT form.
    pub(crate) fn hide(&self, primes: &[Prime], a: &Poly, e: &Buffer) -> Poly {
        let hidden = primes
            .iter()
            .zip(a.iter().zip(&self.transformed))
            .map(|(prime, (a, s))| {
                let mut x = Buffer::zeroed(e.len());
                prime.ntt.multiply(&mut x, a, s);
                prime.ntt.inverse(&mut x, 1);
                for (x, &e) in x.iter_mut().zip(e.iter()) {
                    *x = e - *x;
                }
                prime.ntt.reduce(&mut x);
                x
            });
        hidden.collect()
    }
}

/// The error of the public key: redrawn until ‖e‖² is at most a tenth above its mean, as the noise rule has it.
pub(crate) fn public_key_error(ring: &Ring, source: &Source) -> Buffer {
    #[expect(clippy::cast_precision_loss, reason = "a degree is small")]
    let most = 1.1 * crate::Set::ERROR_VARIANCE * ring.degree as f64;
    let mut draws = (0..).map(|attempt| {
        let mut e = ring.zero();
        sample::add_errors(
            &mut source.stream(Purpose::PublicKeyError, 0, attempt),
            &mut e,
        );
        e
    });
    let good = |e: &Buffer| e.iter().map(|x| x * x).sum::<f64>() <= most;
    draws.find(good).expect("one of the next 2^32 is good")
}
