//! Loops that the executors share, generic over the numbers in a tensor.
//!
//! Tensors are slices, channels by rows by columns. Shapes and windows must fit each other, as those of
//! a checked graph do; functions panic where they do not.

mod moves;

pub use moves::{pick, reorder};

use crate::shape::{Shape, Window};

/// The input row (axis 0) or column (axis 1), of `size` in all, that lies under offset `k` of the kernel at
/// output `o`; `None` if that is padding.
fn source(window: &Window, axis: usize, o: usize, k: usize, size: usize) -> Option<usize> {
    let reach = o * window.stride[axis] + k * window.dilation[axis];
    let place = reach.checked_sub(window.padding[axis]);
    place.filter(|&i| i < size)
}

/// Copies the inputs under the window at these output positions into `patches`, row-major, with
/// `channels * area` rows and `positions.len()` columns. What is padding keeps its old value.
pub fn im2col<T: Copy, P: ExactSizeIterator<Item = usize> + Clone>(
    x: &[T],
    shape: Shape,
    out: Shape,
    window: Window,
    positions: P,
    patches: &mut [T],
) {
    let [rows, columns] = window.kernel;
    let n = positions.len().max(1);
    let runs = runs(positions, out.width, window.stride[0]);
    let lines = patches.chunks_exact_mut(n);
    let kernel = (0..rows).flat_map(|kr| (0..columns).map(move |kc| [kr, kc]));
    let planes = x.chunks_exact(shape.plane());
    let all = planes.flat_map(|plane| kernel.clone().map(move |k| (plane, k)));
    let right = window.stride[1];
    for ((plane, [kr, kc]), line) in all.zip(lines) {
        // A place before the first row wraps to one far beyond the last, which is padding too.
        let down = (kr * window.dilation[0]).wrapping_sub(window.padding[0]);
        for run in &runs {
            let row = run.row.wrapping_add(down);
            if row >= shape.height {
                continue;
            }
            let row = &plane[row * shape.width..][..shape.width];
            let slots = &mut line[run.at..][..run.len];
            // The column of the first slot is `from - padding`; slots before the first column are padding.
            let from = run.column * right + kc * window.dilation[1];
            let before = window.padding[1].saturating_sub(from).div_ceil(right);
            let first = (from + before * right).wrapping_sub(window.padding[1]);
            if before >= slots.len() || first >= row.len() {
                continue;
            }
            let (slots, row) = (&mut slots[before..], &row[first..]);
            if right == 1 {
                let len = slots.len().min(row.len());
                slots[..len].copy_from_slice(&row[..len]);
            } else {
                let values = row.iter().step_by(right);
                slots
                    .iter_mut()
                    .zip(values)
                    .for_each(|(slot, v)| *slot = *v);
            }
        }
    }
}

/// Output positions of one row that follow each other.
struct OfRow {
    /// The first among all positions.
    at: usize,
    len: usize,
    /// Where the window begins, as if there were no padding.
    row: usize,
    /// The first output column.
    column: usize,
}

fn runs(positions: impl Iterator<Item = usize>, width: usize, down: usize) -> Vec<OfRow> {
    let mut runs: Vec<OfRow> = Vec::new();
    for (at, p) in positions.enumerate() {
        let (row, column) = (p / width * down, p % width);
        match runs.last_mut() {
            Some(last) if last.row == row && last.column + last.len == column => last.len += 1,
            _ => runs.push(OfRow {
                at,
                len: 1,
                row,
                column,
            }),
        }
    }
    runs
}

/// Joins the values under each window of one plane into `y`, which holds the values to start with.
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
            let Some(r) = source(&window, 0, r, kr, shape.height) else {
                continue;
            };
            for kc in 0..window.kernel[1] {
                let q = source(&window, 1, q, kc, shape.width);
                if let Some(q) = q {
                    *slot = join(*slot, x[r * shape.width + q]);
                }
            }
        }
    }
}

/// Every `stride`-th row and column, from the first.
#[must_use]
pub fn subsample<T: Copy>(x: &[T], shape: Shape, stride: usize) -> Vec<T> {
    x.chunks_exact(shape.plane())
        .flat_map(|plane| plane.chunks_exact(shape.width).step_by(stride))
        .flat_map(|row| row.iter().step_by(stride).copied())
        .collect()
}

/// Channels of zeros before and after.
#[must_use]
pub fn pad_channels<T: Copy + Default>(x: &[T], shape: Shape, front: usize, back: usize) -> Vec<T> {
    let zeros = |n| std::iter::repeat_n(T::default(), n * shape.plane());
    zeros(front)
        .chain(x.iter().copied())
        .chain(zeros(back))
        .collect()
}

/// Channel shuffle: channels written as `groups` rows and read column by column.
#[must_use]
pub fn shuffle<T: Copy>(x: &[T], shape: Shape, groups: usize) -> Vec<T> {
    let (plane, per_group) = (shape.plane(), shape.channels / groups);
    (0..per_group)
        .flat_map(|c| (0..groups).map(move |g| g * per_group + c))
        .flat_map(|c| x[c * plane..][..plane].iter().copied())
        .collect()
}

/// `channels` channels from `start`.
#[must_use]
pub fn slice<T: Copy>(x: &[T], shape: Shape, start: usize, channels: usize) -> Vec<T> {
    x[start * shape.plane()..][..channels * shape.plane()].to_vec()
}

/// The factor that [`crate::IntOp::MeanPool`] multiplies the sum at every output position by.
#[expect(clippy::cast_possible_truncation, reason = "at most 2^fraction")]
#[must_use]
pub fn reciprocals(
    shape: Shape,
    out: Shape,
    window: Window,
    counts_padding: bool,
    divisor: u64,
    fraction: u32,
) -> Vec<u64> {
    let one = 1_u128 << fraction;
    let reciprocal = |count: usize| {
        let count = if counts_padding { window.area() } else { count };
        let count = count as u128 * u128::from(divisor);
        ((2 * one + count) / (2 * count)) as u64
    };
    let counts = window.covered(shape, out).into_iter();
    counts.map(reciprocal).collect()
}

/// Sums under the window, plane by plane.
#[must_use]
pub fn sum_pool<T: Copy + Default>(
    x: &[T],
    shape: Shape,
    out: Shape,
    window: Window,
    add: impl Fn(T, T) -> T,
) -> Vec<T> {
    let mut y = vec![T::default(); out.len()];
    for (y, x) in y
        .chunks_exact_mut(out.plane())
        .zip(x.chunks_exact(shape.plane()))
    {
        pool_plane(x, shape, y, out, window, &add);
    }
    y
}
