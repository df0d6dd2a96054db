//! Activations.

use nets::{Head, Op};

use super::view::NEARLY;
use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, View};

/// The largest error of a hard-sigmoid's factor and shift: that of a sixth written with six digits.
const SIXTH: f32 = 1e-6;

pub(super) fn relu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    rectified(context, node, &x)
}

fn rectified(context: &mut Context<'_>, node: &Node<'_>, x: &Feature) -> Outputs {
    let dims = x.dims.clone();
    feature(context.emit(&node.label(), Op::Relu, x, Some(dims))?)
}

pub(super) fn leaky_relu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let slope = f64::from(node.float("alpha", 0.01)?);
    let x = context.plain(node, 0)?;
    let dims = x.dims.clone();
    feature(context.emit(&node.label(), Op::LeakyRelu { slope }, &x, Some(dims))?)
}

/// A rectifier with one slope for all channels or one for each.
pub(super) fn prelu<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let (channels, given) = (x.dims[1], context.constant(node, 1)?);
    let own = given.dims.iter().filter(|&&side| side > 1).count() <= 1;
    let mut slopes = given.floats();
    match slopes.len() {
        1 => slopes = vec![slopes[0]; channels],
        // Slopes for channels lie along the second axis after broadcasting.
        n if n == channels && own && along_channels(&given.dims, x.dims.len(), channels) => {}
        _ => return unsupported(format!("with slopes of shape {}", show(&given.dims))),
    }
    let slope = context.own(&node.label(), "slope", vec![channels], slopes)?;
    let dims = x.dims.clone();
    feature(context.emit(&node.label(), Op::PRelu { slope }, &x, Some(dims))?)
}

/// Whether a shape that is broadcast to `rank` dimensions has the channels in the second one.
fn along_channels(dims: &[usize], rank: usize, channels: usize) -> bool {
    let second = (dims.len() + 1).checked_sub(rank);
    second.and_then(|at| dims.get(at)) == Some(&channels)
}

/// A `ReLU`, a `ReLU` with a largest output, or the gate of a hard-sigmoid.
pub(super) fn clip<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let bound = |name, at, default: f32| -> Result<f32, Fault> {
        match context.optional(node, at)? {
            None => node.float(name, default),
            Some(array) => match array.scalar() {
                Some(value) => Ok(value),
                None => invalid("its bound is not one number"),
            },
        }
    };
    let low = bound("min", 1, f32::NEG_INFINITY)?;
    let high = bound("max", 2, f32::INFINITY)?;
    let viewed = context.viewed(node, 0)?;
    if let View::Ramp(factor) = viewed.view
        && low == 0.0
        && (high / (6.0 * factor) - 1.0).abs() < NEARLY
        && high > 0.0
    {
        return feature(Feature {
            view: View::Gate(high),
            label: node.label(),
            ..viewed
        });
    }
    let x = context.plain(node, 0)?;
    if low == 0.0 && high >= f32::MAX {
        return rectified(context, node, &x);
    }
    if low == 0.0 && high > 0.0 {
        let (op, dims) = (Op::Clip { top: high.into() }, x.dims.clone());
        return feature(context.emit(&node.label(), op, &x, Some(dims))?);
    }
    unsupported(format!("to {low}..{high}"))
}

pub(super) fn hard_sigmoid<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (alpha, beta) = (node.float("alpha", 0.2)?, node.float("beta", 0.5)?);
    let near = |found: f32, wanted: f32| (found - wanted).abs() <= SIXTH;
    if !near(alpha, 1.0 / 6.0) || !near(beta, 0.5) {
        return unsupported(format!("of {alpha} x + {beta}, not x / 6 + 1 / 2"));
    }
    let x = context.plain(node, 0)?;
    feature(Feature {
        view: View::Gate(1.0),
        label: node.label(),
        ..x
    })
}

pub(super) fn hard_swish<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    feature(Feature {
        view: View::Swish(1.0),
        label: node.label(),
        ..x
    })
}

/// A sigmoid is possible only at the very end, where it becomes the head.
pub(super) fn sigmoid<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    last(context, node, x, Head::Sigmoid)
}

pub(super) fn softmax<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let along = axis(
        node.int("axis", if node.opset < 13 { 1 } else { -1 })?,
        x.dims.len(),
    )?;
    let total: usize = x.dims.iter().product();
    let taken = if node.opset < 13 {
        x.dims[along..].iter().product()
    } else {
        x.dims[along]
    };
    if taken != total {
        return unsupported("over a part of the outputs");
    }
    last(context, node, x, Head::Softmax)
}

fn last<'a>(context: &mut Context<'a>, node: &Node<'a>, x: Feature, head: Head) -> Outputs {
    if node
        .proto
        .output
        .first()
        .is_none_or(|name| name != context.output)
    {
        return unsupported("before the end");
    }
    context.head = Some(head);
    feature(x)
}
