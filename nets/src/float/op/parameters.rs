//! The parameters of operations, and what they are to the values.

use super::Op;
use crate::shape::{Shape, Window};

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
}
