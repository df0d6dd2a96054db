//! Shapes and windows: the arithmetic that float and integer graphs share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::places::Places;

/// The most values one tensor may have; hostile files are refused beyond it.
pub const MAX_ELEMENTS: usize = 1 << 26;

/// The most values one tensor of parameters may have: 1 GiB of floats, and what a layer of an integer network may have.
/// Files hold every value, so that none can ask for more than it brings.
pub const MAX_PARAMETERS: usize = 1 << 28;

/// The largest kernel side and stride.
const MAX_SIDE: usize = 1 << 12;

/// The most rows or columns of padding on one side.
const MAX_PADDING: usize = MAX_SIDE * MAX_SIDE;

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

    /// The shape itself, unless it is empty or has more than [`MAX_ELEMENTS`] values.
    ///
    /// # Errors
    /// What is wrong, as a phrase.
    pub fn check(self) -> Result<Self, String> {
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
    /// Distance of neighbours under the kernel, down and right; 1 in an ordinary window.
    #[serde(default = "dense", skip_serializing_if = "is_dense")]
    pub dilation: [usize; 2],
}

/// The dilation of an ordinary window.
const fn dense() -> [usize; 2] {
    [1; 2]
}

fn is_dense(dilation: &[usize; 2]) -> bool {
    *dilation == dense()
}

impl Window {
    /// A square kernel, one stride, the same padding on all sides.
    #[must_use]
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
            dilation: [1; 2],
        }
    }

    /// A window over the whole plane.
    #[must_use]
    pub const fn whole(shape: Shape) -> Self {
        Self {
            kernel: [shape.height, shape.width],
            stride: [1; 2],
            padding: [0; 4],
            dilation: [1; 2],
        }
    }

    /// Number of values under the kernel.
    #[must_use]
    pub const fn area(self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    /// Whether there are gaps between the values under the kernel.
    #[must_use]
    pub const fn is_dilated(self) -> bool {
        self.dilation[0] != 1 || self.dilation[1] != 1
    }

    /// How many inputs the window covers at each output position, padding not counted. For windows that are
    /// not dilated.
    #[must_use]
    pub fn covered(self, input: Shape, out: Shape) -> Vec<usize> {
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

    /// The shape of a pool's output for this input.
    pub(crate) fn pooled(self, x: Shape) -> Result<Shape, String> {
        if self.is_dilated() {
            return Err("pools are not dilated".into());
        }
        let [height, width] = self.output(x)?;
        Ok(Shape { height, width, ..x })
    }

    /// The same where padding counts as zeros, of which there may be as many as one likes.
    pub(crate) fn zero_padded(self, x: Shape) -> Result<Shape, String> {
        if self.is_dilated() {
            return Err("pools are not dilated".into());
        }
        let [height, width] = self.wide_output(x)?;
        Ok(Shape { height, width, ..x })
    }

    /// The window without the padding that is not below its kernel, and that padding.
    pub(crate) fn cropped(self) -> (Self, [usize; 4]) {
        let reach = |side: usize| (self.kernel[side % 2] - 1) * self.dilation[side % 2];
        let kept = [0, 1, 2, 3].map(|side| self.padding[side].min(reach(side)));
        let more = [0, 1, 2, 3].map(|side| self.padding[side] - kept[side]);
        let padding = kept;
        (Self { padding, ..self }, more)
    }

    /// Rows and columns of the output for this input. The padding must be below the kernel.
    pub(crate) fn output(self, input: Shape) -> Result<[usize; 2], String> {
        let output = self.wide_output(input)?;
        let (_, more) = self.cropped();
        for (side, name) in [(0, "height"), (1, "width")] {
            let [before, after] = [self.padding[side], self.padding[side + 2]];
            if more[side] != 0 || more[side + 2] != 0 {
                let k = (self.kernel[side] - 1) * self.dilation[side] + 1;
                return Err(format!(
                    "a padding of the {name} by {before} and {after} is not below the kernel of {k}"
                ));
            }
        }
        Ok(output)
    }

    /// Rows and columns of the output for this input, whatever the padding.
    pub(crate) fn wide_output(self, input: Shape) -> Result<[usize; 2], String> {
        let [top, left, bottom, right] = self.padding;
        let side = |axis: usize, name, size: usize, before: usize, after: usize| {
            let [k, stride, dilation] = [self.kernel, self.stride, self.dilation].map(|v| v[axis]);
            let sides = 1..=MAX_SIDE;
            if !(sides.contains(&k) && sides.contains(&stride) && sides.contains(&dilation)) {
                return Err(format!(
                    "along its {name} a kernel of {k}, a stride of {stride} and a dilation of {dilation} do not all lie in 1..={MAX_SIDE}"
                ));
            }
            let k = (k - 1) * dilation + 1;
            if before.max(after) > MAX_PADDING {
                return Err(format!(
                    "a padding of the {name} by {before} and {after} is more than {MAX_PADDING}"
                ));
            }
            (size + before + after)
                .checked_sub(k)
                .map(|room| room / stride + 1)
                .ok_or_else(|| {
                    format!("a kernel of {k} is larger than the padded {name} of {input}")
                })
        };
        let rows = side(0, "height", input.height, top, bottom)?;
        let columns = side(1, "width", input.width, left, right)?;
        Ok([rows, columns])
    }
}

/// The shape of a convolution's output, where the window gives rows and columns.
pub(crate) fn conv_output(
    x: Shape,
    out_channels: usize,
    groups: usize,
    rows_and_columns: Result<[usize; 2], String>,
) -> Result<Shape, String> {
    if groups == 0 || !x.channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
        return Err(format!(
            "{groups} groups do not divide {} and {out_channels}",
            x.channels
        ));
    }
    let [height, width] = rows_and_columns?;
    Ok(Shape {
        channels: out_channels,
        height,
        width,
    })
}

pub(crate) fn subsampled(x: Shape, stride: usize) -> Result<Shape, String> {
    if stride == 0 {
        return Err("its stride is zero".into());
    }
    Ok(Shape {
        height: x.height.div_ceil(stride),
        width: x.width.div_ceil(stride),
        ..x
    })
}

/// The shape of several tensors whose channels stand one after the other.
pub(crate) fn joined(inputs: &[Shape]) -> Result<Shape, String> {
    let mut out = inputs[0];
    for x in &inputs[1..] {
        if (x.height, x.width) != (out.height, out.width) {
            return Err(format!("it joins {out} and {x}"));
        }
        out.channels = out.channels.saturating_add(x.channels);
    }
    Ok(out)
}

pub(crate) fn shuffled(x: Shape, groups: usize) -> Result<Shape, String> {
    if groups == 0 || !x.channels.is_multiple_of(groups) {
        return Err(format!("{groups} groups do not divide {}", x.channels));
    }
    Ok(x)
}

pub(crate) fn sliced(x: Shape, start: usize, channels: usize) -> Result<Shape, String> {
    match start.checked_add(channels) {
        Some(end) if end <= x.channels => Ok(Shape { channels, ..x }),
        _ => Err(format!("it takes {channels} channels from {start} of {x}")),
    }
}

pub(crate) fn padded(x: Shape, front: usize, back: usize) -> Result<Shape, String> {
    let channels = x
        .channels
        .checked_add(front)
        .and_then(|c| c.checked_add(back));
    Ok(Shape {
        channels: channels.ok_or("too many channels")?,
        ..x
    })
}

/// The shape of what is picked of a tensor.
pub(crate) fn picked(x: Shape, [channels, rows, columns]: [&Places; 3]) -> Result<Shape, String> {
    let along = |axis, places: &Places, size| {
        let count = places.len(size);
        count.map_err(|problem| format!("along its {axis} {problem}"))
    };
    Ok(Shape {
        channels: along("channels", channels, x.channels)?,
        height: along("rows", rows, x.height)?,
        width: along("columns", columns, x.width)?,
    })
}

/// The shape of a tensor whose axes are put in another order, and whose values are then read anew.
pub(crate) fn reordered(x: Shape, order: [usize; 3], shape: Shape) -> Result<Shape, String> {
    let mut sorted = order;
    sorted.sort_unstable();
    if sorted != [0, 1, 2] {
        return Err(format!("{order:?} is no order of three axes"));
    }
    if shape.len() == x.len() {
        return Ok(shape);
    }
    Err(format!("it reads {x} as {shape}"))
}
