//! Rounding weights so that errors cancel on real inputs.
//!
//! Rounding each weight to the nearest integer is not the best for the layer's outputs. Here the
//! weights of an output channel are rounded one after the other, and each error is made up for, as
//! far as it can be, by the weights not yet rounded, in the least squares sense over the patches of
//! the calibration images. What is left of its mean goes into the bias. [FAHA22] Frantar, Ashkboos,
//! Hoefler, Alistarh, *GPTQ*, arXiv 2210.17323, section 3; the mean as in [NBBW19], arXiv
//! 1906.04721, section 4.2.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::graph::Op;
use crate::kernel::im2col;
use crate::shape::{Shape, Window};
use crate::{Error, FloatModel};

/// Inputs whose errors are balanced together: bounds time and memory for wide layers.
const BLOCK: usize = 576;
/// Positions of one image that are looked at.
const POSITIONS: usize = 128;
/// Added to the diagonal, relative to its mean.
const DAMPING: f64 = 0.01;

/// The moments of every linear node's patches over the samples, group by group.
pub(crate) fn moments(
    model: &FloatModel,
    samples: &[Vec<f32>],
) -> Result<BTreeMap<usize, Vec<Moments>>, Error> {
    let shapes = model.graph.shapes()?;
    let mut all = BTreeMap::new();
    for (index, node) in model.graph.nodes.iter().enumerate() {
        if let Some((groups, window)) = linear(&node.op) {
            let k = shapes[node.inputs[0]].channels / groups * window.area();
            all.insert(index, vec![Moments::new(k); groups]);
        }
    }
    for sample in samples {
        model.run_observed(sample, &mut |made, values| {
            for (&index, moments) in &mut all {
                let node = &model.graph.nodes[index];
                if node.inputs[0] == made {
                    let window = linear(&node.op).expect("only linear nodes have moments").1;
                    look(values, shapes[made], shapes[index], window, moments);
                }
            }
        })?;
    }
    Ok(all)
}

/// Groups and window of a linear operation.
const fn linear(op: &Op) -> Option<(usize, Window)> {
    match *op {
        Op::Conv2d { groups, window, .. } => Some((groups, window)),
        Op::Linear { .. } => Some((1, Window::square(1, 1, 0))),
        _ => None,
    }
}

/// Adds evenly spaced patches of one image.
fn look(values: &[f32], x: Shape, out: Shape, window: Window, moments: &mut [Moments]) {
    let step = out.plane().div_ceil(POSITIONS);
    let positions = (0..out.plane()).step_by(step);
    let (n, groups) = (positions.len(), moments.len());
    let input = Shape {
        channels: x.channels / groups,
        ..x
    };
    for (values, moments) in values.chunks_exact(input.len()).zip(moments) {
        let mut patches = vec![0.0; input.channels * window.area() * n];
        im2col(values, input, out, window, positions.clone(), &mut patches);
        moments.add(&patches, n);
    }
}

/// Second moments of the patches one group of a linear node sees.
#[derive(Clone)]
pub(crate) struct Moments {
    /// Mean patch, times `count`.
    mean: Vec<f64>,
    /// Products of inputs, block by block, row-major, times `count`.
    products: Vec<Vec<f64>>,
    count: f64,
}

impl Moments {
    fn new(k: usize) -> Self {
        let side = |start: usize| BLOCK.min(k - start);
        let products = (0..k)
            .step_by(BLOCK)
            .map(|s| vec![0.0; side(s) * side(s)])
            .collect();
        Self {
            mean: vec![0.0; k],
            products,
            count: 0.0,
        }
    }

    /// Adds patches, row-major `k` by `n`.
    fn add(&mut self, patches: &[f32], n: usize) {
        self.count += n as f64;
        for (mean, row) in self.mean.iter_mut().zip(patches.chunks_exact(n)) {
            *mean += row.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        for (block, products) in patches.chunks(BLOCK * n).zip(&mut self.products) {
            let side = block.len() / n;
            products
                .par_chunks_exact_mut(side)
                .enumerate()
                .for_each(|(i, products)| {
                    let a = &block[i * n..][..n];
                    for (sum, b) in products[..=i].iter_mut().zip(block.chunks_exact(n)) {
                        let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                        *sum += f64::from(dot);
                    }
                });
        }
    }

    /// Rounds rows of weights, given in units of one, to integers in `low..=high`; returns them and
    /// for each row the mean of the error left, in units of weight times input.
    pub(crate) fn round(&self, rows: &[f64], low: f64, high: f64) -> (Vec<i32>, Vec<f64>) {
        let factors: Vec<Vec<f64>> = self
            .products
            .par_iter()
            .map(|products| inverse_factor(products))
            .collect();
        let rows = rows.par_chunks(self.mean.len());
        let rounded: Vec<_> = rows
            .map(|row| self.round_row(&factors, row, low, high))
            .collect();
        let integers = rounded
            .iter()
            .flat_map(|(integers, _)| integers)
            .copied()
            .collect();
        (integers, rounded.iter().map(|(_, left)| *left).collect())
    }

    /// Rounds one row of weights, in units of one; returns integers and the mean error left, in
    /// units of weight times input.
    fn round_row(&self, factors: &[Vec<f64>], row: &[f64], low: f64, high: f64) -> (Vec<i32>, f64) {
        let mut integers = Vec::with_capacity(row.len());
        let mut left = 0.0;
        for (block, (factor, row)) in factors.iter().zip(row.chunks(BLOCK)).enumerate() {
            let side = row.len();
            let mut aim = row.to_vec();
            for i in 0..side {
                let integer = aim[i].round().clamp(low, high);
                let error = (aim[i] - integer) / factor[i * side + i];
                for j in i..side {
                    aim[j] -= error * factor[i * side + j];
                }
                #[expect(clippy::cast_possible_truncation, reason = "clamped to a weight")]
                integers.push(integer as i32);
                left += (row[i] - integer) * self.mean[block * BLOCK + i] / self.count.max(1.0);
            }
        }
        (integers, left)
    }
}

/// U, upper triangular, with Uᵀ U = (H + damping)⁻¹, from the lower triangle of H.
fn inverse_factor(products: &[f64]) -> Vec<f64> {
    let n = products.len().isqrt();
    let mean = (0..n).map(|i| products[i * n + i]).sum::<f64>() / n as f64;
    let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
    // With rows and columns reversed, H = L Lᵀ for a lower triangular L, and U is L⁻¹ reversed.
    let at = |i: usize, j: usize| {
        let (i, j) = (n - 1 - i, n - 1 - j);
        let value = products[i.max(j) * n + i.min(j)];
        if i == j { value + damping } else { value }
    };
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let (a, b) = (&l[i * n..][..j], &l[j * n..][..j]);
            let rest = at(i, j) - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            // Never zero: rounding cannot eat the damping, but H may be anything a user feeds.
            let pivot = || rest.max(damping * 1e-6).sqrt();
            l[i * n + j] = if i == j { pivot() } else { rest / l[j * n + j] };
        }
    }
    let mut u = vec![0.0; n * n];
    let mut column = vec![0.0; n];
    for j in 0..n {
        column[j] = 1.0 / l[j * n + j];
        for i in j + 1..n {
            let dot: f64 = l[i * n + j..i * n + i]
                .iter()
                .zip(&column[j..i])
                .map(|(a, b)| a * b)
                .sum();
            column[i] = -dot / l[i * n + i];
        }
        for i in j..n {
            u[(n - 1 - i) * n + (n - 1 - j)] = column[i];
        }
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Correlated patches and weights, reproducibly.
    fn case(k: usize, n: usize) -> (Moments, Vec<f32>, Vec<f64>) {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
        };
        let common: Vec<f32> = (0..n).map(|_| next() + 0.5).collect();
        let patches: Vec<f32> = (0..k * n).map(|i| common[i % n] + 0.3 * next()).collect();
        let weights = (0..k).map(|_| f64::from(next()) * 20.0).collect();
        let mut moments = Moments::new(k);
        moments.add(&patches, n);
        (moments, patches, weights)
    }

    #[test]
    fn the_factor_inverts() {
        let n = 12;
        let (moments, ..) = case(n, 200);
        let (h, u) = (&moments.products[0], inverse_factor(&moments.products[0]));
        let damping = DAMPING * (0..n).map(|i| h[i * n + i]).sum::<f64>() / 12.0;
        let h =
            |i: usize, j: usize| h[i.max(j) * n + i.min(j)] + if i == j { damping } else { 0.0 };
        let inverse = |i: usize, j: usize| (0..n).map(|k| u[k * n + i] * u[k * n + j]).sum::<f64>();
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..n).map(|k| h(i, k) * inverse(k, j)).sum();
                assert!(
                    (product - f64::from(u8::from(i == j))).abs() < 1e-6,
                    "{i} {j} {product}"
                );
            }
        }
    }

    #[test]
    fn outputs_are_closer_than_with_nearest_rounding() {
        let n = 500;
        let (moments, patches, weights) = case(40, n);
        let (integers, left) = moments.round(&weights, -128.0, 127.0);
        let error = |integer: &dyn Fn(usize) -> f64, mean: f64| {
            let output = |p: usize| {
                let error = |k: usize| (weights[k] - integer(k)) * f64::from(patches[k * n + p]);
                (0..weights.len()).map(error).sum::<f64>() - mean
            };
            (0..n).map(|p| output(p).powi(2)).sum::<f64>()
        };
        let aimed = error(&|k| f64::from(integers[k]), left[0]);
        let nearest = error(&|k| weights[k].round(), 0.0);
        assert!(aimed < 0.5 * nearest, "{aimed} {nearest}");
    }

    #[test]
    fn unseen_inputs_are_rounded_to_nearest() {
        let moments = Moments::new(3);
        assert_eq!(
            moments.round(&[0.4, -1.6, 9.0], -8.0, 7.0),
            (vec![0, -2, 7], vec![0.0])
        );
    }
}
