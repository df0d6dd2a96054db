//! The names, inputs and shapes of operations, as graphs ask for them.

use std::collections::BTreeSet;

use super::{FloatGraph, Op};
use crate::Error;
use crate::graph::{Arity, Operator};
use crate::shape::{
    Shape, conv_output, joined, padded, picked, reordered, shuffled, sliced, subsampled,
};

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
