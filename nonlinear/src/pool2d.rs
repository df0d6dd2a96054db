//! The geometry of a pooling layer.

use std::ops::Range;

use crate::Error;

/// Windows over planes of `height` × `width`, in NCHW order: an image of n × c planes is its planes
/// one after the other, each row by row.
///
/// Padding adds positions that no value has: they count in the geometry and are left out of every
/// window. Each window holds at least one value.
///
/// ```
/// use nonlinear::Pool2d;
///
/// let window = Pool2d::new(112, 112, [3, 3], [2, 2], [1, 1, 1, 1])?;
/// assert_eq!(window.output_shape(), [56, 56]);
/// # Ok::<(), nonlinear::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool2d {
    rows: Axis,
    columns: Axis,
}

/// One direction of the windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Axis {
    len: usize,
    kernel: usize,
    stride: usize,
    before: usize,
    windows: usize,
}

impl Pool2d {
    /// Windows of `kernel` (height, width), moved by `stride` (down, right), over planes padded by
    /// `padding` (top, left, bottom, right). Windows that do not fit at the end are left out.
    ///
    /// # Errors
    /// When the kernel or a stride is 0, the kernel is larger than the padded plane, or a window
    /// would hold padding alone.
    pub fn new(
        height: usize,
        width: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> Result<Self, Error> {
        let [top, left, bottom, right] = padding;
        Ok(Self {
            rows: Axis::new(height, kernel[0], stride[0], [top, bottom])?,
            columns: Axis::new(width, kernel[1], stride[1], [left, right])?,
        })
    }

    /// One window over the whole plane.
    ///
    /// # Errors
    /// When the plane is empty.
    pub fn global(height: usize, width: usize) -> Result<Self, Error> {
        Self::new(height, width, [height, width], [1, 1], [0; 4])
    }

    /// Height and width of a plane.
    #[must_use]
    pub const fn input_shape(&self) -> [usize; 2] {
        [self.rows.len, self.columns.len]
    }

    /// Height and width of a plane of results.
    #[must_use]
    pub const fn output_shape(&self) -> [usize; 2] {
        [self.rows.windows, self.columns.windows]
    }

    /// Values in a plane.
    pub(crate) const fn input_len(&self) -> usize {
        self.rows.len * self.columns.len
    }

    /// The rows of window row `i`.
    pub(crate) fn row_span(&self, i: usize) -> Range<usize> {
        self.rows.span(i)
    }

    /// The columns of window column `j`.
    pub(crate) fn column_span(&self, j: usize) -> Range<usize> {
        self.columns.span(j)
    }

    /// The rows that are in some window, ascending.
    pub(crate) fn used_rows(&self) -> Vec<usize> {
        let spans = (0..self.rows.windows).map(|i| self.rows.span(i));
        let new = |end: &mut usize, span: Range<usize>| {
            let start = std::mem::replace(end, span.end).max(span.start);
            Some(start..span.end)
        };
        spans.scan(0, new).flatten().collect()
    }

    /// Size and number of the groups of values that meet along the columns of a plane, and then of those that meet
    /// along its rows: the groups of a tournament within each used row, and of one among its winners.
    pub(crate) fn groups(&self) -> [Vec<(usize, usize)>; 2] {
        let times = |axis: &Axis, n: usize| {
            let sizes = axis.sizes().into_iter();
            sizes.map(|(size, number)| (size, number * n)).collect()
        };
        [
            times(&self.columns, self.rows.used()),
            times(&self.rows, self.columns.windows),
        ]
    }

    /// Number of planes in `len` values.
    ///
    /// # Panics
    /// If it is not a whole number.
    pub(crate) fn planes(&self, len: usize) -> usize {
        let plane = self.input_len();
        assert_eq!(len % plane, 0, "{len} values in planes of {plane}");
        len / plane
    }
}

impl Axis {
    fn new(len: usize, kernel: usize, stride: usize, padding: [usize; 2]) -> Result<Self, Error> {
        if kernel == 0 || stride == 0 {
            return Err(Error::EmptyWindow { kernel, stride });
        }
        let padded = len.saturating_add(padding[0]).saturating_add(padding[1]);
        if kernel > padded {
            return Err(Error::WindowTooLarge { kernel, padded });
        }
        let windows = (padded - kernel) / stride + 1;
        let axis = Self {
            len,
            kernel,
            stride,
            before: padding[0],
            windows,
        };
        // Windows move one way, so the outer ones are the first to miss the values.
        if axis.span(0).is_empty() || axis.span(windows - 1).is_empty() {
            let [before, after] = padding;
            return Err(Error::WindowOfPadding {
                kernel,
                before,
                after,
            });
        }
        Ok(axis)
    }

    /// How many values windows hold, and how many windows hold so many: those that meet padding one by one, and
    /// all others together.
    fn sizes(&self) -> Vec<(usize, usize)> {
        let whole_from = self.before.div_ceil(self.stride).min(self.windows);
        let last_start = (self.before + self.len).checked_sub(self.kernel);
        let whole_to = last_start.map_or(0, |start| start / self.stride + 1);
        let whole_to = whole_to.clamp(whole_from, self.windows);
        let outer = (0..whole_from).chain(whole_to..self.windows);
        let mut sizes: Vec<_> = outer.map(|i| (self.span(i).len(), 1)).collect();
        sizes.push((self.kernel, whole_to - whole_from));
        sizes
    }

    /// Number of values that are in some window.
    fn used(&self) -> usize {
        if self.stride > self.kernel {
            return self.sizes().iter().map(|(size, n)| size * n).sum();
        }
        self.span(self.windows - 1).end - self.span(0).start
    }

    /// The positions of a window that hold values.
    fn span(&self, window: usize) -> Range<usize> {
        let start = window * self.stride;
        let clip = |position: usize| position.saturating_sub(self.before).min(self.len);
        clip(start)..clip(start + self.kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_leave_out_padding() {
        let window = Pool2d::new(5, 4, [3, 2], [2, 2], [1, 0, 1, 0]).unwrap();
        assert_eq!(window.output_shape(), [3, 2]);
        assert_eq!(window.row_span(0), 0..2);
        assert_eq!(window.row_span(1), 1..4);
        assert_eq!(window.row_span(2), 3..5);
        assert_eq!(window.column_span(1), 2..4);
        assert_eq!(window.used_rows(), [0, 1, 2, 3, 4]);
        let sparse = Pool2d::new(7, 1, [1, 1], [3, 1], [0; 4]).unwrap();
        assert_eq!(sparse.used_rows(), [0, 3, 6]);
    }

    #[test]
    fn groups_are_counted_without_looking_at_each() {
        let mut seed = 1_usize;
        let mut below = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % n
        };
        let mut pools = 0;
        while pools < 1000 {
            let (sizes, kernel) = ([1 + below(9), 1 + below(9)], [1 + below(5), 1 + below(5)]);
            let stride = [1 + below(4), 1 + below(4)];
            let padding = [below(4), below(4), below(4), below(4)];
            let Ok(pool) = Pool2d::new(sizes[0], sizes[1], kernel, stride, padding) else {
                continue;
            };
            pools += 1;
            let [height, width] = pool.output_shape();
            let used = pool.used_rows();
            let row: Vec<usize> = (0..width).map(|j| pool.column_span(j).len()).collect();
            let column = (0..height).flat_map(|i| vec![pool.row_span(i).len(); width]);
            let expected = [row.repeat(used.len()), column.collect()];
            assert!(used.windows(2).all(|rows| rows[0] < rows[1]));
            for (groups, mut expected) in pool.groups().into_iter().zip(expected) {
                let mut sizes: Vec<usize> = (groups.into_iter())
                    .flat_map(|(size, number)| std::iter::repeat_n(size, number))
                    .collect();
                sizes.sort_unstable();
                expected.sort_unstable();
                assert_eq!(sizes, expected, "{pool:?}");
            }
        }
    }

    #[test]
    fn impossible_windows_are_refused() {
        let new = |height, kernel, stride, padding| {
            Pool2d::new(height, 1, [kernel, 1], [stride, 1], padding)
        };
        assert!(matches!(
            new(3, 0, 1, [0; 4]),
            Err(Error::EmptyWindow { .. })
        ));
        assert!(matches!(
            new(3, 1, 0, [0; 4]),
            Err(Error::EmptyWindow { .. })
        ));
        assert!(matches!(
            new(3, 4, 1, [0; 4]),
            Err(Error::WindowTooLarge { .. })
        ));
        assert!(matches!(
            new(3, 2, 1, [2, 0, 0, 0]),
            Err(Error::WindowOfPadding { .. })
        ));
        assert!(matches!(
            new(3, 2, 1, [0, 0, 2, 0]),
            Err(Error::WindowOfPadding { .. })
        ));
        assert!(matches!(
            new(0, 1, 1, [1, 0, 0, 0]),
            Err(Error::WindowOfPadding { .. })
        ));
        assert!(matches!(
            new(3, 1, 1, [usize::MAX, 0, 0, 0]),
            Err(Error::WindowOfPadding { .. })
        ));
        assert!(Pool2d::global(0, 3).is_err());
    }
}
