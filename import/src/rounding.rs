//! Rounding of weights such that errors cancel on real inputs.
//!
//! To round each weight to the nearest integer is not the best for the layer's outputs. Here the weights
//! of an output channel are rounded one after the other, and the weights that are not rounded yet are
//! changed such that they make up for each error as well as they can, by least squares over the patches
//! of the calibration images. The mean of the error that is left goes into the bias. [FAHA22] Frantar,
//! Ashkboos, Hoefler, Alistarh, *GPTQ*, arXiv 2210.17323, section 3; the mean as in [NBBW19], arXiv
//! 1906.04721, section 4.2.

use std::collections::BTreeMap;

use nets::kernel::im2col;
use nets::{FloatModel, Shape, Window, gemm_f32};
use rayon::prelude::*;

use crate::Error;

/// Inputs whose errors are balanced together. This bounds time and memory for wide layers.
const BLOCK: usize = 576;
/// Rows of products computed together (LOCAL).
const BAND: usize = 64;
/// The most positions of one image whose patches are used.
const POSITIONS: usize = 128;
/// Added to the diagonal, relative to its mean.
const DAMPING: f64 = 0.01;

/// The moments of every linear node's patches over the samples, group by group.
pub(crate) fn moments<'a>(
    model: &FloatModel,
    samples: impl Iterator<Item = &'a Vec<f32>>,
) -> Result<BTreeMap<usize, Vec<Moments>>, Error> {
    let shapes = model.graph.types();
    let mut all = BTreeMap::new();
    for (index, node) in model.graph.nodes().iter().enumerate() {
        if let Some(layer) = node.op.linear() {
            let k = shapes[node.inputs[0]].channels / layer.groups * layer.window.area();
            all.insert(index, vec![Sums::new(k); layer.groups]);
        }
    }
    for sample in samples {
        model.run_observed(sample, &mut |source, values| {
            for &index in model.graph.consumers(source) {
                let layer = model.graph.nodes()[index].op.linear();
                if let Some((layer, sums)) = layer.zip(all.get_mut(&index)) {
                    add_patches(values, shapes[source], shapes[index], layer.window, sums);
                }
            }
        })?;
    }
    let finished = |sums: Vec<Sums>| sums.into_par_iter().map(Sums::finish).collect();
    Ok(all
        .into_iter()
        .map(|(i, sums)| (i, finished(sums)))
        .collect())
}

/// Adds evenly spaced patches of one image to the sums.
fn add_patches(values: &[f32], x: Shape, out: Shape, window: Window, sums: &mut [Sums]) {
    let step = out.plane().div_ceil(POSITIONS);
    let positions = (0..out.plane()).step_by(step);
    let (n, groups) = (positions.len(), sums.len());
    let input = Shape {
        channels: x.channels / groups,
        ..x
    };
    for (values, sums) in values.chunks_exact(input.len()).zip(sums) {
        let mut patches = vec![0.0; input.channels * window.area() * n];
        im2col(values, input, out, window, positions.clone(), &mut patches);
        sums.add(&patches, n);
    }
}

/// Sums over the patches that one group of a linear node sees.
#[derive(Clone)]
struct Sums {
    inputs: Vec<f64>,
    /// Sums of products of two inputs, block by block: the lower triangle, row by row.
    products: Vec<Vec<f32>>,
    count: f64,
}

impl Sums {
    fn new(k: usize) -> Self {
        let side = |start: usize| BLOCK.min(k - start);
        let products = (0..k)
            .step_by(BLOCK)
            .map(|s| vec![0.0; triangle(side(s))])
            .collect();
        Self {
            inputs: vec![0.0; k],
            products,
            count: 0.0,
        }
    }

    /// Adds patches, row-major `k` by `n`.
    fn add(&mut self, patches: &[f32], n: usize) {
        self.count += n as f64;
        for (sum, row) in self.inputs.iter_mut().zip(patches.chunks_exact(n)) {
            *sum += row.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        for (block, products) in patches.chunks(BLOCK * n).zip(&mut self.products) {
            let bands = block.par_chunks(BAND * n).enumerate();
            let found: Vec<Vec<f32>> = bands
                .map(|(band, rows)| {
                    let columns = band * BAND + rows.len() / n;
                    let mut found = vec![0.0; rows.len() / n * columns];
                    let transposed = transposed(&block[..columns * n], n);
                    gemm_f32(rows, &transposed, &mut found, n, columns);
                    found
                })
                .collect();
            for (band, found) in found.iter().enumerate() {
                let side = block.len() / n;
                let columns = side.min((band + 1) * BAND);
                for (row, found) in (band * BAND..).zip(found.chunks_exact(columns)) {
                    let sums = &mut products[triangle(row)..][..=row];
                    sums.iter_mut().zip(found).for_each(|(s, f)| *s += f);
                }
            }
        }
    }

    fn finish(self) -> Moments {
        let count = self.count.max(1.0);
        Moments {
            mean: self.inputs.iter().map(|sum| sum / count).collect(),
            factors: self.products.into_par_iter().map(inverse_factor).collect(),
        }
    }
}

/// Entries of a triangle with `rows` rows, diagonal included: where the next row starts.
const fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

/// A row-major matrix of `n` columns, transposed.
fn transposed(x: &[f32], n: usize) -> Vec<f32> {
    let rows = x.len() / n;
    let mut y = vec![0.0; x.len()];
    for (r, row) in x.chunks_exact(n).enumerate() {
        let slots = y[r..].iter_mut().step_by(rows);
        slots.zip(row).for_each(|(slot, v)| *slot = *v);
    }
    y
}

/// What rounding needs to know of the patches that one group of a linear node sees.
pub(crate) struct Moments {
    /// The mean patch.
    mean: Vec<f64>,
    /// [`inverse_factor`] of the products of inputs, block by block.
    factors: Vec<Vec<f32>>,
}

impl Moments {
    /// Rounds rows of weights, times a factor, to integers in `low..=high`. Returns for each row the mean of the error
    /// that is left, in units of weight times input.
    pub(crate) fn round(
        &self,
        rows: &[f32],
        factor: f64,
        (low, high): (f64, f64),
        integers: &mut [i32],
    ) -> Vec<f64> {
        let k = self.mean.len();
        let rows = rows.par_chunks(k).zip(integers.par_chunks_mut(k));
        rows.map(|(row, integers)| {
            let exact: Vec<f64> = row.iter().map(|&w| f64::from(w) * factor).collect();
            self.round_row(&exact, low, high, integers)
        })
        .collect()
    }

    /// [`Moments::round`] of one row.
    fn round_row(&self, row: &[f64], low: f64, high: f64, integers: &mut [i32]) -> f64 {
        let mut left = 0.0;
        let blocks = self.factors.iter().zip(self.mean.chunks(BLOCK));
        let rows = row.chunks(BLOCK).zip(integers.chunks_mut(BLOCK));
        for ((factor, mean), (row, integers)) in blocks.zip(rows) {
            let mut aim = row.to_vec();
            let mut rest = factor.as_slice();
            for i in 0..row.len() {
                let (factors, below) = rest.split_at(row.len() - i);
                rest = below;
                let integer = aim[i].round().clamp(low, high);
                let error = (aim[i] - integer) / f64::from(factors[0]);
                for (aim, &factor) in aim[i..].iter_mut().zip(factors) {
                    *aim -= error * f64::from(factor);
                }
                #[expect(clippy::cast_possible_truncation, reason = "clamped to a weight")]
                let rounded = integer as i32;
                integers[i] = rounded;
                left += (row[i] - integer) * mean[i];
            }
        }
        left
    }
}

/// The rows of U, upper triangular, with Uᵀ U = (H + damping)⁻¹, from the lower triangle of H.
#[expect(clippy::cast_possible_truncation, reason = "factors are kept as f32")]
fn inverse_factor(mut products: Vec<f32>) -> Vec<f32> {
    let n = ((8 * products.len() + 1).isqrt() - 1) / 2;
    let diagonal = (0..n).map(|i| f64::from(products[triangle(i) + i]));
    let mean = diagonal.sum::<f64>() / n as f64;
    let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
    // With rows and columns reversed, H = L Lᵀ for a lower triangular L, and U is L⁻¹ reversed.
    // Reversed, the rows of the lower triangle are the columns of the upper one.
    let at = |i: usize, j: usize| {
        let value = f64::from(products[triangle(n - 1 - j) + n - 1 - i]);
        if i == j { value + damping } else { value }
    };
    let mut l = vec![0.0; products.len()];
    for i in 0..n {
        let (done, row) = l.split_at_mut(triangle(i));
        for j in 0..=i {
            let rest = at(i, j)
                - if i == j {
                    dot(&row[..j], &row[..j])
                } else {
                    dot(&row[..j], &done[triangle(j)..][..j])
                };
            // It is never 0: rounding cannot cancel the damping, but H may come from any samples.
            let pivot = || rest.max(damping * 1e-6).sqrt();
            row[j] = if i == j {
                pivot()
            } else {
                rest / done[triangle(j) + j]
            };
        }
    }
    let mut column = vec![0.0; n];
    for j in 0..n {
        column[j] = 1.0 / l[triangle(j) + j];
        for i in j + 1..n {
            let row = &l[triangle(i)..][..=i];
            column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
        }
        // Row n - 1 - i of U stands behind the rows that are longer than it.
        for i in j..n {
            products[triangle(n) - triangle(i + 1) + i - j] = column[i] as f32;
        }
    }
    products
}

/// The scalar product, added up in eight sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
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

    /// Correlated patches and weights, reproducibly.
    fn case(k: usize, n: usize) -> (Sums, Vec<f32>, Vec<f64>) {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
        };
        let common: Vec<f32> = (0..n).map(|_| next() + 0.5).collect();
        let patches: Vec<f32> = (0..k * n).map(|i| common[i % n] + 0.3 * next()).collect();
        let weights = (0..k).map(|_| f64::from(next()) * 20.0).collect();
        let mut sums = Sums::new(k);
        sums.add(&patches, n);
        (sums, patches, weights)
    }

    #[test]
    fn the_factor_inverts() {
        let n = 12;
        let (sums, patches, _) = case(n, 200);
        let u = inverse_factor(sums.products[0].clone());
        let u = |i: usize, j: usize| {
            if i > j {
                0.0
            } else {
                f64::from(u[triangle(n) - triangle(n - i) + j - i])
            }
        };
        let h = |i: usize, j: usize| {
            let rows = patches[i * 200..][..200]
                .iter()
                .zip(&patches[j * 200..][..200]);
            rows.map(|(a, b)| f64::from(a * b)).sum::<f64>()
        };
        let damping = DAMPING * (0..n).map(|i| h(i, i)).sum::<f64>() / 12.0;
        let h = |i: usize, j: usize| h(i, j) + if i == j { damping } else { 0.0 };
        let inverse = |i: usize, j: usize| (0..n).map(|k| u(k, i) * u(k, j)).sum::<f64>();
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..n).map(|k| h(i, k) * inverse(k, j)).sum();
                assert!(
                    (product - f64::from(u8::from(i == j))).abs() < 1e-5,
                    "{i} {j} {product}"
                );
            }
        }
    }

    #[test]
    fn products_are_the_same_in_every_band() {
        let (k, n) = (BAND + 9, 5);
        let (sums, patches, _) = case(k, n);
        let row = |i: usize| patches[i * n..][..n].iter();
        for (i, j) in (0..k).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let product: f32 = row(i).zip(row(j)).fold(0.0, |sum, (a, b)| sum + a * b);
            assert_eq!(sums.products[0][triangle(i) + j], product);
        }
    }

    #[test]
    fn outputs_are_closer_than_with_nearest_rounding() {
        let n = 500;
        let (sums, patches, weights) = case(40, n);
        let mut integers = vec![0; weights.len()];
        let left = (sums.finish()).round_row(&weights, -128.0, 127.0, &mut integers);
        let error = |integer: &dyn Fn(usize) -> f64, mean: f64| {
            let output = |p: usize| {
                let error = |k: usize| (weights[k] - integer(k)) * f64::from(patches[k * n + p]);
                (0..weights.len()).map(error).sum::<f64>() - mean
            };
            (0..n).map(|p| output(p).powi(2)).sum::<f64>()
        };
        let aimed = error(&|k| f64::from(integers[k]), left);
        let nearest = error(&|k| weights[k].round(), 0.0);
        assert!(aimed < 0.5 * nearest, "{aimed} {nearest}");
    }

    #[test]
    fn unseen_inputs_are_rounded_to_nearest() {
        let moments = Sums::new(3).finish();
        let mut integers = [1; 6];
        let rows = [0.2, -0.8, 4.5, 0.0, -6.0, 1.0];
        let left = moments.round(&rows, 2.0, (-8.0, 7.0), &mut integers);
        assert_eq!((integers, left), ([0, -2, 7, 0, -8, 2], vec![0.0; 2]));
    }
}
