//! The operations of integer networks, and everything that is asked of one of them.
//!
//! Each question is one exhaustive match, so that the compiler leads whoever adds an operation
//! through all of them.

use serde::{Deserialize, Serialize};

use super::algorithm::Algorithm;
use super::pieces::Pieces;
use super::types::{self, TensorType};
use crate::Error;
use crate::graph::{Arity, Graph, Operator};
use crate::places::Places;
use crate::shape::{Shape, Window};

/// A network of integers: nodes in topological order, [`IntOp::Input`] first, [`IntOp::Output`] last,
/// with widths, scales and shapes that fit together.
///
/// Every tensor is signed integers of a declared width and scale ([`TensorType`]). Every operation is
/// defined on *all* inputs, overflow included, because everything is reduced modulo 2^l. Weights are not
/// in the graph but in [`crate::PrivateWeights`].
pub type IntGraph = Graph<IntOp>;

/// The shape of a product with the server's weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "back-ends answer for both")]
pub enum LayerShape {
    /// Convolution with weights `[out, in / groups, rows, columns]`.
    Conv {
        /// Output channels.
        out_channels: usize,
        /// Groups.
        groups: usize,
        /// Kernel, stride, padding, dilation.
        window: Window,
    },
    /// Fully connected, with weights `[out, in]`.
    FullyConnected {
        /// Outputs.
        out_features: usize,
    },
}

impl LayerShape {
    /// Output channels.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        match *self {
            Self::Conv { out_channels, .. } => out_channels,
            Self::FullyConnected { out_features } => out_features,
        }
    }

    /// Groups and window; a fully connected layer is a convolution of a single pixel.
    #[must_use]
    pub const fn window(&self) -> (usize, Window) {
        match *self {
            Self::Conv { groups, window, .. } => (groups, window),
            Self::FullyConnected { .. } => (1, Window::square(1, 1, 0)),
        }
    }

    /// Number of weights for an input of this shape (saturating).
    #[must_use]
    pub fn weights(&self, x: Shape) -> usize {
        let (groups, window) = self.window();
        self.outputs()
            .saturating_mul(x.channels / groups.max(1))
            .saturating_mul(window.area())
    }
}

/// An operation on signed integers modulo 2^l.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks about operations must answer for all of them"
)]
pub enum IntOp {
    /// The client's image.
    Input {
        /// Its shape.
        shape: Shape,
        /// Its ring.
        bits: u32,
        /// Its scale.
        scale: i32,
    },
    /// The same signed numbers in a wider ring.
    Extend {
        /// The new width.
        to: u32,
    },
    /// Reduction into a narrower ring. Each party does it by itself.
    Narrow {
        /// The new width.
        to: u32,
    },
    /// The same numbers. The server claims that −2^(l−2) ≤ x < 2^(l−2) for every input of the network, so that an
    /// extension or a truncation of x takes no comparison. This follows from secret weights, and is all that the claim
    /// tells of them. Weights for which it does not follow are refused ([`crate::PrivateWeights::check`]). Who has no
    /// weights cannot check it, and need not: a false claim makes the output wrong, as false weights do, and every
    /// message stays masked as it is.
    Claim,
    /// Product with the server's weights plus the server's bias, times 2^g in a ring that is g bits wider,
    /// where g is the algorithm's number of guard bits: 0 for most, and then it is the product itself. The
    /// truncation that follows removes g bits more, so that its result does not depend on g.
    Linear {
        /// Convolution or fully connected.
        shape: LayerShape,
        /// Bits of a weight.
        weight_bits: u32,
        /// Scale of the weights.
        weight_scale: i32,
        /// How the two parties compute it.
        #[serde(default, skip_serializing_if = "Algorithm::is_direct")]
        by: Algorithm,
    },
    /// floor(x / 2^shift), from a ring of l bits into one of l - shift bits.
    TruncReduce {
        /// Bits cut off.
        shift: u32,
        /// Whether the operation before carries the rounding constant 2^(shift - 1).
        rounded: bool,
    },
    /// floor(x / 2^shift) of the signed number, in the same ring.
    Trunc {
        /// Bits cut off.
        shift: u32,
        /// Whether the operation before carries the rounding constant 2^(shift - 1).
        rounded: bool,
    },
    /// max(0, x).
    Relu,
    /// y = x + shift modulo 2^l where \[y ≥ 0\] ⊕ \[the channel is negative\], else 0. The shift and the
    /// sign of each channel are secrets of the server: [`crate::LayerWeights`] holds shifts in place of
    /// biases and signs, 0 or -1, in place of weights.
    SignedRelu,
    /// clip(x, 0, top), for every x of the ring.
    Clip {
        /// The largest output, positive in the ring.
        top: i64,
    },
    /// factor·x + add, both public. Hard-sigmoid of x at scale s is made of such steps: plus 3·2^s, clipped
    /// at 6·2^s, times 2^f / 6 rounded to nearest, plus the rounding constant of the truncation that
    /// follows.
    Affine {
        /// The factor.
        factor: i64,
        /// What is added.
        add: i64,
        /// Scale of the factor.
        scale: i32,
    },
    /// Hard-swish of x at scale 2·s + fraction, given h = x + 3·2^s at scale s. With
    /// c = clip(h, 0, 6·2^s), r = max(h - 6·2^s, 0), and m the integer nearest to 2^fraction / 6, it is
    /// m·c·(c - 3·2^s) + 2^(s + fraction)·r modulo 2^to. The rounding to a smaller scale comes after it.
    HardSwish {
        /// Fractional bits of a sixth.
        fraction: u32,
        /// The width of the result.
        to: u32,
    },
    /// A function of each value, given by a public table and stated at [`Pieces`], rounded, and reduced modulo 2^to.
    Curve {
        /// The table.
        pieces: Pieces,
        /// The width of the result.
        to: u32,
        /// The scale of the result.
        scale: i32,
    },
    /// Each channel of the first input times the second input's one value of that channel, exactly, in the
    /// ring of the first. The rounding comes after it. The second input has the same ring or, where it is
    /// never negative, a narrower one.
    Gate,
    /// Sum under the window times 2^fraction / (divisor·count), which is rounded half up: the mean, at a
    /// scale that is larger by `fraction`. The rounding to a smaller scale comes after it. `count` is the
    /// window's area or, where padding does not count, the number of inputs under it.
    MeanPool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts, as zeros.
        counts_padding: bool,
        /// How many times too large the integers of the input are, where they are sums instead of means.
        divisor: u64,
        /// Fractional bits of the reciprocal.
        fraction: u32,
    },
    /// Largest value under the window; padding never wins.
    MaxPool {
        /// Kernel, stride, padding.
        window: Window,
    },
    /// The number of the largest value of a vector, from 0, as the winner of a tournament by differences
    /// modulo 2^l: neighbours meet, the first of two wins unless the difference is negative, and a value without a
    /// neighbour goes on. Where all differences are below 2^(l-1) it is the largest value, the first among equals.
    /// The ring has room for it and for a sign.
    ArgMax,
    /// Sum of two tensors of one type.
    Add,
    /// Channels of one or more tensors of one width and scale, one after the other.
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
    /// Sum under the window, padding counted as zeros. The division that makes it a mean is in the weights
    /// of a later layer.
    SumPool {
        /// Kernel, stride, padding.
        window: Window,
    },
    /// Every `stride`-th row and column, from the first.
    Subsample {
        /// The stride.
        stride: usize,
    },
    /// Channels of zeros before and after.
    PadChannels {
        /// Zero channels before.
        front: usize,
        /// Zero channels after.
        back: usize,
    },
    /// The value at a channel, row and column is the input's at the places that these name, or zero where one of
    /// them names none.
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
    /// All values as one vector, in the order channels, rows, columns.
    Flatten,
    /// What the client learns. It is the last node, and no other is.
    Output,
}

impl IntOp {
    /// What the server must have for it, given the shape of its input: the number of weights, the number of
    /// biases, and the bits of a weight. `None` for operations without secret parameters.
    #[must_use]
    pub fn parameters(&self, x: Shape) -> Option<(usize, usize, u32)> {
        match self {
            Self::Linear {
                shape, weight_bits, ..
            } => Some((shape.weights(x), shape.outputs(), *weight_bits)),
            Self::SignedRelu => Some((x.channels, x.channels, 1)),
            Self::Input { .. }
            | Self::Extend { .. }
            | Self::Narrow { .. }
            | Self::Claim
            | Self::TruncReduce { .. }
            | Self::Trunc { .. }
            | Self::Relu
            | Self::Clip { .. }
            | Self::Affine { .. }
            | Self::HardSwish { .. }
            | Self::Curve { .. }
            | Self::Gate
            | Self::MeanPool { .. }
            | Self::MaxPool { .. }
            | Self::ArgMax
            | Self::Add
            | Self::Concat
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::SumPool { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Flatten
            | Self::Output => None,
        }
    }

    /// Whether its result modulo its ring follows from its inputs modulo theirs. Then an input that
    /// wrapped does no harm.
    #[must_use]
    pub const fn is_modular(&self) -> bool {
        match self {
            Self::Narrow { .. }
            // It leaves as many bits as it takes away of the ring.
            | Self::TruncReduce { .. }
            | Self::Linear { .. }
            | Self::Affine { .. }
            | Self::MeanPool { .. }
            | Self::Add
            | Self::Concat
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::SumPool { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Flatten => true,
            // A gate may be of a narrower ring than what it gates.
            Self::Gate
            | Self::Input { .. }
            | Self::Extend { .. }
            | Self::Claim
            | Self::Trunc { .. }
            | Self::Relu
            | Self::SignedRelu
            | Self::Clip { .. }
            | Self::HardSwish { .. }
            | Self::Curve { .. }
            | Self::MaxPool { .. }
            | Self::ArgMax
            | Self::Output => false,
        }
    }

    /// Whether it is a product with the server's weights.
    #[must_use]
    pub const fn is_linear(&self) -> bool {
        matches!(self, Self::Linear { .. })
    }
}

impl Operator for IntOp {
    type Type = TensorType;

    fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Extend { .. } => "extend",
            Self::Narrow { .. } => "narrow",
            Self::Claim => "claim",
            Self::Linear { shape, .. } => match shape {
                LayerShape::Conv { .. } => "conv",
                LayerShape::FullyConnected { .. } => "fully-connected",
            },
            Self::TruncReduce { .. } | Self::Trunc { .. } => "truncate",
            Self::Relu => "relu",
            Self::SignedRelu => "signed-relu",
            Self::Clip { .. } => "clip",
            Self::Affine { .. } => "affine",
            Self::HardSwish { .. } => "hard-swish",
            Self::Curve { .. } => "curve",
            Self::Gate => "gate",
            Self::MeanPool { .. } => "mean-pool",
            Self::MaxPool { .. } => "max-pool",
            Self::ArgMax => "arg-max",
            Self::Add => "add",
            Self::Concat => "concat",
            Self::ChannelShuffle { .. } => "channel-shuffle",
            Self::Slice { .. } => "slice",
            Self::SumPool { .. } => "sum-pool",
            Self::Subsample { .. } => "subsample",
            Self::PadChannels { .. } => "pad-channels",
            Self::Pick { .. } => "pick",
            Self::Reorder { .. } => "reorder",
            Self::Flatten => "flatten",
            Self::Output => "output",
        }
    }

    fn arity(&self) -> Arity {
        match self {
            Self::Input { .. } => Arity::Exactly(0),
            Self::Add | Self::Gate => Arity::Exactly(2),
            Self::Concat => Arity::AtLeastOne,
            Self::Extend { .. }
            | Self::Narrow { .. }
            | Self::Claim
            | Self::Linear { .. }
            | Self::TruncReduce { .. }
            | Self::Trunc { .. }
            | Self::Relu
            | Self::SignedRelu
            | Self::Clip { .. }
            | Self::Affine { .. }
            | Self::HardSwish { .. }
            | Self::Curve { .. }
            | Self::MeanPool { .. }
            | Self::MaxPool { .. }
            | Self::ArgMax
            | Self::ChannelShuffle { .. }
            | Self::Slice { .. }
            | Self::SumPool { .. }
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Pick { .. }
            | Self::Reorder { .. }
            | Self::Flatten
            | Self::Output => Arity::Exactly(1),
        }
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, String> {
        types::infer(self, inputs)
    }

    fn misfit(node: &str, problem: String) -> Error {
        Error::width(node, problem)
    }

    fn check_graph(graph: &IntGraph) -> Result<(), Error> {
        types::check_graph(graph)
    }
}
