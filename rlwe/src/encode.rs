//! Numbers modulo 2^l as residues modulo q, encrypted.
//!
//! x becomes m = floor(q·x/2^l + U) with a dither U that makes the rounding error of mean zero whatever x is. U is in [0, 1), or in
//! [−1/2, 1/2) if bits are dropped: the middle of 2^f numbers, which the server takes, is half a unit above their mean.

use zeroize::Zeroize;

use crate::convert::{canonical, vectorised};
use crate::crt::canonical_integer;
use crate::format::Form;
use crate::random::{CHUNK, Stream};
use crate::ring::{Poly, Ring};
use crate::sample::{self, DITHER_BITS};

/// The high bits of m + e − mask modulo q. The mask is given by its digits; `stream` is for errors and dither.
pub(crate) fn hide(
    ring: &Ring,
    form: Form,
    x: &[u64],
    stream: &mut Stream,
    mask: &Poly,
    out: &mut [u64],
) {
    let mut random = [0; CHUNK];
    for (i, out) in out.chunks_mut(CHUNK).enumerate() {
        let at = i * CHUNK..i * CHUNK + out.len();
        let (x, random) = (&x[at.clone()], &mut random[..out.len()]);
        stream.words(random);
        match &mask[..] {
            [mask] => hide_one(ring.primes()[0].p, form, x, random, &mask[at], out),
            [low, high] => hide_two(ring, form, x, random, [&low[at.clone()], &high[at]], out),
            _ => unreachable!("one or two primes"),
        }
    }
    random.zeroize();
}

/// 2^l·(U + 1) of a random word; what is added to U makes it positive.
#[inline(always)]
const fn dither(word: u64, form: Form) -> u64 {
    let l = form.ring.get();
    let middle = if form.dropped > 0 { 1 << (l - 1) } else { 0 };
    // In the middle of the steps that the bits make.
    let dither = ((2 * sample::dither(word) + 1) << l) >> (DITHER_BITS + 1);
    dither + (1 << l) - middle
}

/// The product of words of 32 bits, for which there are vector instructions.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "both fit 32 bits")]
fn times(a: u64, b: u64) -> u64 {
    debug_assert!((a | b) >> 32 == 0, "words of 32 bits");
    u64::from(a as u32) * u64::from(b as u32)
}

/// x + p if x is negative. A hidden number may be below −p, by an error.
#[inline(always)]
const fn not_negative(x: i64, p: i64) -> i64 {
    x + (x >> 63 & p)
}

/// For one prime p below 2^50 and l of at most 28: p = high·2^25 + low, so that both products with x are below 2^53.
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "all is below 2^55, and the result in [0, p)"
)]
fn hide_one(p: u64, form: Form, x: &[u64], random: &[u64], mask: &[f64], out: &mut [u64]) {
    const HALF: u32 = 25;
    let (l, inputs) = (form.ring.get(), form.ring.mask());
    debug_assert!(p >> (2 * HALF) == 0 && l <= 28, "products below 2^53");
    let (high, low, below) = (p >> HALF, p & ((1 << HALF) - 1), (1 << HALF) - 1);
    let (down, up) = (l.saturating_sub(HALF), HALF.saturating_sub(l));
    vectorised(
        #[inline(always)]
        || {
            for (out, (x, (&word, &mask))) in
                out.iter_mut().zip(x.iter().zip(random.iter().zip(mask)))
            {
                let x = x & inputs;
                let low = times(low, x) + dither(word, form);
                let high = times(high, x) + (low >> HALF);
                // (high·2^25 + low)/2^l, less the one that was added to U.
                let message = ((high >> down << up) + ((low & below) >> l)) as i64 - 1;
                let hidden = message + sample::error(word) - canonical(mask, p) as i64;
                let hidden = not_negative(not_negative(hidden, p as i64), p as i64);
                *out = hidden as u64 >> form.dropped;
            }
        },
    );
}

#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "all is below 2^127, and the result fits a word without its low bits"
)]
fn hide_two(
    ring: &Ring,
    form: Form,
    x: &[u64],
    random: &[u64],
    mask: [&[f64]; 2],
    out: &mut [u64],
) {
    let (q, p0, inputs) = (ring.modulus, ring.primes()[0].p, form.ring.mask());
    for i in 0..out.len() {
        let product = q * u128::from(x[i] & inputs) + u128::from(dither(random[i], form));
        let message = (product >> form.ring.get()) as i128 - 1;
        let mask = canonical_integer(mask[0][i], mask[1][i], p0, q);
        let hidden = message + i128::from(sample::error(random[i])) - mask as i128;
        let hidden = hidden + (hidden >> 127 & q as i128);
        let hidden = hidden + (hidden >> 127 & q as i128);
        out[i] = (hidden >> form.dropped) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Set;
    use crate::random::{Purpose, Source};
    use ring_arith::Bits;

    fn stream() -> Stream {
        Source::secret(&[5; 32], Set::S1).stream(Purpose::RequestError, 0, 0)
    }

    /// Both ways are m + e − mask modulo q with the words of the stream, in plain arithmetic.
    #[test]
    fn hidden_numbers_are_what_they_should_be() {
        for (set, rings) in [
            (Set::S1, &[1, 4, 24, 25, 26, 28][..]),
            (Set::S2, &[1, 20, 33, 40]),
        ] {
            let ring = Ring::of(set);
            let q = i128::try_from(ring.modulus).unwrap();
            let p0 = i128::from(ring.primes()[0].p);
            let mut mask: Poly = ring.primes().iter().map(|_| ring.zero()).collect();
            for (prime, mask) in ring.primes().iter().zip(&mut mask) {
                sample::uniform(&mut stream(), prime.p, mask);
            }
            // The largest masks, under which small numbers with negative errors are below −q.
            mask[0][..64].fill(-1.0);
            mask[1..].iter_mut().for_each(|high| high[..64].fill(0.0));
            for &l in rings {
                for dropped in [0, 2, 6] {
                    let form = Form {
                        ring: Bits::of(l),
                        dropped: dropped + set.modulus_bits() - 50,
                        extra: 9,
                    };
                    let mut words = vec![0; ring.degree];
                    stream().words(&mut words);
                    // The ends of the range among them, and bits beyond it.
                    let mut x: Vec<u64> = words.iter().map(|w| w.rotate_left(7)).collect();
                    x[..32].fill(0);
                    x[62..66].copy_from_slice(&[0, 1, form.ring.mask(), u64::MAX]);
                    let mut out = vec![0; ring.degree];
                    hide(ring, form, &x, &mut stream(), &mask, &mut out);
                    for i in 0..ring.degree {
                        // 2^(l + 23)·(q·x/2^l + U), rounded down as the dither is.
                        let dither = ((2 * i128::from(words[i] >> 42) + 1) << l) >> 23;
                        let middle = if form.dropped > 0 {
                            1_i128 << (l - 1)
                        } else {
                            0
                        };
                        let m = (q * i128::from(form.ring.reduce(x[i])) + dither - middle)
                            .div_euclid(1 << l);
                        let digits: Vec<i128> = mask
                            .iter()
                            .map(|m| i128::from(crate::convert::to_int(m[i])))
                            .collect();
                        let mask = digits[0] + digits.get(1).map_or(0, |d| d * p0);
                        let hidden = (m + i128::from(sample::error(words[i])) - mask).rem_euclid(q);
                        assert_eq!(
                            i128::from(out[i]),
                            hidden >> form.dropped,
                            "l {l} x {}",
                            x[i]
                        );
                    }
                }
            }
        }
    }
}
