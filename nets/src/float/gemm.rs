//! Products of float matrices, and convolutions by such products.

use rayon::prelude::*;
use ring_arith::{Kernel, dispatch};

use crate::kernel::im2col;
use crate::shape::{Shape, Window};

/// Rows of the result that stay in registers together (LOCAL).
const ROWS: usize = 4;
/// Columns of the result that stay in registers together (LOCAL).
const COLUMNS: usize = 16;

/// c += a * b of row-major matrices, where `a` has `k` columns and `b` has `n`. Every sum is added up in the
/// order of the inner index, so that results are the same on every machine, however the work is divided.
pub fn gemm_f32(a: &[f32], b: &[f32], c: &mut [f32], k: usize, n: usize) {
    dispatch(Product { a, b, c, k, n });
}

/// A call of [`gemm_f32`].
struct Product<'a> {
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
    k: usize,
    n: usize,
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { a, b, c, k, n } = self;
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
}

/// Adds R rows of the product to the first `columns` columns of rows of `c`, which start `stride` values
/// apart.
#[inline(always)]
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

/// Output positions handled at a time (LOCAL).
const TILE: usize = 256;

/// A float convolution without bias. A fully connected layer is a convolution of a 1x1 image.
pub(crate) fn conv_f32(
    x: &[f32],
    shape: Shape,
    weight: &[f32],
    out: Shape,
    groups: usize,
    window: Window,
) -> Vec<f32> {
    let (m, plane) = (out.channels / groups, out.plane());
    let input = Shape {
        channels: shape.channels / groups,
        ..shape
    };
    let k = input.channels * window.area();
    let tiles = plane.div_ceil(TILE);
    let results: Vec<(usize, usize, Vec<f32>)> = (0..groups * tiles)
        .into_par_iter()
        .map(|job| {
            let (group, tile) = (job / tiles, job % tiles);
            let positions = tile * TILE..plane.min((tile + 1) * TILE);
            let mut patches = vec![0.0; k * positions.len()];
            let x = &x[group * input.len()..][..input.len()];
            im2col(x, input, out, window, positions.clone(), &mut patches);
            let mut y = vec![0.0; m * positions.len()];
            gemm_f32(
                &weight[group * m * k..][..m * k],
                &patches,
                &mut y,
                k,
                positions.len(),
            );
            (group, positions.start, y)
        })
        .collect();
    let mut y = vec![0.0; out.len()];
    for (group, start, tile) in results {
        let n = tile.len() / m;
        for (i, line) in tile.chunks_exact(n).enumerate() {
            y[(group * m + i) * plane + start..][..n].copy_from_slice(line);
        }
    }
    y
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
    }
}
