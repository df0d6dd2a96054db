//! What is asked of a network before it is changed.

use nets::{Algorithm, IntGraph, IntOp, LayerShape, Window};

/// What an operation is to those who change operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A product with the server's weights.
    Linear,
    /// A truncation.
    Cut,
    /// A rectifier.
    Relu,
    /// A clip.
    Clip,
    /// A hard-swish.
    HardSwish,
    /// A smooth function.
    Curve,
    /// A max-pool.
    MaxPool,
    /// A gate.
    Gate,
    /// The same values in another ring.
    Width,
    /// Public factors and summands, and claims: element by element and free.
    Local,
    /// Anything else.
    Other,
}

impl Kind {
    pub(super) const fn of(op: &IntOp) -> Self {
        match op {
            IntOp::Linear { .. } => Self::Linear,
            IntOp::TruncReduce { .. } | IntOp::Trunc { .. } => Self::Cut,
            IntOp::Relu | IntOp::SignedRelu => Self::Relu,
            IntOp::Clip { .. } => Self::Clip,
            IntOp::HardSwish { .. } => Self::HardSwish,
            IntOp::Curve { .. } => Self::Curve,
            IntOp::MaxPool { .. } => Self::MaxPool,
            IntOp::Gate => Self::Gate,
            IntOp::Extend { .. } | IntOp::Narrow { .. } => Self::Width,
            IntOp::Affine { .. } | IntOp::Claim => Self::Local,
            IntOp::Input { .. }
            | IntOp::MeanPool { .. }
            | IntOp::ArgMax
            | IntOp::Add
            | IntOp::Concat
            | IntOp::ChannelShuffle { .. }
            | IntOp::Slice { .. }
            | IntOp::SumPool { .. }
            | IntOp::Subsample { .. }
            | IntOp::PadChannels { .. }
            | IntOp::Pick { .. }
            | IntOp::Reorder { .. }
            | IntOp::Flatten
            | IntOp::Output => Self::Other,
        }
    }
}

/// A convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Conv {
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) groups: usize,
    pub(super) window: Window,
    pub(super) weight_bits: u32,
    pub(super) weight_scale: i32,
}

impl Conv {
    pub(super) fn op(self) -> IntOp {
        IntOp::Linear {
            shape: LayerShape::Conv {
                out_channels: self.out_channels,
                groups: self.groups,
                window: self.window,
            },
            weight_bits: self.weight_bits,
            weight_scale: self.weight_scale,
            by: Algorithm::DIRECT,
        }
    }

    pub(super) fn is_pointwise(&self) -> bool {
        self.window.kernel == [1; 2]
    }

    pub(super) const fn is_dense(&self) -> bool {
        self.groups == 1
    }

    pub(super) fn is_depthwise(&self) -> bool {
        let channels = [self.in_channels, self.out_channels];
        self.groups > 1 && channels == [self.groups; 2]
    }
}

/// The convolution that a node is.
pub(super) fn conv(graph: &IntGraph, node: usize) -> Option<Conv> {
    let IntOp::Linear {
        shape,
        weight_bits,
        weight_scale,
        ..
    } = &graph.nodes()[node].op
    else {
        return None;
    };
    match *shape {
        LayerShape::Conv {
            out_channels,
            groups,
            window,
        } => Some(Conv {
            in_channels: graph.input_type(node, 0).shape.channels,
            out_channels,
            groups,
            window,
            weight_bits: *weight_bits,
            weight_scale: *weight_scale,
        }),
        LayerShape::FullyConnected { .. } => None,
    }
}

/// The truncation that a product which is rounded later ends in: behind a rounding constant, or at once; the node itself where there is
/// none.
pub(super) fn rounded(graph: &IntGraph, node: usize) -> usize {
    let next = |node: usize| {
        let next = graph.sole_consumer(node)?;
        Some((next, &graph.nodes()[next].op))
    };
    let mut last = next(node);
    if let Some((constant, IntOp::Affine { factor: 1, .. })) = last {
        last = next(constant);
    }
    match last {
        Some((cut, op)) if Kind::of(op) == Kind::Cut => cut,
        _ => node,
    }
}

/// For each node the one that has the same values in the narrowest ring.
pub(super) fn narrowest(graph: &IntGraph) -> Vec<usize> {
    let mut found: Vec<usize> = (0..graph.len()).collect();
    for (index, node) in graph.nodes().iter().enumerate() {
        if Kind::of(&node.op) == Kind::Width {
            let source = found[node.inputs[0]];
            // A ring narrower than that of the source loses values.
            if graph.types()[source].bits() <= graph.types()[index].bits() {
                found[index] = source;
            }
        }
    }
    found
}
