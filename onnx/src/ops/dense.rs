//! Products with constant matrices.

use nets::{Op, Window};

use super::elementwise::along_axes;
use super::{Outputs, feature};
use crate::array::{Array, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, Value};

pub(super) fn gemm<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node.int("transA", 0)? != 0 {
        return unsupported("transA");
    }
    let x = context.plain(node, 0)?;
    if x.dims().len() != 2 {
        return invalid(format!("its input has shape {}", show(x.dims())));
    }
    let transposed = node.int("transB", 0)? != 0;
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let weight = matrix(context, node, 1, transposed)?;
    let bias = match context.optional(node, 2)? {
        Some(bias) if beta != 0.0 => Some((bias, beta)),
        _ => None,
    };
    let outputs = weight.outputs;
    if x.dims()[0] == 1 {
        let bias = match bias {
            None => None,
            Some((bias, beta)) if bias.dims == [outputs] && is_one(beta) => {
                Some(context.parameter(node, 2, &[outputs])?)
            }
            Some((bias, beta)) => {
                let bias = bias.broadcast(&[1, outputs]).map_err(Fault::Invalid)?;
                let values = bias.floats().iter().map(|v| v * beta).collect();
                Some(context.own(&node.label(), "bias", vec![outputs], values)?)
            }
        };
        return feature(layer(context, node, &x, &weight, alpha, bias)?);
    }
    let y = rows(context, node, &x, 1, &weight, alpha)?;
    let Some((bias, beta)) = bias else {
        return feature(y);
    };
    let bias = bias.mapped(|v| v * beta);
    feature(along_axes(context, &node.label(), &y, None, Some(&bias))?)
}

/// A product without a bias. An addition behind it puts a bias into it.
pub(super) fn matmul<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let is_constant = |at| matches!(context.value(node, at), Some(Value::Const(_)));
    match (is_constant(0), is_constant(1)) {
        (false, true) => {
            let x = context.plain(node, 0)?;
            let weight = matrix(context, node, 1, false)?;
            if x.layout.len() == weight.inputs && x.dims().last() == Some(&weight.inputs) {
                let y = layer(context, node, &x, &weight, 1.0, None)?;
                let mut dims = x.dims().to_vec();
                if let Some(last) = dims.last_mut() {
                    *last = weight.outputs;
                }
                return feature(shaped(y, dims)?);
            }
            let last = axis(-1, x.dims().len())?;
            feature(rows(context, node, &x, last, &weight, 1.0)?)
        }
        (true, false) => {
            let x = context.plain(node, 1)?;
            let weight = matrix(context, node, 0, true)?;
            let at = axis(-2, x.dims().len())?;
            feature(rows(context, node, &x, at, &weight, 1.0)?)
        }
        _ => unsupported("of two computed tensors, as in attention"),
    }
}

fn is_one(v: f32) -> bool {
    v.to_bits() == 1_f32.to_bits()
}

/// A constant matrix.
struct Matrix {
    /// Which input of the node.
    index: usize,
    /// Whether it is stored as `[out, in]`.
    transposed: bool,
    outputs: usize,
    inputs: usize,
}

fn matrix<'a>(
    context: &Context<'a>,
    node: &Node<'a>,
    index: usize,
    transposed: bool,
) -> Result<Matrix, Fault> {
    let weight = context.constant(node, index)?;
    let (outputs, inputs) = match weight.dims[..] {
        [outputs, inputs] if transposed => (outputs, inputs),
        [inputs, outputs] => (outputs, inputs),
        _ => return unsupported(format!("a weight of shape {}", show(&weight.dims))),
    };
    Ok(Matrix {
        index,
        transposed,
        outputs,
        inputs,
    })
}

impl Matrix {
    /// The name of its values as `[out, in]`, times a factor, with the columns at these places.
    fn parameter<'a>(
        &self,
        context: &mut Context<'a>,
        node: &Node<'a>,
        factor: f32,
        places: Option<&[usize]>,
        shape: Vec<usize>,
    ) -> Result<String, Fault> {
        if self.transposed && is_one(factor) && places.is_none() && shape.len() == 2 {
            return context.parameter(node, self.index, &shape);
        }
        let array = context.constant(node, self.index)?;
        let array: &Array = &array;
        let old = array.floats();
        let mut values = vec![0.0; old.len()];
        for output in 0..self.outputs {
            let row = &mut values[output * self.inputs..][..self.inputs];
            for input in 0..self.inputs {
                let from = if self.transposed {
                    output * self.inputs + input
                } else {
                    input * self.outputs + output
                };
                row[places.map_or(input, |places| places[input])] = factor * old[from];
            }
        }
        context.own(&node.label(), "weight", shape, values)
    }

    fn check(&self, x: &Feature, along: usize) -> Result<(), Fault> {
        if x.dims()[along] == self.inputs {
            return Ok(());
        }
        let (outputs, inputs, x) = (self.outputs, self.inputs, show(x.dims()));
        invalid(format!(
            "a weight of {outputs} by {inputs} does not take {x}"
        ))
    }
}

/// A fully connected layer of all values of a tensor, whose last axis they are. Values in another order are a
/// permutation of the weights.
fn layer<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    weight: &Matrix,
    factor: f32,
    bias: Option<String>,
) -> Result<Feature, Fault> {
    weight.check(x, x.dims().len() - 1)?;
    let label = node.label();
    let places = (!x.layout.is_row_major()).then(|| x.layout.places());
    let shape = vec![weight.outputs, weight.inputs];
    let name = weight.parameter(context, node, factor, places.as_deref(), shape)?;
    let stored = Feature {
        layout: crate::layout::Layout::row_major(vec![1, x.layout.len()]),
        ..x.clone()
    };
    let vector = context.vector(&label, &stored)?;
    let op = Op::Linear {
        out_features: weight.outputs,
        weight: name,
        bias,
    };
    let y = context.emit(&label, op, &vector)?;
    shaped(y, vec![1, weight.outputs])
}

fn shaped(x: Feature, dims: Vec<usize>) -> Result<Feature, Fault> {
    match x.layout.reshaped(&dims) {
        Some(layout) => Ok(Feature { layout, ..x }),
        None => invalid("its shape does not fit"),
    }
}

/// A product with each row along an axis, which is a convolution by 1x1 whose channels are that axis.
fn rows<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    along: usize,
    weight: &Matrix,
    factor: f32,
) -> Result<Feature, Fault> {
    weight.check(x, along)?;
    let label = node.label();
    let x = context.led(&label, x, &[along])?;
    let shape = vec![weight.outputs, weight.inputs, 1, 1];
    let name = weight.parameter(context, node, factor, None, shape)?;
    let op = Op::Conv2d {
        out_channels: weight.outputs,
        groups: 1,
        window: Window::square(1, 1, 0),
        weight: name,
        bias: None,
    };
    let y = context.emit(&label, op, &x)?;
    Ok(y.with_side(&x, along, weight.outputs))
}
