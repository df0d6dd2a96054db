//! Wrapping matrix products of small signed weights with ring elements.

mod blocked;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::Word;

pub(crate) use blocked::{MAX_TILE, MR, portable_tile};

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals the trait")]
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for i16 {}
    impl Sealed for i32 {}
}

/// A signed weight: `i8`, `i16` or `i32`.
pub trait Weight: sealed::Sealed + Copy + Default + Send + Sync + Into<i32> + 'static {}
impl Weight for i8 {}
impl Weight for i16 {}
impl Weight for i32 {}

/// `c += a * b`, wrapping at the word: `a` is m × k, `b` k × n, `c` m × n, all row-major.
///
/// # Panics
/// If a slice does not have the length its shape says.
pub fn gemm<T: Weight, W: Word>(m: usize, k: usize, n: usize, a: &[T], b: &[W], c: &mut [W]) {
    check(m, k, n, a.len(), b.len(), c.len());
    blocked::run(k, n, a, b, c);
}

/// [`gemm`] on the current rayon pool, with the same result.
///
/// # Panics
/// If a slice does not have the length its shape says.
pub fn gemm_parallel<T: Weight, W: Word>(
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    b: &[W],
    c: &mut [W],
) {
    check(m, k, n, a.len(), b.len(), c.len());
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    let rows = m.div_ceil(rayon::current_num_threads());
    let rows = rows.next_multiple_of(MR);
    c.par_chunks_mut(rows * n)
        .zip(a.par_chunks(rows * k))
        .for_each(|(c, a)| blocked::run(k, n, a, b, c));
}

/// `a * b` on arrays, wrapping at the word.
///
/// # Panics
/// If the inner dimensions differ.
#[must_use]
pub fn matmul<T: Weight, W: Word>(a: ArrayView2<'_, T>, b: ArrayView2<'_, W>) -> Array2<W> {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert_eq!(k, b.nrows(), "the inner dimensions must agree");
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let mut c = vec![W::default(); m * n];
    let contiguous = "standard layout is contiguous";
    gemm(
        m,
        k,
        n,
        a.as_slice().expect(contiguous),
        b.as_slice().expect(contiguous),
        &mut c,
    );
    Array2::from_shape_vec((m, n), c).expect("the length is m * n")
}

fn check(m: usize, k: usize, n: usize, a: usize, b: usize, c: usize) {
    assert_eq!(Some(a), m.checked_mul(k), "a must be m x k");
    assert_eq!(Some(b), k.checked_mul(n), "b must be k x n");
    assert_eq!(Some(c), m.checked_mul(n), "c must be m x n");
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test data is cut out of noise"
)]
mod tests {
    use super::*;
    use crate::backend::portable;
    use proptest::prelude::*;

    fn naive<T: Weight, W: Word>(k: usize, n: usize, a: &[T], b: &[W], c: &mut [W]) {
        for (at, c) in c.iter_mut().enumerate() {
            let (i, j) = (at / n, at % n);
            for p in 0..k {
                let w = W::from_i64(i64::from(a[i * k + p].into()));
                *c = c.wrapping_add(w.wrapping_mul(b[p * n + j]));
            }
        }
    }

    fn check_all<T: Weight, W: Word>(m: usize, k: usize, n: usize, a: &[T], b: &[W]) {
        let start: Vec<W> = (0..m * n).map(|i| W::from_u64(i as u64 * 77)).collect();
        let mut expected = start.clone();
        naive(k, n, a, b, &mut expected);
        let mut c = start.clone();
        gemm(m, k, n, a, b, &mut c);
        assert_eq!(c, expected);
        let mut c = start.clone();
        portable(|| gemm(m, k, n, a, b, &mut c));
        assert_eq!(c, expected);
        let mut c = start;
        gemm_parallel(m, k, n, a, b, &mut c);
        assert_eq!(c, expected);
    }

    fn noise(n: usize, seed: u64) -> impl Iterator<Item = u64> {
        (0..n as u64).map(move |i| ((i + seed).wrapping_mul(0xD134_2543_DE82_EF95)).rotate_left(29))
    }

    fn check_types(m: usize, k: usize, n: usize, seed: u64) {
        let a8: Vec<i8> = noise(m * k, seed).map(|v| v as i8).collect();
        let a16: Vec<i16> = noise(m * k, seed).map(|v| v as i16).collect();
        let a32: Vec<i32> = noise(m * k, seed).map(|v| v as i32).collect();
        let b64: Vec<u64> = noise(k * n, !seed).collect();
        let b32: Vec<u32> = b64.iter().map(|&v| Word::from_u64(v)).collect();
        check_all(m, k, n, &a8, &b32);
        check_all(m, k, n, &a16, &b32);
        check_all(m, k, n, &a32, &b32);
        check_all(m, k, n, &a8, &b64);
        check_all(m, k, n, &a16, &b64);
        check_all(m, k, n, &a32, &b64);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn small_shapes_equal_the_naive_product(m in 0usize..11, k in 0usize..20, n in 0usize..40, seed: u64) {
            check_types(m, k, n, seed);
        }
    }

    #[test]
    fn shapes_beyond_one_block() {
        check_types(5, 300, 9, 1);
        check_types(3, 17, 600, 2);
        check_types(33, 257, 257, 3);
    }

    #[test]
    fn extreme_operands_wrap() {
        for w in [i32::MIN, -1, 0, 1, i32::MAX] {
            for x in [
                0,
                1,
                1 << 31,
                u64::from(u32::MAX),
                1 << 32,
                1 << 63,
                u64::MAX,
            ] {
                check_all(4, 2, 9, &[w; 8], &[x; 18]);
            }
        }
    }

    #[test]
    fn arrays_of_any_layout() {
        let a = Array2::from_shape_fn((3, 5), |(i, j)| (i as i8) - 2 * j as i8);
        let b = Array2::from_shape_fn((5, 7), |(i, j)| (i * 100 + j) as u32);
        let straight = matmul(a.view(), b.view());
        let (at, bt) = (a.t().to_owned(), b.t().to_owned());
        assert_eq!(matmul(at.t(), bt.t()), straight);
        assert_eq!(
            straight[(1, 2)],
            (0..5).fold(0u32, |s, p| s
                .wrapping_add((i32::from(a[(1, p)]) as u32).wrapping_mul(b[(p, 2)])))
        );
    }
}
