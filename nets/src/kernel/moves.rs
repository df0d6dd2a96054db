//! Values that go to other places.

use crate::places::{Places, Run};
use crate::shape::Shape;

/// The values at these channels, rows and columns, and zeros where there is none.
#[must_use]
pub fn pick<T: Copy + Default>(
    x: &[T],
    shape: Shape,
    [channels, rows, columns]: [&Places; 3],
    out: Shape,
) -> Vec<T> {
    let whole = [Run::new(0, 1, shape.width)];
    let columns = match columns {
        Places::All => &whole,
        Places::Runs(runs) => runs.as_slice(),
    };
    let mut y = vec![T::default(); out.len()];
    let planes = y.chunks_exact_mut(out.plane());
    for (y, channel) in planes.zip(channels.iter(shape.channels)) {
        let Some(channel) = channel else { continue };
        let plane = &x[channel * shape.plane()..][..shape.plane()];
        for (y, row) in y.chunks_exact_mut(out.width).zip(rows.iter(shape.height)) {
            let Some(row) = row else { continue };
            pick_row(&plane[row * shape.width..][..shape.width], columns, y);
        }
    }
    y
}

/// The values of a row in these columns. Others stay as they are.
fn pick_row<T: Copy>(row: &[T], columns: &[Run], mut y: &mut [T]) {
    for run in columns {
        let (part, rest) = y.split_at_mut(run.count);
        y = rest;
        match (run.first, run.step) {
            (None, _) => {}
            (Some(first), 1) => part.copy_from_slice(&row[first..][..run.count]),
            (Some(first), 0) => part.fill(row[first]),
            (Some(first), step) => {
                let mut place = first;
                for value in part {
                    *value = row[place];
                    // The place after the last is not looked at.
                    place = place.wrapping_add_signed(step);
                }
            }
        }
    }
}

/// The values with their axes (channels, rows, columns) in this order.
#[must_use]
pub fn reorder<T: Copy>(x: &[T], shape: Shape, order: [usize; 3]) -> Vec<T> {
    if order == [0, 1, 2] {
        return x.to_vec();
    }
    let sizes = [shape.channels, shape.height, shape.width];
    let distances = [shape.plane(), shape.width, 1];
    let [sizes, distances] = [sizes, distances].map(|of| order.map(|axis| of[axis]));
    let mut y = Vec::with_capacity(x.len());
    for i in 0..sizes[0] {
        for j in 0..sizes[1] {
            let line = &x[i * distances[0] + j * distances[1]..];
            y.extend(line.iter().step_by(distances[2]).take(sizes[2]));
        }
    }
    y
}
