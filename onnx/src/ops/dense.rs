//! Fully connected layers.

use nets::Op;

use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::Feature;

pub(super) fn gemm<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = vector(context, node)?;
    if node.int("transA", 0)? != 0 {
        return unsupported("transA");
    }
    let transposed = node.int("transB", 0)? != 0;
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let (weight, outputs) = weight(context, node, &x, transposed, alpha)?;
    let bias = match context.optional(node, 2)? {
        None => None,
        Some(bias) if bias.dims == [outputs] && beta.to_bits() == 1_f32.to_bits() => {
            Some(context.parameter(node, 2, &[outputs])?)
        }
        Some(bias) => {
            let bias = bias.broadcast(&[1, outputs]).map_err(Fault::Invalid)?;
            let values = bias.floats().iter().map(|v| v * beta).collect();
            Some(context.own(&node.label(), "bias", vec![outputs], values)?)
        }
    };
    linear(context, node, &x, weight, bias, outputs)
}

/// A product without a bias. An addition behind it puts a bias into it.
pub(super) fn matmul<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = vector(context, node)?;
    let (weight, outputs) = weight(context, node, &x, false, 1.0)?;
    linear(context, node, &x, weight, None, outputs)
}

fn vector<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Result<Feature, Fault> {
    let x = context.plain(node, 0)?;
    if x.dims.len() == 2 {
        Ok(x)
    } else {
        unsupported(format!("of shape {}", show(&x.dims)))
    }
}

/// The weight as `[out, in]`, and how many outputs it has.
fn weight<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    transposed: bool,
    factor: f32,
) -> Result<(String, usize), Fault> {
    let weight = context.constant(node, 1)?;
    let (outputs, inputs) = match weight.dims[..] {
        [outputs, inputs] if transposed => (outputs, inputs),
        [inputs, outputs] => (outputs, inputs),
        _ => return unsupported(format!("a weight of shape {}", show(&weight.dims))),
    };
    if inputs != x.dims[1] {
        let (weight, x) = (show(&weight.dims), show(&x.dims));
        return invalid(format!("a weight of shape {weight} does not take {x}"));
    }
    let shape = [outputs, inputs];
    if transposed && factor.to_bits() == 1_f32.to_bits() {
        return Ok((context.parameter(node, 1, &shape)?, outputs));
    }
    let values = if transposed {
        weight.floats()
    } else {
        weight.transposed(&[1, 0]).map_err(Fault::Invalid)?.floats()
    };
    let values = values.iter().map(|v| v * factor).collect();
    Ok((
        context.own(&node.label(), "weight", shape.to_vec(), values)?,
        outputs,
    ))
}

fn linear(
    context: &mut Context<'_>,
    node: &Node<'_>,
    x: &Feature,
    weight: String,
    bias: Option<String>,
    outputs: usize,
) -> Outputs {
    let op = Op::Linear {
        out_features: outputs,
        weight,
        bias,
    };
    feature(context.emit(&node.label(), op, x, Some(vec![1, outputs]))?)
}
