//! Products of float matrices, and convolutions by such products.

use std::cell::Cell;

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
/// Output channels handled at a time where all positions are one tile, as those of a fully connected layer (LOCAL).
const BAND: usize = 64;

thread_local! {
    /// The patches of a tile. Layers have many sizes of them, and an allocator keeps pages for each size.
    static PATCHES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

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
    let band = if groups * tiles == 1 { BAND } else { m };
    let results: Vec<(usize, usize, Vec<f32>)> = (0..groups * tiles)
        .into_par_iter()
        .map(|job| {
            let (group, tile) = (job / tiles, job % tiles);
            let positions = tile * TILE..plane.min((tile + 1) * TILE);
            let mut patches = PATCHES.take();
            patches.clear();
            patches.resize(k * positions.len(), 0.0);
            let x = &x[group * input.len()..][..input.len()];
            im2col(x, input, out, window, positions.clone(), &mut patches);
            let mut y = vec![0.0; m * positions.len()];
            let n = positions.len();
            let weights = weight[group * m * k..][..m * k].par_chunks(band * k);
            let rows = y.par_chunks_mut(band * n).zip(weights);
            rows.for_each(|(rows, weights)| gemm_f32(weights, &patches, rows, k, n));
            PATCHES.set(patches);
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

    /// Lists of numbers between −1 and 1.
    fn values(mut state: u32) -> impl FnMut(usize) -> Vec<f32> {
        move |n| {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
            };
            (0..n).map(next).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn equals_the_sums_in_order(m in 1..11_usize, k in 1..40_usize, n in 1..35_usize, seed: u32) {
            let mut values = values(seed);
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
        fn a_fully_connected_layer_adds_up_in_order(m in 1..300_usize, k in 1..40_usize, seed: u32) {
            let mut values = values(seed);
            let (x, weight) = (values(k), values(m * k));
            let (shape, out) = (Shape::vector(k), Shape::vector(m));
            let y = conv_f32(&x, shape, &weight, out, 1, Window::square(1, 1, 0));
            let sum = |row: &[f32]| row.iter().zip(&x).fold(0.0, |sum, (w, x)| sum + w * x);
            let expected: Vec<f32> = weight.chunks_exact(k).map(sum).collect();
            prop_assert_eq!(y, expected);
        }
    }
}
