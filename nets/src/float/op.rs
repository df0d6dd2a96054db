//! The operations of float networks, and what is asked of one of them.
//!
//! Each question is one exhaustive match, so that the compiler leads whoever adds an operation
//! through all of them. Where channels come from stands in [`super::provenance`], how an operation is computed in
//! [`super::executor`].

mod parameters;
mod shapes;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::graph::Graph;
use crate::places::Places;
use crate::shape::{Shape, Window};

pub use parameters::LinearView;

/// An operation of the float graph. Parameters are names in a [`crate::Tensors`] store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks about operations must answer for all of them"
)]
pub enum Op {
    /// The image.
    Input {
        /// Its shape.
        shape: Shape,
    },
    /// Convolution; weight `[out, in / groups, kernel rows, kernel columns]`.
    Conv2d {
        /// Output channels.
        out_channels: usize,
        /// Groups.
        groups: usize,
        /// Kernel, stride, padding.
        window: Window,
        /// Name of the weight.
        weight: String,
        /// Name of the bias `[out]`.
        bias: Option<String>,
    },
    /// `gamma * (x - mean) / sqrt(var + eps) + beta` per channel.
    BatchNorm {
        /// Name of the factor.
        gamma: String,
        /// Name of the shift.
        beta: String,
        /// Name of the running mean.
        mean: String,
        /// Name of the running variance.
        var: String,
        /// Added to the variance.
        eps: f64,
    },
    /// max(0, x).
    Relu,
    /// y = x + shift where \[y ≥ 0\] ⊕ \[sign < 0\], else 0, per channel. The crate `import` makes it
    /// of a batch norm and the `ReLU` behind it.
    SignedRelu {
        /// Name of the shift.
        shift: String,
        /// Name of the sign.
        sign: String,
    },
    /// Adds a constant tensor of the same shape. The crate `import` makes it of a constant channel before a padded
    /// convolution as well.
    AddMap {
        /// Name of the constant, channels by rows by columns.
        map: String,
    },
    /// clip(x, 0, top); top is 6 for `ReLU6`.
    Clip {
        /// The largest output, above 0.
        top: f64,
    },
    /// x, but no less than `low` and no more than `high`, where there are these.
    Clamp {
        /// The smallest output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// The largest output, above the smallest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// −x.
    Neg,
    /// x where x ≥ 0, else slope·x.
    LeakyRelu {
        /// The slope for negative values; public.
        slope: f64,
    },
    /// x where x ≥ 0, else slope·x, with a trained slope for each channel.
    PRelu {
        /// Name of the slopes, one for each channel.
        slope: String,
    },
    /// Largest value under the window; padding never wins.
    MaxPool {
        /// Kernel, stride, padding.
        window: Window,
    },
    /// clip(x + 3, 0, 6) / 6.
    HardSigmoid,
    /// x · clip(x + 3, 0, 6) / 6.
    HardSwish,
    /// A smooth function of each value.
    Curve {
        /// The function.
        curve: Curve,
    },
    /// Each channel of the first input times the second input's one value of that channel: the
    /// gate of a squeeze-and-excite block.
    Gate,
    /// n·scale, where n is the integer nearest to x / scale, the even one of two, clipped to low..=high: what a
    /// `QuantizeLinear` and the `DequantizeLinear` behind it make of x. Zero stays zero.
    Quantise {
        /// The distance of neighbours.
        scale: f64,
        /// The least integer, at most 0.
        low: i64,
        /// The greatest integer, at least 0.
        high: i64,
    },
    /// factor·x, with a public factor.
    Scale {
        /// The factor.
        factor: f64,
    },
    /// Mean under the window.
    AvgPool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts as zeros; if not, it is the mean of the inputs under the window.
        counts_padding: bool,
    },
    /// Mean of each channel.
    GlobalAvgPool,
    /// Sum of two tensors of one shape.
    Add,
    /// Channels of one or more tensors, one after the other.
    Concat,
    /// Channel shuffle: channels written as `groups` rows and read column by column.
    ChannelShuffle {
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
    /// Every `stride`-th row and column, from the first.
    Subsample {
        /// The stride.
        stride: usize,
    },
    /// The value at a channel, row and column is the input's at the places that these name, or zero where one of
    /// them names none: crops, flips, padding of any kind, repetition, gaps.
    Pick {
        /// Channels.
        #[serde(default, skip_serializing_if = "Places::is_unchanged")]
        channels: Places,
        /// Rows.
        #[serde(default, skip_serializing_if = "Places::is_unchanged")]
        rows: Places,
        /// Columns.
        #[serde(default, skip_serializing_if = "Places::is_unchanged")]
        columns: Places,
    },
    /// The axes are put in another order, and the values are then read in the order channels, rows, columns as a
    /// tensor of another shape.
    Reorder {
        /// Which axis of the input, 0 for channels, 1 for rows, 2 for columns, comes first, second and third.
        order: [usize; 3],
        /// The shape of the result.
        shape: Shape,
    },
    /// Channels of zeros before and after.
    PadChannels {
        /// Zero channels before.
        front: usize,
        /// Zero channels after.
        back: usize,
    },
    /// All values as one vector, in the order channels, rows, columns.
    Flatten,
    /// Fully connected; weight `[out, in]`.
    Linear {
        /// Outputs.
        out_features: usize,
        /// Name of the weight.
        weight: String,
        /// Name of the bias `[out]`.
        bias: Option<String>,
    },
}

/// A network of floats, as it was trained.
pub type FloatGraph = Graph<Op>;

/// What an operation does to its values, as far as rewritings of whole graphs must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks must answer for every kind"
)]
pub enum Kind {
    /// The image.
    Input,
    /// A product with weights; [`Op::linear`] gives its parts.
    Linear,
    /// Adds a constant.
    Constant,
    /// A factor and a shift for each channel; [`Op::affine`] gives them.
    Norm,
    /// Moves values, leaves some out or negates them, and computes nothing else.
    Moves,
    /// Puts tensors together, one after the other.
    Joins,
    /// A mean under a window; [`Op::mean_window`] gives it.
    Averages,
    /// Multiplies or divides values, so that in integers its result has a scale of its own.
    Rescales(Rescaling),
    /// Anything else: in integers it keeps the scale of its input, which must have the width of an
    /// activation.
    Acts,
}

/// The operations without weights whose result always has a scale of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks must answer for all")]
pub enum Rescaling {
    /// [`Op::HardSigmoid`].
    HardSigmoid,
    /// [`Op::HardSwish`].
    HardSwish,
    /// [`Op::Curve`].
    Curve,
    /// [`Op::Gate`].
    Gate,
    /// [`Op::Quantise`].
    Quantise,
    /// [`Op::Scale`].
    Scale,
}

impl Op {
    /// What it does to its values.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Input { .. } => Kind::Input,
            Self::Conv2d { .. } | Self::Linear { .. } => Kind::Linear,
            Self::AddMap { .. } => Kind::Constant,
            Self::BatchNorm { .. } => Kind::Norm,
            Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Neg
            | Self::Flatten => Kind::Moves,
            Self::Concat => Kind::Joins,
            Self::AvgPool { .. } | Self::GlobalAvgPool => Kind::Averages,
            Self::Relu
            | Self::SignedRelu { .. }
            | Self::LeakyRelu { .. }
            | Self::PRelu { .. }
            | Self::Clip { .. }
            | Self::Clamp { .. }
            | Self::MaxPool { .. }
            | Self::Add => Kind::Acts,
            Self::HardSigmoid => Kind::Rescales(Rescaling::HardSigmoid),
            Self::HardSwish => Kind::Rescales(Rescaling::HardSwish),
            Self::Curve { .. } => Kind::Rescales(Rescaling::Curve),
            Self::Gate => Kind::Rescales(Rescaling::Gate),
            Self::Quantise { .. } => Kind::Rescales(Rescaling::Quantise),
            Self::Scale { .. } => Kind::Rescales(Rescaling::Scale),
        }
    }

    /// Whether f(c·x) = c·f(x) for every c > 0, channel by channel, so that factors may be moved through
    /// it. Linear operations count as homogeneous, since their weights take the factors, and so do
    /// those with an [`Op::offset`], which is multiplied by them.
    #[must_use]
    pub const fn is_homogeneous(&self) -> bool {
        match self {
            Self::Input { .. }
            | Self::Conv2d { .. }
            | Self::Linear { .. }
            | Self::AddMap { .. }
            | Self::Relu
            | Self::SignedRelu { .. }
            | Self::LeakyRelu { .. }
            | Self::PRelu { .. }
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Add
            | Self::Concat
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Scale { .. }
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Neg
            | Self::Flatten => true,
            Self::BatchNorm { .. }
            | Self::Clip { .. }
            | Self::Clamp { .. }
            | Self::HardSigmoid
            | Self::HardSwish
            | Self::Curve { .. }
            | Self::Gate
            | Self::Quantise { .. } => false,
        }
    }

    /// The window of a mean over inputs of shape `x`, and whether padding counts. Where there is no
    /// padding, it counts.
    #[must_use]
    pub fn mean_window(&self, x: Shape) -> Option<(Window, bool)> {
        match *self {
            Self::AvgPool {
                window,
                counts_padding,
            } => Some((window, counts_padding || !window.is_padded())),
            Self::GlobalAvgPool => Some((Window::whole(x), true)),
            Self::Input { .. }
            | Self::Conv2d { .. }
            | Self::Linear { .. }
            | Self::BatchNorm { .. }
            | Self::Relu
            | Self::SignedRelu { .. }
            | Self::LeakyRelu { .. }
            | Self::PRelu { .. }
            | Self::AddMap { .. }
            | Self::Clip { .. }
            | Self::MaxPool { .. }
            | Self::HardSigmoid
            | Self::HardSwish
            | Self::Curve { .. }
            | Self::Gate
            | Self::Quantise { .. }
            | Self::Scale { .. }
            | Self::Add
            | Self::Concat
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Clamp { .. }
            | Self::Neg
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Flatten => None,
        }
    }
}
