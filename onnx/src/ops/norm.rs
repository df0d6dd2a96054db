//! Batch normalisation.

use nets::Op;

use super::{Outputs, feature};
use crate::context::Context;
use crate::error::unsupported;
use crate::node::Node;

pub(super) fn batch<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node.int("training_mode", 0)? != 0 {
        return unsupported("in training mode");
    }
    let x = context.plain(node, 0)?;
    let eps = f64::from(node.float("epsilon", 1e-5)?);
    if !eps.is_finite() || eps < 0.0 {
        return crate::error::invalid("its epsilon is no small number");
    }
    let channels = [x.dims[1]];
    let op = Op::BatchNorm {
        gamma: context.parameter(node, 1, &channels)?,
        beta: context.parameter(node, 2, &channels)?,
        mean: context.parameter(node, 3, &channels)?,
        var: context.parameter(node, 4, &channels)?,
        eps,
    };
    let dims = x.dims.clone();
    feature(context.emit(&node.label(), op, &x, Some(dims))?)
}
