//! The operations of float networks, and everything that is asked of one of them.
//!
//! Each question is one exhaustive match, so that the compiler leads whoever adds an operation
//! through all of them. How an operation is computed stands in [`super::executor`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::provenance::{Provenance, channelwise, reordered_channels};
use crate::Error;
use crate::graph::{Arity, Graph, Operator};
use crate::places::Places;
use crate::shape::{
    Shape, Window, conv_output, joined, padded, picked, reordered, shuffled, sliced, subsampled,
};

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

/// A convolution or a fully connected layer, seen as a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LinearView<'a> {
    /// Output channels.
    pub out_channels: usize,
    /// Whether it is a fully connected layer, in a graph of integers too.
    pub is_fully_connected: bool,
    /// Groups; 1 if fully connected.
    pub groups: usize,
    /// Kernel, stride, padding; 1 x 1 if fully connected.
    pub window: Window,
    /// Name of the weight.
    pub weight: &'a str,
    /// Name of the bias.
    pub bias: Option<&'a str>,
}

impl LinearView<'_> {
    /// Whether every output channel has weights of its own for a single input channel.
    #[must_use]
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.out_channels
    }
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

    /// Its parts as those of a convolution, if it is a product with weights.
    #[must_use]
    pub fn linear(&self) -> Option<LinearView<'_>> {
        match self {
            Self::Conv2d {
                out_channels,
                groups,
                window,
                weight,
                bias,
            } => Some(LinearView {
                out_channels: *out_channels,
                is_fully_connected: false,
                groups: *groups,
                window: *window,
                weight,
                bias: bias.as_deref(),
            }),
            Self::Linear {
                out_features,
                weight,
                bias,
            } => Some(LinearView {
                out_channels: *out_features,
                is_fully_connected: true,
                groups: 1,
                window: Window::square(1, 1, 0),
                weight,
                bias: bias.as_deref(),
            }),
            Self::Input { .. }
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
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
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

    /// The names of weight and bias, to be changed, if it is a product with weights.
    pub const fn linear_parameters_mut(&mut self) -> Option<(&mut String, &mut Option<String>)> {
        match self {
            Self::Conv2d { weight, bias, .. } | Self::Linear { weight, bias, .. } => {
                Some((weight, bias))
            }
            Self::Input { .. }
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
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
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

    /// The name of the parameter that is added to the values, if there is one: where the values of a
    /// channel are multiplied by a factor, so must this parameter be. Biases of linear operations are
    /// in [`Op::linear`].
    #[must_use]
    pub fn offset(&self) -> Option<&str> {
        match self {
            Self::SignedRelu { shift, .. } => Some(shift),
            Self::AddMap { map } => Some(map),
            Self::Input { .. }
            | Self::Conv2d { .. }
            | Self::Linear { .. }
            | Self::BatchNorm { .. }
            | Self::Relu
            | Self::LeakyRelu { .. }
            | Self::PRelu { .. }
            | Self::Clip { .. }
            | Self::MaxPool { .. }
            | Self::HardSigmoid
            | Self::HardSwish
            | Self::Curve { .. }
            | Self::Gate
            | Self::Quantise { .. }
            | Self::Scale { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
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

    /// The names and shapes of its parameters, given the shape of its first input.
    #[must_use]
    pub fn parameters(&self, input: Shape) -> Vec<(&str, Vec<usize>)> {
        match self {
            Self::Conv2d {
                out_channels,
                groups,
                window,
                weight,
                bias,
            } => {
                let [rows, columns] = window.kernel;
                let inputs = input.channels / (*groups).max(1);
                let weight = (weight.as_str(), vec![*out_channels, inputs, rows, columns]);
                let bias = bias.as_deref().map(|b| (b, vec![*out_channels]));
                std::iter::once(weight).chain(bias).collect()
            }
            Self::Linear {
                out_features,
                weight,
                bias,
            } => {
                let weight = (weight.as_str(), vec![*out_features, input.len()]);
                let bias = bias.as_deref().map(|b| (b, vec![*out_features]));
                std::iter::once(weight).chain(bias).collect()
            }
            Self::BatchNorm {
                gamma,
                beta,
                mean,
                var,
                ..
            } => {
                let shape = vec![input.channels];
                let names = [gamma, beta, mean, var];
                names.map(|n| (n.as_str(), shape.clone())).into()
            }
            Self::SignedRelu { shift, sign } => {
                let shape = vec![input.channels];
                [shift, sign].map(|n| (n.as_str(), shape.clone())).into()
            }
            Self::PRelu { slope } => vec![(slope.as_str(), vec![input.channels])],
            Self::AddMap { map } => {
                let shape = vec![input.channels, input.height, input.width];
                vec![(map.as_str(), shape)]
            }
            Self::Input { .. }
            | Self::Relu
            | Self::LeakyRelu { .. }
            | Self::Clip { .. }
            | Self::MaxPool { .. }
            | Self::HardSigmoid
            | Self::HardSwish
            | Self::Curve { .. }
            | Self::Gate
            | Self::Quantise { .. }
            | Self::Scale { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
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
            | Self::Flatten => Vec::new(),
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

    /// Which channel of which input each output channel comes from, for operations that treat every
    /// channel by itself. Empty for those that mix channels. Where the values of an output channel come from several
    /// input channels it stands with each of them.
    #[must_use]
    pub fn provenance(&self, inputs: &[Shape], out: Shape) -> Vec<Provenance> {
        let from_channel = |input, from, to| Provenance { input, from, to };
        match *self {
            Self::Input { .. } | Self::Conv2d { .. } | Self::Linear { .. } => Vec::new(),
            Self::Pick { ref channels, .. } => (channels.iter(inputs[0].channels).enumerate())
                .filter_map(|(to, from)| Some(from_channel(0, from?, to)))
                .collect(),
            Self::Reorder { order, .. } => reordered_channels(inputs[0], order, out),
            Self::PadChannels { front, .. } => {
                let channels = 0..inputs[0].channels;
                channels.map(|c| from_channel(0, c, front + c)).collect()
            }
            Self::Flatten => {
                let plane = inputs[0].plane();
                let channels = 0..out.channels;
                channels.map(|c| from_channel(0, c / plane, c)).collect()
            }
            Self::Slice { start, channels } => (0..channels)
                .map(|c| from_channel(0, start + c, c))
                .collect(),
            Self::ChannelShuffle { groups } => {
                let per_group = out.channels / groups;
                let from = |c: usize| c % groups * per_group + c / groups;
                (0..out.channels)
                    .map(|c| from_channel(0, from(c), c))
                    .collect()
            }
            Self::Concat => {
                let all = inputs.iter().enumerate();
                let channels = all.flat_map(|(k, x)| (0..x.channels).map(move |c| (k, c)));
                let joined = channels.enumerate();
                joined.map(|(to, (k, c))| from_channel(k, c, to)).collect()
            }
            Self::BatchNorm { .. }
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
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Add
            | Self::Clamp { .. }
            | Self::Neg
            | Self::Subsample { .. } => channelwise(inputs.len(), out.channels),
        }
    }
}

impl Operator for Op {
    type Type = Shape;

    fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv2d { .. } => "conv",
            Self::BatchNorm { .. } => "batch-norm",
            Self::Relu => "relu",
            Self::SignedRelu { .. } => "signed-relu",
            Self::LeakyRelu { .. } => "leaky-relu",
            Self::PRelu { .. } => "prelu",
            Self::AddMap { .. } => "add-map",
            Self::Clip { .. } => "clip",
            Self::Clamp { .. } => "clamp",
            Self::Neg => "neg",
            Self::Pick { .. } => "pick",
            Self::Reorder { .. } => "reorder",
            Self::MaxPool { .. } => "max-pool",
            Self::HardSigmoid => "hard-sigmoid",
            Self::HardSwish => "hard-swish",
            Self::Curve { curve } => curve.name(),
            Self::Gate => "gate",
            Self::Quantise { .. } => "quantise",
            Self::Scale { .. } => "scale",
            Self::AvgPool { .. } => "avg-pool",
            Self::GlobalAvgPool => "global-avg-pool",
            Self::Add => "add",
            Self::Concat => "concat",
            Self::ChannelShuffle { .. } => "channel-shuffle",
            Self::Slice { .. } => "slice",
            Self::Subsample { .. } => "subsample",
            Self::PadChannels { .. } => "pad-channels",
            Self::Flatten => "flatten",
            Self::Linear { .. } => "fully-connected",
        }
    }

    fn arity(&self) -> Arity {
        match self {
            Self::Input { .. } => Arity::Exactly(0),
            Self::Add | Self::Gate => Arity::Exactly(2),
            Self::Concat => Arity::AtLeastOne,
            Self::Conv2d { .. }
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
            | Self::Quantise { .. }
            | Self::Scale { .. }
            | Self::Curve { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Clamp { .. }
            | Self::Neg
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Flatten
            | Self::Linear { .. } => Arity::Exactly(1),
        }
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let x = inputs.first().copied().unwrap_or(Shape::new(0, 0, 0));
        match *self {
            Self::Input { shape } => Ok(shape),
            Self::Conv2d {
                out_channels,
                groups,
                window,
                ..
            } => conv_output(x, out_channels, groups, window.wide_output(x)),
            Self::BatchNorm { .. }
            | Self::Relu
            | Self::SignedRelu { .. }
            | Self::PRelu { .. }
            | Self::AddMap { .. }
            | Self::Neg
            | Self::HardSigmoid
            | Self::HardSwish => Ok(x),
            Self::Curve { curve } => curve.problem().map_or(Ok(x), Err),
            Self::Clamp { low, high } => clamped(low, high).map(|()| x),
            Self::Pick {
                ref channels,
                ref rows,
                ref columns,
            } => picked(x, [channels, rows, columns]),
            Self::Reorder { order, shape } => reordered(x, order, shape),
            Self::LeakyRelu { slope } if slope.is_finite() => Ok(x),
            Self::LeakyRelu { slope } => Err(format!("its slope is {slope}")),
            Self::Gate if inputs[1] == Shape::vector(x.channels) => Ok(x),
            Self::Gate => Err(format!("it gates {x} by {}", inputs[1])),
            Self::Clip { top } if top.is_finite() && top > 0.0 => Ok(x),
            Self::Clip { top } => Err(format!("it clips at {top}")),
            Self::Quantise { scale, low, high } => quantised(x, scale, low, high),
            Self::Scale { factor } if factor.is_normal() => Ok(x),
            Self::Scale { factor } => Err(format!("its factor is {factor}")),
            Self::AvgPool {
                window,
                counts_padding: true,
            } => window.zero_padded(x),
            Self::MaxPool { window } | Self::AvgPool { window, .. } => window.pooled(x),
            Self::GlobalAvgPool => Ok(Shape::vector(x.channels)),
            Self::Add if inputs[0] == inputs[1] => Ok(x),
            Self::Add => Err(format!("it adds {} and {}", inputs[0], inputs[1])),
            Self::Concat => joined(inputs),
            Self::ChannelShuffle { groups } => shuffled(x, groups),
            Self::Slice { start, channels } => sliced(x, start, channels),
            Self::Subsample { stride } => subsampled(x, stride),
            Self::PadChannels { front, back } => padded(x, front, back),
            Self::Flatten => Ok(Shape::vector(x.len())),
            Self::Linear { out_features, .. } if x.plane() == 1 => Ok(Shape::vector(out_features)),
            Self::Linear { .. } => Err(format!("it takes a vector, not {x}")),
        }
        .and_then(Shape::check)
    }

    /// Checks that names of nodes are unique: parameters that rewritings make are named after them.
    fn check_graph(graph: &FloatGraph) -> Result<(), Error> {
        let mut names = BTreeSet::new();
        match graph.nodes().iter().find(|n| !names.insert(&n.name)) {
            Some(node) => Err(Error::shape(&node.name, "another layer has this name")),
            None => Ok(()),
        }
    }
}

/// The most that an integer of [`Op::Quantise`] can be.
const MAX_LEVEL: i64 = 1 << 16;

fn quantised(x: Shape, scale: f64, low: i64, high: i64) -> Result<Shape, String> {
    let levels = low <= 0 && high >= 0 && low < high && -low <= MAX_LEVEL && high <= MAX_LEVEL;
    if levels && scale.is_normal() && scale > 0.0 {
        return Ok(x);
    }
    Err(format!("it has steps of {scale} from {low} to {high}"))
}

/// Refuses bounds that nothing lies between, or none at all.
fn clamped(low: Option<f64>, high: Option<f64>) -> Result<(), String> {
    let is_finite = [low, high].iter().flatten().all(|v| v.is_finite());
    let is_some = low.is_some() || high.is_some();
    let below = low.zip(high).is_none_or(|(low, high)| low < high);
    if is_finite && is_some && below {
        return Ok(());
    }
    let named = |v: Option<f64>| v.map_or("none".to_owned(), |v| v.to_string());
    Err(format!("it clamps at {} and {}", named(low), named(high)))
}
