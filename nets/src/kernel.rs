//! Loops shared by the executors.

use rayon::prelude::*;

use crate::product::gemm_f32;
use crate::shape::{Shape, Window};

/// Output positions handled at a time (LOCAL).
const TILE: usize = 256;

/// The input row or column that output `o` meets at kernel offset `k`, if it is not padding.
pub(crate) fn source(
    o: usize,
    k: usize,
    stride: usize,
    before: usize,
    size: usize,
) -> Option<usize> {
    (o * stride + k).checked_sub(before).filter(|&i| i < size)
}

/// Copies into `patches` (row-major, `channels * area` by `positions.len()`) the inputs under the
/// window at these output positions; padding stays as it was.
pub(crate) fn im2col<T: Copy, P: ExactSizeIterator<Item = usize> + Clone>(
    x: &[T],
    shape: Shape,
    out: Shape,
    window: Window,
    positions: P,
    patches: &mut [T],
) {
    let [rows, columns] = window.kernel;
    let tile = positions.len();
    for (c, plane) in x.chunks_exact(shape.plane()).enumerate() {
        for kr in 0..rows {
            for kc in 0..columns {
                let row = (c * rows + kr) * columns + kc;
                let line = &mut patches[row * tile..][..tile];
                for (p, slot) in positions.clone().zip(line) {
                    let (r, q) = (p / out.width, p % out.width);
                    let r = source(r, kr, window.stride[0], window.padding[0], shape.height);
                    let q = source(q, kc, window.stride[1], window.padding[1], shape.width);
                    if let (Some(r), Some(q)) = (r, q) {
                        *slot = plane[r * shape.width + q];
                    }
                }
            }
        }
    }
}

/// A float convolution without bias; a fully connected layer is one of a 1x1 image.
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

/// Joins the values of each window of one plane into `y`, which holds the start values.
pub(crate) fn pool_plane<T: Copy>(
    x: &[T],
    shape: Shape,
    y: &mut [T],
    out: Shape,
    window: Window,
    join: impl Fn(T, T) -> T,
) {
    for (p, slot) in y.iter_mut().enumerate() {
        let (r, q) = (p / out.width, p % out.width);
        for kr in 0..window.kernel[0] {
            let Some(r) = source(r, kr, window.stride[0], window.padding[0], shape.height) else {
                continue;
            };
            for kc in 0..window.kernel[1] {
                let q = source(q, kc, window.stride[1], window.padding[1], shape.width);
                if let Some(q) = q {
                    *slot = join(*slot, x[r * shape.width + q]);
                }
            }
        }
    }
}

/// Every `stride`-th row and column.
pub(crate) fn subsample<T: Copy>(x: &[T], shape: Shape, stride: usize) -> Vec<T> {
    x.chunks_exact(shape.plane())
        .flat_map(|plane| plane.chunks_exact(shape.width).step_by(stride))
        .flat_map(|row| row.iter().step_by(stride).copied())
        .collect()
}

/// Channels of zeros before and after.
pub(crate) fn pad_channels<T: Copy + Default>(
    x: &[T],
    shape: Shape,
    front: usize,
    back: usize,
) -> Vec<T> {
    let zeros = |n| std::iter::repeat_n(T::default(), n * shape.plane());
    zeros(front)
        .chain(x.iter().copied())
        .chain(zeros(back))
        .collect()
}

/// Channels as `groups` rows, read column by column.
pub(crate) fn shuffle<T: Copy>(x: &[T], shape: Shape, groups: usize) -> Vec<T> {
    let (plane, per_group) = (shape.plane(), shape.channels / groups);
    (0..per_group)
        .flat_map(|c| (0..groups).map(move |g| g * per_group + c))
        .flat_map(|c| x[c * plane..][..plane].iter().copied())
        .collect()
}

/// `channels` channels from `start`.
pub(crate) fn slice<T: Copy>(x: &[T], shape: Shape, start: usize, channels: usize) -> Vec<T> {
    x[start * shape.plane()..][..channels * shape.plane()].to_vec()
}
