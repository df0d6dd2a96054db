//! Shapes and windows: one place for the arithmetic that float and integer graphs share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most values one tensor may have; hostile files are refused beyond it.
pub const MAX_ELEMENTS: usize = 1 << 26;

/// The largest kernel side and stride.
const MAX_SIDE: usize = 1 << 12;

/// The shape of one image's tensor: channels, height, width (NCHW with N = 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Channels, height, width.
    #[must_use]
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }

    /// A vector of `n` values.
    #[must_use]
    pub const fn vector(n: usize) -> Self {
        Self::new(n, 1, 1)
    }

    /// Number of values (saturating).
    #[must_use]
    pub const fn len(self) -> usize {
        self.channels
            .saturating_mul(self.height)
            .saturating_mul(self.width)
    }

    /// Whether it has no values.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Rows times columns.
    #[must_use]
    pub const fn plane(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Refuses empty and enormous shapes.
    pub(crate) fn check(self) -> Result<Self, String> {
        match self.len() {
            0 => Err(format!("its output {self} is empty")),
            n if n > MAX_ELEMENTS => Err(format!("its output {self} is too large")),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// A window sliding over an image: kernel, stride and zero padding, in rows and columns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub stride: [usize; 2],
    /// Zeros above, left, below, right.
    pub padding: [usize; 4],
}

impl Window {
    /// A square kernel, one stride, the same padding on all sides.
    #[must_use]
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
        }
    }

    /// A window over the whole plane.
    #[must_use]
    pub const fn whole(shape: Shape) -> Self {
        Self {
            kernel: [shape.height, shape.width],
            stride: [1; 2],
            padding: [0; 4],
        }
    }

    /// Number of values under the kernel.
    #[must_use]
    pub const fn area(self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    /// How many inputs the window covers at each output position, padding left out.
    pub(crate) fn covered(self, input: Shape, out: Shape) -> Vec<usize> {
        let side = |axis: usize, o: usize, size: usize| {
            let start = o * self.stride[axis];
            let end = (start + self.kernel[axis]).min(size + self.padding[axis]);
            end.saturating_sub(start.max(self.padding[axis]))
        };
        let rows = (0..out.height).map(|r| side(0, r, input.height));
        rows.flat_map(|r| (0..out.width).map(move |c| r * side(1, c, input.width)))
            .collect()
    }

    /// Whether any side is padded.
    #[must_use]
    pub const fn is_padded(self) -> bool {
        let [top, left, bottom, right] = self.padding;
        top | left | bottom | right != 0
    }

    /// Rows and columns of the output for this input.
    pub(crate) fn output(self, input: Shape) -> Result<[usize; 2], String> {
        let [top, left, bottom, right] = self.padding;
        let side = |name, size: usize, before: usize, after: usize, k: usize, stride: usize| {
            if k == 0 || stride == 0 || k > MAX_SIDE || stride > MAX_SIDE {
                return Err(format!(
                    "kernel and stride lie in 1..={MAX_SIDE} ({self:?})"
                ));
            }
            if before >= k || after >= k {
                return Err(format!(
                    "padding of the {name} is not below the kernel ({self:?})"
                ));
            }
            (size + before + after)
                .checked_sub(k)
                .map(|room| room / stride + 1)
                .ok_or_else(|| {
                    format!("a kernel of {k} is larger than the padded {name} of {input}")
                })
        };
        let rows = side(
            "height",
            input.height,
            top,
            bottom,
            self.kernel[0],
            self.stride[0],
        )?;
        let columns = side(
            "width",
            input.width,
            left,
            right,
            self.kernel[1],
            self.stride[1],
        )?;
        Ok([rows, columns])
    }
}
