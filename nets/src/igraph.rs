//! The integer graph: what both parties execute, and all they both may know of the network.
//!
//! Every tensor is signed integers of a declared width and scale ([`TensorType`]); every
//! operation is defined on *all* inputs, overflow included, because everything is reduced modulo
//! 2^l. Weights are not here but in [`crate::PrivateWeights`].

use ring_arith::{Bits, Fixed};
use serde::{Deserialize, Serialize};
use winograd::Tile;

use crate::Error;
use crate::infer::{infer, last_use};
use crate::shape::{Shape, Window};

/// An operation on signed integers modulo 2^l.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[non_exhaustive]
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
    /// The same numbers in a wider ring.
    Extend {
        /// The new width.
        to: u32,
    },
    /// Reduction to a narrower ring; local.
    Narrow {
        /// The new width.
        to: u32,
    },
    /// Convolution with the server's weights `[out, in / groups, rows, columns]`, plus its bias.
    Conv {
        /// Output channels.
        out_channels: usize,
        /// Groups.
        groups: usize,
        /// Kernel, stride, padding.
        window: Window,
        /// Bits of a weight.
        weight_bits: u32,
        /// Scale of the weights.
        weight_scale: i32,
    },
    /// 2^g times convolution and bias, in a ring wider by g bits, g the guard bits of the tile: the
    /// same weights and bias as [`IntOp::Conv`], and the same result mod 2^l once the truncation
    /// after it has cut g bits more.
    Winograd {
        /// Output channels.
        out_channels: usize,
        /// Groups.
        groups: usize,
        /// Kernel, stride, padding.
        window: Window,
        /// Bits of a weight.
        weight_bits: u32,
        /// Scale of the weights.
        weight_scale: i32,
        /// The algorithm.
        #[serde(with = "crate::tiled")]
        tile: Tile,
    },
    /// Fully connected layer with the server's weights `[out, in]`, plus its bias.
    FullyConnected {
        /// Outputs.
        out_features: usize,
        /// Bits of a weight.
        weight_bits: u32,
        /// Scale of the weights.
        weight_scale: i32,
    },
    /// floor(x / 2^shift) from l to l - shift bits.
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
    /// y = x + shift modulo 2^l where \[y ≥ 0\] ⊕ \[the channel is negative\], else 0; shift (the
    /// "biases") and sign (the "weights", 0 or -1) of each channel are the server's.
    SignedRelu,
    /// clip(x, 0, top), for every x of the ring.
    Clip {
        /// The largest output, positive in the ring.
        top: i64,
    },
    /// factor·x + add. Hard-sigmoid of x at scale s is made of it: plus 3·2^s, clipped at 6·2^s, times
    /// 2^f / 6 rounded to nearest, plus the rounding constant of the truncation that follows.
    Affine {
        /// The factor.
        factor: i64,
        /// What is added.
        add: i64,
        /// Scale of the factor.
        scale: i32,
    },
    /// Of h = x + 3·2^s at scale s: with c = clip(h, 0, 6·2^s) and r = max(h - 6·2^s, 0),
    /// m·c·(c - 3·2^s) + 2^(s + fraction)·r modulo 2^to, where m is 2^fraction / 6 rounded to
    /// nearest. That is hard-swish of x at scale 2·s + fraction, as [`nonlinear::HardSwish`] says how
    /// exactly; the rounding to a smaller scale comes after it.
    HardSwish {
        /// Fractional bits of a sixth.
        fraction: u32,
        /// The width of the result.
        to: u32,
    },
    /// Each channel of the first input times the second input's one value of that channel, in the
    /// first one's ring and exactly; the rounding comes after it. The second is of the same ring or,
    /// where it is never negative, of a narrower one.
    Gate,
    /// Sum under the window times 2^fraction / (divisor·count), rounded half up: the mean, at a
    /// scale larger by `fraction`; the rounding to a smaller scale comes after it. `count` is the
    /// window's area or, where padding does not count, the number of inputs under it.
    MeanPool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts, as zeros.
        counts_padding: bool,
        /// The integers are this many times too large: sums instead of means.
        divisor: u64,
        /// Fractional bits of the reciprocal.
        fraction: u32,
    },
    /// Largest value under the window; padding never wins.
    MaxPool {
        /// Kernel, stride, padding.
        window: Window,
    },
    /// Sum of two tensors of one type.
    Add,
    /// Channels of one or more tensors of one width and scale, one after the other.
    Concat,
    /// Channels as `groups` rows, read column by column.
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
    /// Sum under the window, padding counted as zeros; the division is in later weights.
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
    /// Channels, rows, columns to one vector.
    Flatten,
    /// What the client learns. The last node, and no other.
    Output,
}

impl IntOp {
    /// Its name, as in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Extend { .. } => "extend",
            Self::Narrow { .. } => "narrow",
            Self::Conv { .. } | Self::Winograd { .. } => "conv",
            Self::FullyConnected { .. } => "fully-connected",
            Self::TruncReduce { .. } | Self::Trunc { .. } => "truncate",
            Self::Relu => "relu",
            Self::SignedRelu => "signed-relu",
            Self::Clip { .. } => "clip",
            Self::Affine { .. } => "affine",
            Self::HardSwish { .. } => "hard-swish",
            Self::Gate => "gate",
            Self::MeanPool { .. } => "mean-pool",
            Self::MaxPool { .. } => "max-pool",
            Self::Add => "add",
            Self::Concat => "concat",
            Self::ChannelShuffle { .. } => "channel-shuffle",
            Self::Slice { .. } => "slice",
            Self::SumPool { .. } => "sum-pool",
            Self::Subsample { .. } => "subsample",
            Self::PadChannels { .. } => "pad-channels",
            Self::Flatten => "flatten",
            Self::Output => "output",
        }
    }

    /// Whether the server has secret parameters for it.
    #[must_use]
    pub const fn has_weights(&self) -> bool {
        self.is_linear() || matches!(self, Self::SignedRelu)
    }

    /// Whether it is a product with the server's weights.
    #[must_use]
    pub const fn is_linear(&self) -> bool {
        matches!(
            self,
            Self::Conv { .. } | Self::Winograd { .. } | Self::FullyConnected { .. }
        )
    }
}

/// What is known of one tensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TensorType {
    /// Its shape.
    pub shape: Shape,
    /// Width and scale: the number is integer / 2^scale.
    pub fixed: Fixed,
    /// No input whatever makes a value negative, so extension is the cheap one.
    pub nonneg: bool,
    /// No input whatever makes a value larger.
    pub most: i64,
}

impl TensorType {
    pub(crate) const fn new(shape: Shape, bits: Bits, scale: i32, nonneg: bool) -> Self {
        Self {
            shape,
            fixed: Fixed { bits, scale },
            nonneg,
            most: bits.max_signed(),
        }
    }

    /// Its ring.
    #[must_use]
    pub const fn bits(&self) -> Bits {
        self.fixed.bits
    }
}

/// A node: an operation and where its inputs come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IntNode {
    /// Its name.
    pub name: String,
    /// What it computes.
    #[serde(flatten)]
    pub op: IntOp,
    /// Nodes before it whose outputs it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
}

/// A checked integer graph: nodes in topological order, [`IntOp::Input`] first, [`IntOp::Output`]
/// last, every width, scale and shape consistent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<IntNode>", into = "Vec<IntNode>")]
pub struct IntGraph {
    nodes: Vec<IntNode>,
    types: Vec<TensorType>,
}

impl IntGraph {
    /// Checks the nodes and infers the type of every tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Width`] naming the first node that does not fit.
    pub fn new(nodes: Vec<IntNode>) -> Result<Self, Error> {
        let types = infer(&nodes)?;
        Ok(Self { nodes, types })
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[IntNode] {
        &self.nodes
    }

    /// The type of each node's output.
    #[must_use]
    pub fn types(&self) -> &[TensorType] {
        &self.types
    }

    /// The type of a node's `k`-th input.
    ///
    /// # Panics
    /// When the node has no such input.
    #[must_use]
    pub fn input_type(&self, node: usize, k: usize) -> &TensorType {
        &self.types[self.nodes[node].inputs[k]]
    }

    /// The type of the image.
    #[must_use]
    pub fn input(&self) -> &TensorType {
        &self.types[0]
    }

    /// The type of the result.
    #[must_use]
    pub fn output(&self) -> &TensorType {
        &self.types[self.types.len() - 1]
    }

    /// For each node, the last node that takes its output: after it the tensor may be erased.
    #[must_use]
    pub fn last_use(&self) -> Vec<usize> {
        last_use(&self.nodes)
    }
}

impl TryFrom<Vec<IntNode>> for IntGraph {
    type Error = Error;

    fn try_from(nodes: Vec<IntNode>) -> Result<Self, Error> {
        Self::new(nodes)
    }
}

impl From<IntGraph> for Vec<IntNode> {
    fn from(graph: IntGraph) -> Self {
        graph.nodes
    }
}
