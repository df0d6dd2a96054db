//! The shape arithmetic of two-dimensional convolutions.

use crate::Error;
use crate::item::Rect;

/// The shapes of a two-dimensional convolution of one NCHW image (batch size 1), checked to be possible.
///
/// Output `(o, y, x)` is the sum over input channels `c` of the group of `o` and kernel positions
/// `(r, s)` of `weight[o, c, r, s] * input[c, y·stride + r·dilation − top, x·stride + s·dilation − left]`,
/// zero outside the input. The dilation is 1 unless [`ConvSpec::dilated`] says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvSpec {
    channels: [usize; 2],
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    dilation: [usize; 2],
    groups: usize,
    output: [usize; 2],
    macs: u64,
}

impl ConvSpec {
    /// A convolution from `channels[0]` to `channels[1]` channels in `groups` groups. Pairs are rows and
    /// columns; `padding` is at the top, left, bottom and right.
    ///
    /// # Errors
    /// If a size is zero, the groups do not divide the channels, the kernel exceeds the padded
    /// input, or the sizes overflow.
    pub fn new(
        channels: [usize; 2],
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
        groups: usize,
    ) -> Result<Self, Error> {
        let [c_in, c_out] = channels;
        let positive = [
            ("number of channels", c_in.min(c_out)),
            ("input size", input[0].min(input[1])),
            ("kernel", kernel[0].min(kernel[1])),
            ("stride", stride[0].min(stride[1])),
            ("number of groups", groups),
        ];
        if let Some(&(what, _)) = positive.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Zero { what });
        }
        if !c_in.is_multiple_of(groups) || !c_out.is_multiple_of(groups) {
            return Err(Error::Groups {
                groups,
                input: c_in,
                output: c_out,
            });
        }
        let spec = Self {
            channels,
            input,
            kernel,
            stride,
            padding,
            dilation: [1; 2],
            groups,
            output: [0; 2],
            macs: 0,
        };
        spec.checked()
    }

    /// The same convolution with another dilation: the distance, in rows and in columns, of inputs that
    /// meet neighbouring weights.
    ///
    /// # Errors
    /// If a distance is zero, the dilated kernel exceeds the padded input, or the sizes overflow.
    pub fn dilated(self, dilation: [usize; 2]) -> Result<Self, Error> {
        if dilation.contains(&0) {
            return Err(Error::Zero { what: "dilation" });
        }
        Self { dilation, ..self }.checked()
    }

    /// Computes the size of the output, if there is one, and the number of multiplications.
    fn checked(mut self) -> Result<Self, Error> {
        let [top, left, bottom, right] = self.padding;
        self.output = [
            self.positions(0, [top, bottom])?,
            self.positions(1, [left, right])?,
        ];
        self.macs = self.count_macs().ok_or(Error::TooLarge)?;
        Ok(self)
    }

    /// Output positions along one axis.
    fn positions(&self, axis: usize, padding: [usize; 2]) -> Result<usize, Error> {
        let padded = self.input[axis]
            .checked_add(padding[0])
            .and_then(|sum| sum.checked_add(padding[1]))
            .ok_or(Error::TooLarge)?;
        let kernel = (self.kernel[axis] - 1)
            .checked_mul(self.dilation[axis])
            .and_then(|reach| reach.checked_add(1))
            .ok_or(Error::TooLarge)?;
        let room = padded
            .checked_sub(kernel)
            .ok_or(Error::Kernel { kernel, padded })?;
        Ok(room / self.stride[axis] + 1)
    }

    /// Input channels, rows, columns.
    #[must_use]
    pub const fn input_shape(&self) -> [usize; 3] {
        [self.channels[0], self.input[0], self.input[1]]
    }

    /// Output channels, rows, columns.
    #[must_use]
    pub const fn output_shape(&self) -> [usize; 3] {
        [self.channels[1], self.output[0], self.output[1]]
    }

    /// Output channels, input channels of a group, kernel rows, kernel columns.
    #[must_use]
    pub const fn weight_shape(&self) -> [usize; 4] {
        let [rows, columns] = self.kernel;
        [
            self.channels[1],
            self.channels[0] / self.groups,
            rows,
            columns,
        ]
    }

    /// Rows and columns of the kernel.
    #[must_use]
    pub const fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// Rows and columns from one output to the next.
    #[must_use]
    pub const fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Rows or columns of zeros at the top, left, bottom and right.
    #[must_use]
    pub const fn padding(&self) -> [usize; 4] {
        self.padding
    }

    /// Rows and columns between inputs that meet neighbouring weights; 1 if there are no gaps.
    #[must_use]
    pub const fn dilation(&self) -> [usize; 2] {
        self.dilation
    }

    /// Number of groups.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Number of multiplications, not counting those with padding.
    #[must_use]
    pub const fn macs(&self) -> u64 {
        self.macs
    }

    /// Number of elements of the input.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        self.channels[0] * self.input[0] * self.input[1]
    }

    /// Number of elements of the output.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.channels[1] * self.output[0] * self.output[1]
    }

    /// Number of weights.
    #[must_use]
    pub const fn weight_len(&self) -> usize {
        let [m, c, r, s] = self.weight_shape();
        m * c * r * s
    }

    /// The inputs that meet kernel position `(r, s)`, without padding, relative to a channel's plane;
    /// `None` if it meets padding only.
    pub(crate) fn rect(&self, r: usize, s: usize) -> Option<Rect> {
        let rows = self.valid(0, r)?;
        let columns = self.valid(1, s)?;
        let [_, width] = self.input;
        let row = rows.start * self.stride[0] + r * self.dilation[0] - self.padding[0];
        let column = columns.start * self.stride[1] + s * self.dilation[1] - self.padding[1];
        let input = row * width + column;
        Some(Rect {
            input,
            output: rows.start * self.output[1] + columns.start,
            rows: rows.len(),
            columns: columns.len(),
            input_strides: [self.stride[0] * width, self.stride[1]],
            output_strides: [self.output[1], 1],
        })
    }

    /// The output positions along `axis` that meet the input at kernel position `k`.
    pub(crate) fn valid(&self, axis: usize, k: usize) -> Option<std::ops::Range<usize>> {
        let (stride, before) = (self.stride[axis], self.padding[axis]);
        let k = k * self.dilation[axis];
        let first = before.saturating_sub(k).div_ceil(stride);
        // o * stride + k - before < input
        let end = (self.input[axis] + before)
            .saturating_sub(k)
            .div_ceil(stride)
            .min(self.output[axis]);
        (first < end).then_some(first..end)
    }

    fn count_macs(&self) -> Option<u64> {
        let product = |sizes: &[usize]| {
            let mut sizes = sizes.iter();
            sizes.try_fold(1usize, |product, &size| product.checked_mul(size))
        };
        let [m, c, r, s] = self.weight_shape();
        let weights = product(&[m, c, r, s])?;
        product(&[8, self.channels[0], self.input[0], self.input[1]])?;
        product(&[8, m, self.output[0], self.output[1]])?;
        product(&[8, weights])?;
        let along = |axis: usize| -> u128 {
            let covered = |k| self.valid(axis, k).map_or(0, |range| range.len() as u128);
            (0..self.kernel[axis]).map(covered).sum()
        };
        // At most weights times output positions. The traffic must be countable as well.
        let macs = (m as u128 * c as u128)
            .checked_mul(along(0))?
            .checked_mul(along(1))?;
        u64::try_from(macs).ok().filter(|&macs| macs < 1 << 50)
    }
}
