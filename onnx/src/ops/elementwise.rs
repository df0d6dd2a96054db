//! Sums and products of two features, or of a feature and a constant for each channel.

use nets::Op;

use super::view::NEARLY;
use super::{Outputs, feature};
use crate::array::{Array, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, Value, View};

/// What the two inputs of a node are.
enum Pair {
    Features,
    /// The place of the feature among the inputs, and the constant of each channel.
    Constant(usize, Vec<f32>),
}

fn pair<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<Pair, Fault> {
    let constant = |at: usize| match context.value(node, at) {
        Some(Value::Const(array)) => Some(array),
        _ => None,
    };
    let (place, array) = match (constant(0), constant(1)) {
        (None, None) => return Ok(Pair::Features),
        (Some(array), _) => (1, array),
        (_, Some(array)) => (0, array),
    };
    let dims = context.viewed(node, place)?.dims;
    Ok(Pair::Constant(place, per_channel(array, &dims)?))
}

/// A constant that is one number or one for each channel, as one for each channel.
fn per_channel(array: &Array, dims: &[usize]) -> Result<Vec<f32>, Fault> {
    let channels = dims.get(1).copied().unwrap_or(1);
    let fits = array.dims.len() <= dims.len() && {
        let missing = dims.len() - array.dims.len();
        let wanted = |axis: usize| if axis == 1 { channels } else { 1 };
        array
            .dims
            .iter()
            .enumerate()
            .all(|(i, &d)| d == wanted(missing + i))
    };
    match array.scalar() {
        Some(value) if array.dims.len() <= dims.len() => Ok(vec![value; channels]),
        _ if fits => Ok(array.floats()),
        _ => unsupported(format!("a constant of shape {}", show(&array.dims))),
    }
}

fn all_near(values: &[f32], wanted: f32) -> bool {
    values.iter().all(|v| (v - wanted).abs() < NEARLY)
}

pub(super) fn add<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Features => feature(sum_of(context, node, 0, 1)?),
        Pair::Constant(place, values) => shifted(context, node, place, &values),
    }
}

pub(super) fn sub<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Constant(0, values) => shifted(
            context,
            node,
            0,
            &values.iter().map(|v| -v).collect::<Vec<_>>(),
        ),
        _ => unsupported("of a computed tensor"),
    }
}

fn shifted<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    place: usize,
    values: &[f32],
) -> Outputs {
    let x = context.plain(node, place)?;
    let label = node.label();
    if all_near(values, 3.0) && !values.is_empty() {
        // A hard-sigmoid may follow.
        return feature(Feature {
            view: View::Ramp(1.0),
            label,
            ..x
        });
    }
    feature(affine(
        context,
        &label,
        x,
        &vec![1.0; values.len()],
        values,
    )?)
}

/// The sum of two inputs of the same shape.
fn sum_of<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    a: usize,
    b: usize,
) -> Result<Feature, Fault> {
    let (x, y) = (context.plain(node, a)?, context.plain(node, b)?);
    sum_features(context, node, &x, &y)
}

fn sum_features<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    y: &Feature,
) -> Result<Feature, Fault> {
    if x.dims != y.dims {
        return unsupported(format!("of {} and {}", show(&x.dims), show(&y.dims)));
    }
    let (shape, dims) = (context.shapes[x.node], x.dims.clone());
    Ok(context.emit_shaped(&node.label(), Op::Add, &[x.node, y.node], shape, Some(dims)))
}

pub(super) fn sum<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match node.proto.input.len() {
        0 => invalid("it has no inputs"),
        1 => feature(context.viewed(node, 0)?),
        2 => add(context, node),
        n => {
            let mut total = sum_of(context, node, 0, 1)?;
            for index in 2..n {
                let next = context.plain(node, index)?;
                total = sum_features(context, node, &total, &next)?;
            }
            feature(total)
        }
    }
}

pub(super) fn mul<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Features => product(context, node),
        Pair::Constant(place, values) => multiplied(context, node, place, &values),
    }
}

pub(super) fn div<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Constant(0, values) => {
            if values.contains(&0.0) {
                return invalid("it divides by zero");
            }
            let inverse: Vec<f32> = values.iter().map(|v| 1.0 / v).collect();
            multiplied(context, node, 0, &inverse)
        }
        _ => unsupported("by a computed tensor"),
    }
}

fn multiplied<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    place: usize,
    values: &[f32],
) -> Outputs {
    let x = context.viewed(node, place)?;
    let first = values.first().copied().unwrap_or(1.0);
    let uniform = values.iter().all(|v| v.to_bits() == first.to_bits());
    let label = node.label();
    match x.view {
        View::Ramp(factor) if uniform => feature(Feature {
            view: View::Ramp(factor * first),
            label,
            ..x
        }),
        View::Gate(scale) if uniform => feature(Feature {
            view: View::Gate(scale * first),
            label,
            ..x
        }),
        View::Swish(scale) if uniform => feature(Feature {
            view: View::Swish(scale * first),
            label,
            ..x
        }),
        _ => {
            let x = context.plain(node, place)?;
            feature(affine(
                context,
                &label,
                x,
                values,
                &vec![0.0; values.len()],
            )?)
        }
    }
}

/// The product of x and its own gate is a hard-swish; that of x and one number for each channel is a gated x.
fn product<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (a, b) = (context.viewed(node, 0)?, context.viewed(node, 1)?);
    for (x, gate) in [(&a, &b), (&b, &a)] {
        if let View::Gate(scale) = gate.view
            && (x.view, x.node) == (View::Plain, gate.node)
            && x.dims == gate.dims
        {
            let (view, label) = (View::Swish(scale), node.label());
            return feature(Feature {
                view,
                label,
                ..gate.clone()
            });
        }
    }
    let (a, b) = (context.plain(node, 0)?, context.plain(node, 1)?);
    let gates = |x: &Feature, g: &Feature| {
        let alike = g.dims.len() == x.dims.len() && g.dims.get(..2) == x.dims.get(..2);
        alike && g.dims.iter().skip(2).all(|&side| side == 1)
    };
    let (x, gate) = if gates(&a, &b) {
        (a, b)
    } else if gates(&b, &a) {
        (b, a)
    } else {
        return unsupported(format!("of {} and {}", show(&a.dims), show(&b.dims)));
    };
    let (shape, label) = (context.shapes[x.node], node.label());
    feature(context.emit_shaped(&label, Op::Gate, &[x.node, gate.node], shape, Some(x.dims)))
}

/// `factor * x + shift` for each channel. It goes into the operation before where that is possible, and
/// becomes a batch norm where it is not.
pub(super) fn affine(
    context: &mut Context<'_>,
    label: &str,
    x: Feature,
    factor: &[f32],
    shift: &[f32],
) -> Result<Feature, Fault> {
    let channels = factor.len();
    if context.shapes[x.node].channels != channels || channels == 0 {
        return unsupported("a constant per channel of something flattened");
    }
    let before = context.nodes[x.node].clone();
    match before.op {
        Op::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            eps,
        } if x.alone => {
            let old = |name: &str| context.tensors.tensor(name).map(|t| t.data().to_vec());
            let (g, b) = (old(&gamma)?, old(&beta)?);
            let g = g.iter().zip(factor).map(|(g, f)| g * f).collect();
            let b = b
                .iter()
                .zip(factor.iter().zip(shift))
                .map(|(b, (f, s))| b.mul_add(*f, *s));
            let b = b.collect();
            let gamma = context.own(label, "gamma", vec![channels], g)?;
            let beta = context.own(label, "beta", vec![channels], b)?;
            context.nodes[x.node].op = Op::BatchNorm {
                gamma,
                beta,
                mean,
                var,
                eps,
            };
            Ok(Feature {
                label: label.to_owned(),
                ..x
            })
        }
        op if x.alone && all_near(factor, 1.0) && op.linear().is_some() => {
            let old = match op.linear().and_then(|layer| layer.bias) {
                Some(name) => context.tensors.tensor(name)?.data().to_vec(),
                None => vec![0.0; channels],
            };
            let sum = old.iter().zip(shift).map(|(a, b)| a + b).collect();
            let new = context.own(label, "bias", vec![channels], sum)?;
            if let Some((_, bias)) = context.nodes[x.node].op.linear_parameters_mut() {
                *bias = Some(new);
            }
            Ok(Feature {
                label: label.to_owned(),
                ..x
            })
        }
        _ => {
            let mut own = |part, values| context.own(label, part, vec![channels], values);
            let op = Op::BatchNorm {
                gamma: own("gamma", factor.to_vec())?,
                beta: own("beta", shift.to_vec())?,
                mean: own("mean", vec![0.0; channels])?,
                var: own("var", vec![1.0; channels])?,
                eps: 0.0,
            };
            let dims = x.dims.clone();
            context.emit(label, op, &x, Some(dims))
        }
    }
}
