//! Planes of fewer samples stretched to the size of the picture, with the weights and the rounding of libjpeg-turbo: by a triangle
//! where a side is doubled, else by repetition.

use super::planes::Plane;

/// The row `y` of the picture, `width` samples, of a plane that is stretched by whole factors.
pub(super) fn row(plane: &Plane, (across, down): (usize, usize), y: usize, out: &mut Vec<u16>) {
    out.clear();
    // The triangle needs a neighbour on either side.
    let wide = plane.width > 2;
    let near = plane.row(y / down);
    // The other row of a triangle: above for the upper half of a sample, below for the lower one, none beyond the edge.
    let far = |y: usize| {
        let at = y / 2;
        let other = match y % 2 {
            0 => at.saturating_sub(1),
            _ => (at + 1).min(plane.height - 1),
        };
        plane.row(other)
    };
    match (across, down) {
        (1, 1) => out.extend_from_slice(near),
        (2, 1) if wide => doubled(near, out),
        (1, 2) => {
            let bias = if y.is_multiple_of(2) { 1 } else { 2 };
            let blend =
                |(&a, &b): (&u16, &u16)| sample((3 * u32::from(a) + u32::from(b) + bias) >> 2);
            out.extend(near.iter().zip(far(y)).map(blend));
        }
        (2, 2) if wide => doubled_of_two(near, far(y), out),
        _ => out.extend(near.iter().flat_map(|&s| std::iter::repeat_n(s, across))),
    }
}

/// Twice as many samples: three parts of the nearer one, one of the other.
fn doubled(row: &[u16], out: &mut Vec<u16>) {
    let last = row.len() - 1;
    for (i, &here) in row.iter().enumerate() {
        let three = 3 * u32::from(here);
        out.push(match i {
            0 => here,
            _ => sample((three + u32::from(row[i - 1]) + 1) >> 2),
        });
        out.push(if i == last {
            here
        } else {
            sample((three + u32::from(row[i + 1]) + 2) >> 2)
        });
    }
}

/// The same between two rows, of which the nearer counts three parts.
fn doubled_of_two(near: &[u16], far: &[u16], out: &mut Vec<u16>) {
    let last = near.len() - 1;
    let sum = |i: usize| 3 * u32::from(near[i]) + u32::from(far[i]);
    for i in 0..=last {
        let here = sum(i);
        out.push(match i {
            0 => sample((4 * here + 8) >> 4),
            _ => sample((3 * here + sum(i - 1) + 8) >> 4),
        });
        out.push(if i == last {
            sample((4 * here + 7) >> 4)
        } else {
            sample((3 * here + sum(i + 1) + 7) >> 4)
        });
    }
}

/// A mean of samples.
#[expect(
    clippy::cast_possible_truncation,
    reason = "no larger than the largest of the samples"
)]
const fn sample(mean: u32) -> u16 {
    mean as u16
}
