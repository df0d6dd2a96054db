//! Layers that do one thing in training and another at inference: batch normalisation and dropout.

use nets::Op;

use super::{Outputs, feature};
use crate::array::{Array, Data};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;

pub(super) fn batch<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node.int("training_mode", 0)? != 0 {
        return unsupported("in training mode");
    }
    if node.opset < 9 && node.int("spatial", 1)? == 0 {
        return unsupported("with statistics for each position");
    }
    let x = context.plain(node, 0)?;
    let eps = f64::from(node.float("epsilon", 1e-5)?);
    if !eps.is_finite() || eps < 0.0 {
        return invalid("its epsilon is no small number");
    }
    let Some(&channels) = x.dims().get(1) else {
        return invalid("its input has no channels");
    };
    let channels = [channels];
    let op = Op::BatchNorm {
        gamma: context.parameter(node, 1, &channels)?,
        beta: context.parameter(node, 2, &channels)?,
        mean: context.parameter(node, 3, &channels)?,
        var: context.parameter(node, 4, &channels)?,
        eps,
    };
    let label = node.label();
    let x = context.led(&label, &x, &[1])?;
    feature(context.emit(&label, op, &x)?)
}

/// Nothing at inference.
pub(super) fn dropout<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    not_in_training(context.optional(node, TRAINING_MODE)?.as_deref())?;
    feature(context.viewed(node, 0)?)
}

/// The input of a dropout that says whether it is in training mode; left out it is not.
pub(super) const TRAINING_MODE: usize = 2;

/// Refuses a dropout that drops values.
pub(super) fn not_in_training(mode: Option<&Array>) -> Result<(), Fault> {
    let set = mode.is_some_and(|mode| match &mode.data {
        Data::Float(values) => values.iter().any(|&value| value != 0.0),
        Data::Int(values) => values.iter().any(|&value| value != 0),
    });
    if set {
        return unsupported("in training mode");
    }
    Ok(())
}
