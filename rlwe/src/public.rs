//! What both parties derive from the session and the client's nonce: the uniform polynomials a.
//!
//! As neither party can choose them alone, a client that deviates cannot make them special.

use crate::ntt::Buffer;
use crate::random::{Purpose, Source};
use crate::ring::{Poly, Prime};
use crate::sample;

/// Bytes of the client's nonce.
pub(crate) const NONCE: usize = 32;

/// The polynomial a for a purpose and a number, uniform modulo each of the primes, in NTT form, centred.
///
/// Its coefficients are hashed, not its values: so an NTT may order these as it likes.
pub(crate) fn polynomial(
    source: &Source,
    purpose: Purpose,
    number: u64,
    degree: usize,
    primes: &[Prime],
) -> Poly {
    let mut stream = source.stream(purpose, number, 0);
    let hashed = primes.iter().map(|prime| {
        let mut a = Buffer::zeroed(degree);
        sample::uniform(&mut stream, prime.p, &mut a);
        prime.ntt.forward(&mut a, degree);
        prime.ntt.reduce(&mut a);
        a
    });
    hashed.collect()
}
