//! Products of float matrices.

/// Rows of the result that stay in registers together.
const ROWS: usize = 4;
/// And columns.
const COLUMNS: usize = 8;

/// c += a * b, row-major, with `k` inner and `n` columns. Every sum is added up in the order of the
/// inner index: results are the same on every machine, however the work is cut.
pub(crate) fn gemm_f32(a: &[f32], b: &[f32], c: &mut [f32], k: usize, n: usize) {
    let mut panel = vec![[0.0; COLUMNS]; k];
    for start in (0..n).step_by(COLUMNS) {
        let columns = COLUMNS.min(n - start);
        for (line, b) in panel.iter_mut().zip(b.chunks_exact(n)) {
            line[..columns].copy_from_slice(&b[start..][..columns]);
        }
        for (a, c) in a.chunks(ROWS * k).zip(c.chunks_mut(ROWS * n)) {
            if a.len() == ROWS * k {
                tile::<ROWS>(a, &panel, &mut c[start..], n, columns);
            } else {
                for (a, c) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
                    tile::<1>(a, &panel, &mut c[start..], n, columns);
                }
            }
        }
    }
}

/// Adds R rows of the product to the first `columns` columns of rows that are `stride` apart.
fn tile<const R: usize>(
    a: &[f32],
    panel: &[[f32; COLUMNS]],
    c: &mut [f32],
    stride: usize,
    columns: usize,
) {
    let k = panel.len();
    let rows: [&[f32]; R] = std::array::from_fn(|i| &a[i * k..][..k]);
    let mut sums = [[0.0; COLUMNS]; R];
    for (j, line) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let w = row[j];
            sums.iter_mut().zip(line).for_each(|(s, b)| *s += w * b);
        }
    }
    for (c, sums) in c.chunks_mut(stride).zip(&sums) {
        c.iter_mut()
            .zip(&sums[..columns])
            .for_each(|(c, s)| *c += s);
    }
}

/// The scalar product, in eight sums.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn equals_the_sums_in_order(m in 1..11_usize, k in 1..40_usize, n in 1..35_usize, seed: u32) {
            let mut state = seed;
            let mut values = |n: usize| -> Vec<f32> {
                let next = |_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
                };
                (0..n).map(next).collect()
            };
            let (a, b, start) = (values(m * k), values(k * n), values(m * n));
            let mut c = start.clone();
            gemm_f32(&a, &b, &mut c, k, n);
            for (i, c) in c.iter().enumerate() {
                let (row, column) = (i / n, i % n);
                let sum = (0..k).fold(0.0, |sum, j| sum + a[row * k + j] * b[j * n + column]);
                prop_assert_eq!(*c, start[i] + sum);
            }
        }

        #[test]
        fn scalar_products(values in prop::collection::vec(-100..100_i32, 0..70)) {
            let a: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            let expected: i32 = values.iter().map(|v| v * v).sum();
            prop_assert_eq!(dot(&a, &a), f64::from(expected));
        }
    }
}
