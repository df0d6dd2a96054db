//! Products and sums of two tensors that are both computed from the image.

use nets::Op;

use super::form;
use super::{Outputs, feature};
use crate::context::Context;
use crate::error::Fault;
use crate::layout::{Layout, broadcast};
use crate::node::Node;
use crate::value::Feature;

/// The sum of two inputs, one or both of them repeated where they are shorter.
pub(super) fn sum<'a>(context: &mut Context<'a>, node: &Node<'a>, a: usize, b: usize) -> Outputs {
    let (x, y) = (context.viewed(node, a)?, context.viewed(node, b)?);
    if let Some(sum) = form::sum(&x, &y, &node.label()) {
        return feature(sum);
    }
    let (x, y) = (context.plain(node, a)?, context.plain(node, b)?);
    feature(added(context, &node.label(), &x, &y)?)
}

/// The sum of two plain tensors.
pub(super) fn added(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    y: &Feature,
) -> Result<Feature, Fault> {
    let (x, y) = alike(context, label, x, y)?;
    let sum = context.emit_joined(label, Op::Add, &[x.node, y.node])?;
    Ok(Feature {
        layout: x.layout,
        ..sum
    })
}

/// Two plain tensors as nodes of one shape that have their values in one order.
fn alike(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    y: &Feature,
) -> Result<(Feature, Feature), Fault> {
    let dims = broadcast(x.dims(), y.dims()).map_err(Fault::Invalid)?;
    let x = context.expanded(label, x, &dims)?;
    let y = context.expanded(label, y, &dims)?;
    let shape = context.shapes[x.node];
    let y = context.arranged(label, &y, &x.layout.by_stride(), shape)?;
    Ok((x, y))
}

pub(super) fn product<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, y) = (context.viewed(node, 0)?, context.viewed(node, 1)?);
    if let Some(product) = form::product(&x, &y, &node.label()) {
        return feature(product);
    }
    let (x, y) = (context.plain(node, 0)?, context.plain(node, 1)?);
    let dims = broadcast(x.dims(), y.dims()).map_err(Fault::Invalid)?;
    let (x, y) = (
        context.raised(&x, dims.len())?,
        context.raised(&y, dims.len())?,
    );
    let label = node.label();
    // The smaller one is the gate.
    let (x, gate) = if x.layout.len() < y.layout.len() {
        (y, x)
    } else {
        (x, y)
    };
    let x = context.expanded(&label, &x, &dims)?;
    feature(gated(context, &label, &x, &gate)?)
}

/// The product of a plain tensor and one of as many axes, each as long as the tensor's or of length one. The axes along
/// which the gate varies become channels.
pub(super) fn gated(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    gate: &Feature,
) -> Result<Feature, Fault> {
    let order = x.layout.by_stride();
    let varies: Vec<usize> = (order.iter().copied())
        .filter(|&axis| gate.dims()[axis] > 1)
        .collect();
    let x = context.led(label, x, &varies)?;
    let others = (0..gate.dims().len()).filter(|axis| !varies.contains(axis));
    let first: Vec<usize> = varies.iter().copied().chain(others).collect();
    let channels = nets::Shape::vector(gate.layout.len());
    let gate = context.arranged(label, gate, &first, channels)?;
    let product = context.emit_joined(label, Op::Gate, &[x.node, gate.node])?;
    let layout: Layout = x.layout;
    Ok(Feature { layout, ..product })
}
