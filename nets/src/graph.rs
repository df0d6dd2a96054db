//! The float graph: what a trained network says it computes.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::shape::{Shape, Window};

/// An operation of the float graph. Parameters are names in a [`crate::Tensors`] store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[non_exhaustive]
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
    /// y = x + shift where \[y ≥ 0\] ⊕ \[sign < 0\], else 0, per channel: what [`crate::import`] makes
    /// of a batch norm and a `ReLU` before linear layers.
    SignedRelu {
        /// Name of the shift.
        shift: String,
        /// Name of the sign.
        sign: String,
    },
    /// Plus a constant tensor of the same shape, alone after a linear layer: what
    /// [`crate::import`] makes of a constant channel before a padded convolution.
    AddMap {
        /// Name of the constant, channels by rows by columns.
        map: String,
    },
    /// clip(x, 0, top); `ReLU6` has 6.
    Clip {
        /// The largest output, above 0.
        top: f64,
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
    /// Each channel of the first input times the second input's one value of that channel: the
    /// gate of a squeeze-and-excite block.
    Gate,
    /// Mean under the window.
    AvgPool {
        /// Kernel, stride, padding.
        window: Window,
        /// Whether padding counts, as zeros; else the mean is that of the inputs there are.
        counts_padding: bool,
    },
    /// Mean of each channel.
    GlobalAvgPool,
    /// Sum of two tensors of one shape.
    Add,
    /// Channels of one or more tensors, one after the other.
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

impl Op {
    /// Its name, as in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv2d { .. } => "conv",
            Self::BatchNorm { .. } => "batch-norm",
            Self::Relu => "relu",
            Self::SignedRelu { .. } => "signed-relu",
            Self::AddMap { .. } => "add-map",
            Self::Clip { .. } => "clip",
            Self::MaxPool { .. } => "max-pool",
            Self::HardSigmoid => "hard-sigmoid",
            Self::HardSwish => "hard-swish",
            Self::Gate => "gate",
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

    /// How many inputs it takes; `None` for one or more.
    const fn arity(&self) -> Option<usize> {
        match self {
            Self::Input { .. } => Some(0),
            Self::Add | Self::Gate => Some(2),
            Self::Concat => None,
            _ => Some(1),
        }
    }
}

/// A node: an operation and where its inputs come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name, unique in the graph.
    pub name: String,
    /// What it computes.
    #[serde(flatten)]
    pub op: Op,
    /// Nodes before it whose outputs it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
}

/// A float graph with one input; nodes in topological order, the last one is the output.
///
/// ```
/// use nets::{Graph, Op, Shape};
/// let mut graph = Graph::new();
/// let x = graph.push("input", Op::Input { shape: Shape::new(1, 2, 2) }, &[]);
/// graph.push("relu", Op::Relu, &[x]);
/// assert_eq!(graph.shapes()?[1], Shape::new(1, 2, 2));
/// # Ok::<(), nets::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
}

impl Graph {
    /// A graph without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a node and returns its number.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[usize]) -> usize {
        self.nodes.push(Node {
            name: name.into(),
            op,
            inputs: inputs.to_vec(),
        });
        self.nodes.len() - 1
    }

    /// The shape of every node's output.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first node that does not fit.
    pub fn shapes(&self) -> Result<Vec<Shape>, Error> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let fail = |problem: String| Error::shape(&node.name, problem);
            match node.op.arity() {
                Some(arity) if node.inputs.len() != arity => {
                    return Err(fail(format!("it takes {arity} inputs")));
                }
                None if node.inputs.is_empty() => return Err(fail("it takes an input".into())),
                _ => {}
            }
            if matches!(node.op, Op::Input { .. }) != (index == 0) {
                return Err(fail("the first node, and no other, is the input".into()));
            }
            let inputs = node
                .inputs
                .iter()
                .map(|&i| shapes.get(i).copied())
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| fail("it takes the output of a later node".into()))?;
            shapes.push(
                infer(&node.op, &inputs)
                    .and_then(Shape::check)
                    .map_err(fail)?,
            );
        }
        if shapes.is_empty() {
            return Err(Error::shape("input", "the graph has no nodes"));
        }
        Ok(shapes)
    }

    /// How many nodes take each node's output; the graph's own output counts once.
    #[must_use]
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for &input in self.nodes.iter().flat_map(|n| &n.inputs) {
            uses[input] += 1;
        }
        if let Some(last) = uses.last_mut() {
            *last += 1;
        }
        uses
    }
}

/// The output shape of one operation.
fn infer(op: &Op, inputs: &[Shape]) -> Result<Shape, String> {
    let x = inputs.first().copied().unwrap_or(Shape::new(0, 0, 0));
    let pooled = |window: Window| {
        let [height, width] = window.output(x)?;
        Ok(Shape { height, width, ..x })
    };
    match *op {
        Op::Input { shape } => Ok(shape),
        Op::Conv2d {
            out_channels,
            groups,
            window,
            ..
        } => conv_output(x, out_channels, groups, window),
        Op::BatchNorm { .. }
        | Op::Relu
        | Op::SignedRelu { .. }
        | Op::AddMap { .. }
        | Op::HardSigmoid
        | Op::HardSwish => Ok(x),
        Op::Gate if inputs[1] == Shape::vector(x.channels) => Ok(x),
        Op::Gate => Err(format!("it gates {x} by {}", inputs[1])),
        Op::Clip { top } if top.is_finite() && top > 0.0 => Ok(x),
        Op::Clip { top } => Err(format!("it clips at {top}")),
        Op::MaxPool { window } | Op::AvgPool { window, .. } => pooled(window),
        Op::GlobalAvgPool => Ok(Shape::vector(x.channels)),
        Op::Add if inputs[0] == inputs[1] => Ok(x),
        Op::Add => Err(format!("it adds {} and {}", inputs[0], inputs[1])),
        Op::Concat => joined(inputs),
        Op::ChannelShuffle { groups } => shuffled(x, groups),
        Op::Slice { start, channels } => sliced(x, start, channels),
        Op::Subsample { stride } => subsampled(x, stride),
        Op::PadChannels { front, back } => padded(x, front, back),
        Op::Flatten => Ok(Shape::vector(x.len())),
        Op::Linear { out_features, .. } if x.plane() == 1 => Ok(Shape::vector(out_features)),
        Op::Linear { .. } => Err(format!("it takes a vector, not {x}")),
    }
}

pub(crate) fn conv_output(
    x: Shape,
    out_channels: usize,
    groups: usize,
    window: Window,
) -> Result<Shape, String> {
    if groups == 0 || !x.channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
        return Err(format!(
            "{groups} groups do not divide {} and {out_channels}",
            x.channels
        ));
    }
    let [height, width] = window.output(x)?;
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

/// The shape of channels one after the other.
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
