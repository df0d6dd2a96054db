//! Polynomials as bytes: coefficients, canonical, packed to their bits.

use ring_arith::{Bits, pack, packed_len, unpack};
use zeroize::Zeroizing;

use crate::convert::{canonical, centred, vectorised};
use crate::error::Error;
use crate::ntt::Buffer;
use crate::ring::{Poly, Prime};

/// Bytes of a polynomial modulo all of these primes.
pub(crate) fn residues_len(degree: usize, primes: &[Prime]) -> usize {
    let len = |prime: &Prime| packed_len(degree, Bits::of(prime.bits()));
    primes.iter().map(len).sum()
}

/// Appends the residues of a polynomial in coefficient form, centred; one prime after the other.
pub(crate) fn write_residues(primes: &[Prime], x: &Poly, out: &mut Vec<u8>) {
    for (prime, x) in primes.iter().zip(x) {
        let words: Vec<u64> = x.iter().map(|&x| canonical(x, prime.p)).collect();
        let (start, bits) = (out.len(), Bits::of(prime.bits()));
        out.resize(start + packed_len(words.len(), bits), 0);
        pack(&words, bits, &mut out[start..]);
    }
}

/// Reads what [`write_residues`] wrote; the bytes are of the right length.
///
/// # Errors
/// [`Error::OutOfRange`] if a residue is not below its prime.
pub(crate) fn read_residues(
    what: &'static str,
    degree: usize,
    primes: &[Prime],
    mut bytes: &[u8],
) -> Result<Poly, Error> {
    let mut words = vec![0_u64; degree];
    let read = primes.iter().map(|prime| {
        let bits = Bits::of(prime.bits());
        let (head, rest) = bytes.split_at(packed_len(degree, bits));
        bytes = rest;
        unpack(head, bits, &mut words);
        check_range(what, &words, prime.p - 1)?;
        let mut x = Buffer::zeroed(degree);
        for (x, &word) in x.iter_mut().zip(&words) {
            *x = centred(word, prime.p);
        }
        Ok(x)
    });
    read.collect()
}

/// Whether all of the numbers are at most `most`.
pub(crate) fn check_range(what: &'static str, words: &[u64], most: u64) -> Result<(), Error> {
    let mut greatest = 0;
    let largest = &mut greatest;
    vectorised(
        #[inline(always)]
        || *largest = words.iter().fold(0, |a, &b| a.max(b)),
    );
    if greatest <= most {
        return Ok(());
    }
    let index = words.iter().position(|&word| word > most);
    Err(Error::OutOfRange {
        what,
        index: index.unwrap_or(0),
    })
}

/// Words that are zeroized on drop.
pub(crate) fn words(n: usize) -> Zeroizing<Vec<u64>> {
    Zeroizing::new(vec![0; n])
}
