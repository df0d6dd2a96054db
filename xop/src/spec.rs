//! The operator and its lowering to linear steps.

use linear::ConvSpec;

use crate::{Error, Spatial, Warning};

/// An X-operator that is possible, from `channels[0]` to `channels[1]` channels. It stands in the place of a
/// k × k convolution with the same stride, padded such that stride 1 keeps the size.
///
/// It is a channel shuffle of 2 groups (left out if the number of input channels is odd); then the first
/// ⌈r·c⌉ channels go through a k × k depthwise convolution and a rescale to the scale of the others, of
/// which every stride-th row and column stays; then both parts are put together; then there is a 1 × 1
/// convolution in g groups, and with g > 1 a channel shuffle of g groups. There is no activation inside.
///
/// ```
/// use xop::{Error, Spatial, XOp};
/// let refused = XOp::new([6, 9], 3, 1, Spatial::Half, 4);
/// let Err(error) = refused else { unreachable!() };
/// assert_eq!(
///     error.to_string(),
///     "4 groups do not divide 6 input and 9 output channels; 1, 3 would"
/// );
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XOp {
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    spatial: Spatial,
    groups: usize,
}

/// A linear step of a lowered X-operator.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Step {
    /// What it computes.
    pub operation: Operation,
    /// The values that it takes: 0 is the input of the operator, n the output of the n-th step.
    pub inputs: Vec<usize>,
}

/// What a [`Step`] computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever maps them onto a graph must map all"
)]
pub enum Operation {
    /// Channel shuffle: channels written as `groups` rows and read column by column.
    Shuffle {
        /// The groups.
        groups: usize,
    },
    /// Some of the channels.
    Slice {
        /// The first.
        start: usize,
        /// How many.
        channels: usize,
    },
    /// A depthwise convolution: each channel has one of its own.
    Depthwise(ConvSpec),
    /// A truncation to the scale of the operator's input.
    Rescale,
    /// Every `stride`-th row and column, from the first.
    Subsample {
        /// The stride.
        stride: usize,
    },
    /// The channels of both values, one after the other.
    Concat,
    /// A grouped 1 × 1 convolution; its result is at the scale of an accumulator.
    Pointwise(ConvSpec),
}

impl Operation {
    /// Its name, for layers and reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Shuffle { .. } => "shuffle",
            Self::Slice { .. } => "slice",
            Self::Depthwise(_) => "depthwise",
            Self::Rescale => "rescale",
            Self::Subsample { .. } => "subsample",
            Self::Concat => "concat",
            Self::Pointwise(_) => "pointwise",
        }
    }
}

impl XOp {
    /// The operator with r = `spatial` and g = `groups`.
    ///
    /// # Errors
    /// [`Error::Zero`]; [`Error::Groups`] if the groups do not divide both numbers of channels.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        spatial: Spatial,
        groups: usize,
    ) -> Result<Self, Error> {
        let positive = [
            ("number of channels", channels[0].min(channels[1])),
            ("kernel", kernel),
            ("stride", stride),
            ("number of groups", groups),
        ];
        if let Some(&(what, _)) = positive.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Zero { what });
        }
        if channels.iter().any(|c| !c.is_multiple_of(groups)) {
            return Err(Error::Groups { groups, channels });
        }
        Ok(Self {
            channels,
            kernel,
            stride,
            spatial,
            groups,
        })
    }

    /// Input and output channels.
    #[must_use]
    pub const fn channels(&self) -> [usize; 2] {
        self.channels
    }

    /// Rows and columns of the kernel.
    #[must_use]
    pub const fn kernel(&self) -> usize {
        self.kernel
    }

    /// Steps down and right.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// r, the part of the channels that goes through the depthwise convolution.
    #[must_use]
    pub const fn spatial(&self) -> Spatial {
        self.spatial
    }

    /// g, the groups of the 1 × 1 convolution.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Numbers of weights of the depthwise and of the 1 × 1 convolution (saturating).
    #[must_use]
    pub const fn weights(&self) -> [usize; 2] {
        let [c_in, c_out] = self.channels;
        let area = self.kernel.saturating_mul(self.kernel);
        let depthwise = self.spatial.channels(c_in).saturating_mul(area);
        [depthwise, (c_in / self.groups).saturating_mul(c_out)]
    }

    /// What is probably a mistake in it, if anything.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        let blind = self.kernel > 1 && self.spatial == Spatial::Zero;
        let kernel = self.kernel;
        blind.then_some(Warning::OnePixel { kernel })
    }

    /// Rows and columns of the output, given those of the input.
    #[must_use]
    pub fn output(&self, input: [usize; 2]) -> [usize; 2] {
        input.map(|side| side.div_ceil(self.stride))
    }

    /// The steps in order, given the rows and columns of the input. The output of the last step is that of the
    /// operator. Steps that would do nothing are left out.
    ///
    /// # Errors
    /// [`Error::Linear`] for an empty input or one that is too large.
    pub fn lower(&self, input: [usize; 2]) -> Result<Vec<Step>, Error> {
        let [c_in, _] = self.channels;
        let seen = self.spatial.channels(c_in);
        let mut steps = Vec::new();
        let mut push = |operation, inputs: &[usize]| {
            let inputs = inputs.to_vec();
            steps.push(Step { operation, inputs });
            steps.len()
        };

        let mut all = 0;
        if c_in.is_multiple_of(2) {
            all = push(Operation::Shuffle { groups: 2 }, &[0]);
        }
        let part = |start, channels| Operation::Slice { start, channels };
        let mut parts = Vec::new();
        if seen > 0 {
            let mut last = all;
            if seen < c_in {
                last = push(part(0, seen), &[all]);
            }
            last = push(Operation::Depthwise(self.depthwise(input)?), &[last]);
            parts.push(push(Operation::Rescale, &[last]));
        }
        if seen < c_in {
            let mut last = all;
            if seen > 0 {
                last = push(part(seen, c_in - seen), &[all]);
            }
            if self.stride > 1 {
                let stride = self.stride;
                last = push(Operation::Subsample { stride }, &[last]);
            }
            parts.push(last);
        }
        let mut last = parts[0];
        if parts.len() > 1 {
            last = push(Operation::Concat, &parts);
        }
        last = push(Operation::Pointwise(self.pointwise(input)?), &[last]);
        if self.groups > 1 {
            let groups = self.groups;
            push(Operation::Shuffle { groups }, &[last]);
        }
        Ok(steps)
    }

    /// The k × k part.
    fn depthwise(&self, input: [usize; 2]) -> Result<ConvSpec, Error> {
        let c = self.spatial.channels(self.channels[0]);
        let (before, after) = ((self.kernel - 1) / 2, self.kernel / 2);
        let padding = [before, before, after, after];
        let (kernel, stride) = ([self.kernel; 2], [self.stride; 2]);
        Ok(ConvSpec::new([c, c], input, kernel, stride, padding, c)?)
    }

    /// The 1 × 1 part.
    fn pointwise(&self, input: [usize; 2]) -> Result<ConvSpec, Error> {
        let output = self.output(input);
        let (one, none) = ([1; 2], [0; 4]);
        Ok(ConvSpec::new(
            self.channels,
            output,
            one,
            one,
            none,
            self.groups,
        )?)
    }
}
