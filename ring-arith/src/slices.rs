//! Fused loops over slices of ring elements.
//!
//! Functions that take [`Bits`] return canonical values; the others wrap at the word size.

use crate::backend::dispatched;
use crate::{Bits, Word};

dispatched! {
    /// `x[i] += y[i]` mod 2^l.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_assign<W: Word>(bits: Bits, x: &mut [W], y: &[W]) {
        assert_eq!(x.len(), y.len(), "slices must have one length");
        let mask = W::mask(bits);
        for (x, &y) in x.iter_mut().zip(y) {
            *x = x.wrapping_add(y) & mask;
        }
    }
}

dispatched! {
    /// `x[i] -= y[i]` mod 2^l.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn sub_assign<W: Word>(bits: Bits, x: &mut [W], y: &[W]) {
        assert_eq!(x.len(), y.len(), "slices must have one length");
        let mask = W::mask(bits);
        for (x, &y) in x.iter_mut().zip(y) {
            *x = x.wrapping_sub(y) & mask;
        }
    }
}

dispatched! {
    /// `x[i] = -x[i]` mod 2^l.
    pub fn neg_assign<W: Word>(bits: Bits, x: &mut [W]) {
        let mask = W::mask(bits);
        for x in x.iter_mut() {
            *x = x.wrapping_neg() & mask;
        }
    }
}

dispatched! {
    /// `x[i] *= factor` mod 2^l.
    pub fn scale<W: Word>(bits: Bits, x: &mut [W], factor: W) {
        let mask = W::mask(bits);
        for x in x.iter_mut() {
            *x = x.wrapping_mul(factor) & mask;
        }
    }
}

dispatched! {
    /// `x[i] += c` mod 2^l.
    pub fn add_constant<W: Word>(bits: Bits, x: &mut [W], c: W) {
        let mask = W::mask(bits);
        for x in x.iter_mut() {
            *x = x.wrapping_add(c) & mask;
        }
    }
}

dispatched! {
    /// `x[i]` mod 2^l.
    pub fn reduce_slice<W: Word>(bits: Bits, x: &mut [W]) {
        let mask = W::mask(bits);
        for x in x.iter_mut() {
            *x = *x & mask;
        }
    }
}

dispatched! {
    /// `out[i] = r0[i] + x[i] - r1[i]`, wrapping: what the sender of a correlated OT transmits.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn correction<W: Word>(out: &mut [W], r0: &[W], x: &[W], r1: &[W]) {
        let n = out.len();
        assert!(r0.len() == n && x.len() == n && r1.len() == n, "slices must have one length");
        for (((out, &r0), &x), &r1) in out.iter_mut().zip(r0).zip(x).zip(r1) {
            *out = r0.wrapping_add(x).wrapping_sub(r1);
        }
    }
}

dispatched! {
    /// `y[i] += corr[i]` if `bit`, wrapping and free of branches.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_masked<W: Word>(y: &mut [W], corr: &[W], bit: bool) {
        assert_eq!(y.len(), corr.len(), "slices must have one length");
        let select = W::spread(u64::from(bit));
        for (y, &corr) in y.iter_mut().zip(corr) {
            *y = y.wrapping_add(corr & select);
        }
    }
}

dispatched! {
    /// `acc[i] += v[i] << shift`, or `-=` if `negate`, wrapping.
    ///
    /// # Panics
    /// If the lengths differ or `shift` is not below the word size.
    pub fn accumulate_shifted<W: Word>(acc: &mut [W], v: &[W], shift: u32, negate: bool) {
        assert_eq!(acc.len(), v.len(), "slices must have one length");
        assert!(shift < W::BITS, "the shift must stay inside the word");
        if negate {
            for (acc, &v) in acc.iter_mut().zip(v) {
                *acc = acc.wrapping_sub(v.shl(shift));
            }
        } else {
            for (acc, &v) in acc.iter_mut().zip(v) {
                *acc = acc.wrapping_add(v.shl(shift));
            }
        }
    }
}

dispatched! {
    /// `acc[i] += v[i] * factor`, wrapping.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_scaled<W: Word>(acc: &mut [W], v: &[W], factor: W) {
        assert_eq!(acc.len(), v.len(), "slices must have one length");
        for (acc, &v) in acc.iter_mut().zip(v) {
            *acc = acc.wrapping_add(v.wrapping_mul(factor));
        }
    }
}

/// `x[i] + y[i]` mod 2^l.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn add<W: Word>(bits: Bits, x: &[W], y: &[W]) -> Vec<W> {
    let mut out = x.to_vec();
    add_assign(bits, &mut out, y);
    out
}

/// `x[i] - y[i]` mod 2^l.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn sub<W: Word>(bits: Bits, x: &[W], y: &[W]) -> Vec<W> {
    let mut out = x.to_vec();
    sub_assign(bits, &mut out, y);
    out
}

/// `-x[i]` mod 2^l.
#[must_use]
pub fn neg<W: Word>(bits: Bits, x: &[W]) -> Vec<W> {
    let mut out = x.to_vec();
    neg_assign(bits, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::portable;
    use proptest::prelude::*;

    /// Runs `f` in both copies, checks that they agree, and returns the result.
    fn both<W: Word>(x: &[W], f: impl Fn(&mut [W])) -> Vec<W> {
        let (mut fast, mut slow) = (x.to_vec(), x.to_vec());
        f(&mut fast);
        portable(|| f(&mut slow));
        assert_eq!(fast, slow);
        fast
    }

    fn check_ring<W: Word>(bits: Bits, x: &[u64], y: &[u64], c: u64) {
        let words = |v: &[u64]| -> Vec<W> { v.iter().map(|&v| W::from_u64(v)).collect() };
        let expect = |f: &dyn Fn(u64, u64) -> u64| -> Vec<W> {
            let values = x.iter().zip(y).map(|(&x, &y)| bits.reduce(f(x, y)));
            values.map(W::from_u64).collect()
        };
        let (a, b, k) = (words(x), words(y), W::from_u64(c));
        assert_eq!(
            both(&a, |a| add_assign(bits, a, &b)),
            expect(&u64::wrapping_add)
        );
        assert_eq!(add(bits, &a, &b), expect(&u64::wrapping_add));
        assert_eq!(
            both(&a, |a| sub_assign(bits, a, &b)),
            expect(&u64::wrapping_sub)
        );
        assert_eq!(sub(bits, &a, &b), expect(&u64::wrapping_sub));
        assert_eq!(
            both(&a, |a| neg_assign(bits, a)),
            expect(&|x, _| x.wrapping_neg())
        );
        assert_eq!(neg(bits, &a), expect(&|x, _| x.wrapping_neg()));
        assert_eq!(
            both(&a, |a| scale(bits, a, k)),
            expect(&|x, _| x.wrapping_mul(c))
        );
        assert_eq!(
            both(&a, |a| add_constant(bits, a, k)),
            expect(&|x, _| x.wrapping_add(c))
        );
        assert_eq!(both(&a, |a| reduce_slice(bits, a)), expect(&|x, _| x));
    }

    fn check_fused<W: Word>(x: &[u64], y: &[u64], shift: u32, c: u64, flag: bool) {
        let words = |v: &[u64]| -> Vec<W> { v.iter().map(|&v| W::from_u64(v)).collect() };
        let expect = |f: &dyn Fn(u64, u64) -> u64| -> Vec<W> {
            x.iter()
                .zip(y)
                .map(|(&x, &y)| W::from_u64(f(x, y)))
                .collect()
        };
        let (a, b) = (words(x), words(y));
        let product = |v: u64| {
            v.wrapping_shl(shift)
                .wrapping_mul(if flag { u64::MAX } else { 1 })
        };
        assert_eq!(
            both(&a, |a| accumulate_shifted(a, &b, shift, flag)),
            expect(&|x, y| x.wrapping_add(product(y)))
        );
        assert_eq!(
            both(&a, |a| add_masked(a, &b, flag)),
            expect(&|x, y| x.wrapping_add(y * u64::from(flag)))
        );
        assert_eq!(
            both(&a, |a| add_scaled(a, &b, W::from_u64(c))),
            expect(&|x, y| x.wrapping_add(y.wrapping_mul(c)))
        );
        assert_eq!(
            both(&a, |out| correction(out, &b, &a, &a)),
            expect(&|_, y| y)
        );
        assert_eq!(
            both(&a, |out| correction(out, &b, &a, &b)),
            expect(&|x, _| x)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn kernels_follow_their_definitions(
            n in prop_oneof![0usize..40, prop::sample::select(vec![127usize, 128, 129])],
            l in 1u32..=64,
            seed: u64,
            c: u64,
            flag: bool,
        ) {
            let noise = |s: u64| -> Vec<u64> {
                let mix = |i: u64| (s ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
                (0..n as u64).map(mix).collect()
            };
            let (x, y) = (noise(seed), noise(!seed));
            let narrow = |v: &[u64]| -> Vec<u64> { v.iter().map(|v| v >> 32).collect() };
            check_ring::<u64>(Bits::of(l), &x, &y, c);
            check_ring::<u32>(Bits::of(l.div_ceil(2)), &narrow(&x), &narrow(&y), c);
            check_fused::<u64>(&x, &y, l - 1, c, flag);
            check_fused::<u32>(&narrow(&x), &narrow(&y), (l - 1) / 2, c, flag);
        }
    }
}
