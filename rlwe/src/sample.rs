//! Uniform residues, errors, and ternary polynomials, from pseudorandom streams.

use zeroize::Zeroize;

use crate::convert::{centred, to_double, vectorised};
use crate::random::{CHUNK, Stream};
use crate::set::Set;

/// The low bits of a word, as many as an error has coins.
const COINS: u64 = (1 << (2 * Set::ERROR_COINS)) - 1;

/// The coins that count as −1.
const LOW_COINS: u64 = (1 << Set::ERROR_COINS) - 1;

/// Uniform bits of a word that are left over by an error.
pub(crate) const DITHER_BITS: u32 = 64 - 2 * Set::ERROR_COINS;

/// An error from the low bits of a uniform word: the heads among 21 coins less the heads among 21 others.
///
/// Turning 21 of the coins over makes that the heads among all of them, less 21.
#[inline(always)]
pub(crate) const fn error(word: u64) -> i64 {
    ((word ^ LOW_COINS) & COINS).count_ones() as i64 - Set::ERROR_COINS as i64
}

/// The bits of the word that [`error`] does not look at.
#[inline(always)]
pub(crate) const fn dither(word: u64) -> u64 {
    word >> (2 * Set::ERROR_COINS)
}

/// A uniform polynomial modulo p: the words of the stream, cut to the bits of p, without those that are not below p.
///
/// For public polynomials: the time depends on what is refused.
pub(crate) fn uniform(stream: &mut Stream, p: u64, out: &mut [f64]) {
    let mask = u64::MAX >> p.leading_zeros();
    let mut words = [0; CHUNK];
    let mut filled = 0;
    while filled < out.len() {
        let words = &mut words[..CHUNK.min(out.len() - filled)];
        stream.words(words);
        // All are below p nearly always.
        let mut refused = 0_u64;
        {
            let (words, refused) = (&mut *words, &mut refused);
            vectorised(
                #[inline(always)]
                || {
                    for word in words {
                        *word &= mask;
                        // The sign of p − 1 − word.
                        *refused += (p - 1).wrapping_sub(*word) >> 63;
                    }
                },
            );
        }
        let accepted = match refused {
            0 => words.len(),
            _ => keep(words, 0, |word| word < p),
        };
        let out = &mut out[filled..filled + accepted];
        vectorised(
            #[inline(always)]
            || {
                for (x, &word) in out.iter_mut().zip(&*words) {
                    *x = centred(word, p);
                }
            },
        );
        filled += accepted;
    }
}

/// Moves those of the items from `start` on that are good together, in their order; where they end. The order of memory accesses tells
/// which are good, and nothing else.
fn keep<T: Copy>(items: &mut [T], start: usize, good: impl Fn(T) -> bool) -> usize {
    let mut end = start;
    for i in start..items.len() {
        let item = items[i];
        items[end] = item;
        end += usize::from(good(item));
    }
    end
}

/// Adds an error to each coefficient.
pub(crate) fn add_errors(stream: &mut Stream, out: &mut [f64]) {
    let mut words = [0; CHUNK];
    for out in out.chunks_mut(CHUNK) {
        let words = &mut words[..out.len()];
        stream.words(words);
        vectorised(
            #[inline(always)]
            || {
                for (x, &word) in out.iter_mut().zip(&*words) {
                    *x += to_double(error(word));
                }
            },
        );
    }
    words.zeroize();
}

/// Digits of base 3 in a byte that is below 3^5.
const TRITS: usize = 5;

/// 3^5, the bytes that are used.
const TRIT_BYTES: u8 = 243;

/// A ternary polynomial, uniform: five coefficients from each byte of the stream that is below 3^5.
///
/// Which bytes are refused is all that time and memory accesses depend on, and it says nothing about those that are not.
pub(crate) fn ternary(stream: &mut Stream, out: &mut [f64]) {
    let mut bytes = [0; CHUNK];
    for out in out.chunks_mut(CHUNK * TRITS) {
        let needed = out.len().div_ceil(TRITS);
        let mut filled = 0;
        while filled < needed {
            stream.bytes(&mut bytes[filled..needed]);
            filled = keep(&mut bytes[..needed], filled, |byte| byte < TRIT_BYTES);
        }
        for (digits, &byte) in out.chunks_mut(TRITS).zip(&bytes) {
            let mut left = u32::from(byte);
            for digit in digits {
                // The quotient by 3, exact below 2^8.
                let quotient = (left * 171) >> 9;
                *digit = f64::from(left - 3 * quotient) - 1.0;
                left = quotient;
            }
        }
    }
    bytes.zeroize();
}
