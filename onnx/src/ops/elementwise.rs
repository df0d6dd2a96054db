//! Sums, products and extremes of tensors, one of which may be constant.

use std::rc::Rc;

use nets::Op;

use super::form::{self, near, scaled};
use super::product::{added, product, sum as sum_of};
use super::{Outputs, feature};
use crate::array::{Array, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::layout::broadcast;
use crate::node::Node;
use crate::value::{Feature, Form, Value};

/// What the two inputs of a node are.
enum Pair {
    Features,
    /// The place of the feature among the inputs, and the constant.
    Constant(usize, Rc<Array>),
}

fn pair<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<Pair, Fault> {
    let constant = |at: usize| match context.value(node, at) {
        Some(Value::Const(array)) => Some(Rc::clone(array)),
        _ => None,
    };
    match (constant(0), constant(1)) {
        (None, None) => Ok(Pair::Features),
        (Some(array), _) => Ok(Pair::Constant(1, array)),
        (_, Some(array)) => Ok(Pair::Constant(0, array)),
    }
}

pub(super) fn add<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Features => sum_of(context, node, 0, 1),
        Pair::Constant(place, shift) => mapped(context, node, place, None, Some(&shift)),
    }
}

pub(super) fn sub<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Features => {
            let x = context.plain(node, 0)?;
            let y = negated(context, node, 1)?;
            feature(added(context, &node.label(), &x, &y)?)
        }
        Pair::Constant(0, shift) => mapped(context, node, 0, None, Some(&shift.mapped(|v| -v))),
        Pair::Constant(place, shift) => {
            let minus = Array::number(-1.0);
            mapped(context, node, place, Some(&minus), Some(&shift))
        }
    }
}

/// −x, with nothing left to be computed.
fn negated<'a>(context: &mut Context<'a>, node: &Node<'a>, index: usize) -> Result<Feature, Fault> {
    let x = context.viewed(node, index)?;
    let x = scaled(context, x, -1.0, 0.0, node.label())?;
    form::realize(context, x)
}

pub(super) fn neg<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    feature(scaled(context, x, -1.0, 0.0, node.label())?)
}

pub(super) fn sum<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match node.proto.input.len() {
        0 => invalid("it has no inputs"),
        1 => feature(context.viewed(node, 0)?),
        2 => add(context, node),
        n => {
            let mut total = context.plain(node, 0)?;
            for index in 1..n {
                let next = context.plain(node, index)?;
                total = added(context, &node.label(), &total, &next)?;
            }
            feature(total)
        }
    }
}

/// The mean of several tensors.
pub(super) fn mean<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let count = node.proto.input.len();
    let total = sum(context, node)?.into_iter().next();
    let Some(Value::Feature(total)) = total else {
        return invalid("it has no inputs");
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of inputs")]
    let factor = 1.0 / count as f64;
    feature(scaled(context, total, factor, 0.0, node.label())?)
}

pub(super) fn mul<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Features => product(context, node),
        Pair::Constant(place, factor) => mapped(context, node, place, Some(&factor), None),
    }
}

pub(super) fn div<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    match pair(context, node)? {
        Pair::Constant(0, divisor) => {
            if divisor.floats().contains(&0.0) {
                return invalid("it divides by zero");
            }
            mapped(context, node, 0, Some(&divisor.mapped(|v| 1.0 / v)), None)
        }
        Pair::Constant(place, dividend) => {
            let (x, one) = (context.viewed(node, place)?, dividend.scalar());
            match (form::reciprocal(&x, &node.label()), one) {
                (Some(y), Some(one)) => feature(scaled(context, y, one.into(), 0.0, node.label())?),
                _ => unsupported("by a computed tensor"),
            }
        }
        Pair::Features => {
            // x / (1 + e^−x), as some write SiLU.
            let (x, y) = (context.viewed(node, 0)?, context.viewed(node, 1)?);
            let label = node.label();
            let quotient = form::reciprocal(&y, &label).and_then(|y| form::product(&x, &y, &label));
            quotient.map_or_else(|| unsupported("by a computed tensor"), feature)
        }
    }
}

pub(super) fn reciprocal<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    form::reciprocal(&x, &node.label()).map_or_else(|| unsupported("of a computed tensor"), feature)
}

/// The larger or the smaller one, value by value: max(a, b) = a + ReLU(b − a), min(a, b) = a − ReLU(a − b).
fn extreme<'a>(context: &mut Context<'a>, node: &Node<'a>, largest: bool) -> Outputs {
    let count = node.proto.input.len();
    if count == 0 {
        return invalid("it has no inputs");
    }
    if count == 2
        && let Pair::Constant(place, bound) = pair(context, node)?
    {
        let bounds = |v: f32| {
            if largest {
                (Some(v), None)
            } else {
                (None, Some(v))
            }
        };
        if let Some(bound) = bound.scalar() {
            let x = context.viewed(node, place)?;
            let (low, high) = bounds(bound);
            let x = clipped(context, node, x, low, high)?;
            let dims =
                broadcast(x.dims(), &vec![1; pair_rank(context, node)]).map_err(Fault::Invalid)?;
            return feature(context.raised(&x, dims.len())?);
        }
        return unsupported("of a constant that is not one number");
    }
    let label = node.label();
    let mut best = context.plain(node, 0)?;
    for index in 1..count {
        let mut next = context.plain(node, index)?;
        // It is taken twice, so nothing may change it.
        best.alone = false;
        next.alone &= largest;
        let (more, less) = if largest {
            (next, best.clone())
        } else {
            (best.clone(), next)
        };
        let less = scaled(context, less, -1.0, 0.0, label.clone())?;
        let less = form::realize(context, less)?;
        let difference = added(context, &label, &more, &less)?;
        let mut over = context.emit(&label, Op::Relu, &difference)?;
        if !largest {
            over = context.emit(&label, Op::Neg, &over)?;
        }
        best = added(context, &label, &best, &over)?;
    }
    feature(best)
}

fn pair_rank<'a>(context: &Context<'a>, node: &Node<'a>) -> usize {
    let rank = |at| match context.value(node, at) {
        Some(Value::Const(array)) => array.dims.len(),
        Some(Value::Feature(x)) => x.dims().len(),
        _ => 0,
    };
    rank(0).max(rank(1))
}

pub(super) fn max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    extreme(context, node, true)
}

pub(super) fn min<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    extreme(context, node, false)
}

/// x, but no less than `low` and no more than `high`: a `ReLU`, the gate of a hard-sigmoid, or any other bounds.
pub(super) fn clipped<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: Feature,
    low: Option<f32>,
    high: Option<f32>,
) -> Result<Feature, Fault> {
    let label = node.label();
    if low.is_some_and(f32::is_nan) || high.is_some_and(f32::is_nan) {
        return invalid("its bound is no number");
    }
    let low = low.filter(|&v| v > f32::MIN);
    let high = high.filter(|&v| v < f32::MAX);
    if let (Some(low), Some(high)) = (low, high)
        && low >= high
    {
        return unsupported(format!("to {low}..{high}, which leaves one value"));
    }
    if let (Form::Itself, Some(0.0), Some(high)) = (x.form, low, high)
        && x.scale > 0.0
        && near(x.shift, 3.0 * x.scale)
        && near(high.into(), 6.0 * x.scale)
    {
        return Ok(x.with(Form::Gate, high.into(), 0.0, label));
    }
    // Zeros around the image stay zeros.
    let zero = low.is_none_or(|low| low <= 0.0) && high.is_none_or(|high| high >= 0.0);
    if let (Form::Padded(_, 0.0), true) = (x.form, zero && x.is_unscaled()) {
        let (form, layout) = (x.form, x.layout.clone());
        let y = context.emit(&label, clip_of(low, high), &x)?;
        return Ok(Feature { layout, ..y }.with(form, 1.0, 0.0, label));
    }
    let x = form::realize(context, x)?;
    if low.is_none() && high.is_none() {
        return Ok(x);
    }
    context.emit(&label, clip_of(low, high), &x)
}

fn clip_of(low: Option<f32>, high: Option<f32>) -> Op {
    match (low, high) {
        (Some(0.0), None) => Op::Relu,
        (Some(0.0), Some(top)) => Op::Clip { top: top.into() },
        (low, high) => Op::Clamp {
            low: low.map(f64::from),
            high: high.map(f64::from),
        },
    }
}

/// `factor · x + shift` with constants of any shape that is broadcast to that of x, or to which x is broadcast.
fn mapped<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    place: usize,
    factor: Option<&Array>,
    shift: Option<&Array>,
) -> Outputs {
    let x = context.viewed(node, place)?;
    let given = [factor, shift].into_iter().flatten();
    let mut dims = x.dims().to_vec();
    for array in given {
        dims = broadcast(&dims, &array.dims).map_err(Fault::Invalid)?;
    }
    let label = node.label();
    let number = |array: Option<&Array>, default: f32| match array {
        None => Some(default),
        Some(array) => array.uniform(),
    };
    if dims.iter().product::<usize>() == x.layout.len()
        && let (Some(factor), Some(shift)) = (number(factor, 1.0), number(shift, 0.0))
    {
        let rank = dims.len();
        let x = scaled(context, x, factor.into(), shift.into(), label)?;
        return feature(context.raised(&x, rank)?);
    }
    let x = context.plain(node, place)?;
    let x = context.expanded(&label, &x, &dims)?;
    feature(along_axes(context, &label, &x, factor, shift)?)
}

/// `factor · x + shift` with constants that vary along some axes of a plain tensor. Unless these are among the channels
/// of its node, they become so.
pub(super) fn along_axes(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    factor: Option<&Array>,
    shift: Option<&Array>,
) -> Result<Feature, Fault> {
    if let (None, Some(shift)) = (factor, shift)
        && channel_axes(context, x, &[Some(shift)]).is_none()
    {
        return shifted_by_map(context, label, x, shift);
    }
    let (x, axes) = with_channels(context, label, x, &[factor, shift])?;
    let filled = |array: Option<&Array>, default: f32| -> Result<Vec<f32>, Fault> {
        match array {
            None => Ok(vec![default; context.shapes[x.node].channels]),
            Some(array) => per_channel(array, &x, &axes),
        }
    };
    let (factor, shift) = (filled(factor, 1.0)?, filled(shift, 0.0)?);
    affine(context, label, x, &factor, &shift)
}

/// `x + shift` with a constant that differs from place to place.
fn shifted_by_map(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    shift: &Array,
) -> Result<Feature, Fault> {
    let order = x.layout.by_stride();
    let map = shift.broadcast(x.dims()).map_err(Fault::Invalid)?;
    let map = map.transposed(&order).map_err(Fault::Invalid)?;
    let shape = context.shapes[x.node];
    let sides = vec![shape.channels, shape.height, shape.width];
    let map = context.own(label, "map", sides, map.floats())?;
    context.emit(label, Op::AddMap { map }, x)
}

/// The axes that are the channels of the tensor's node, in the order of their strides, if the constants vary along no
/// other axis.
fn channel_axes(
    context: &Context<'_>,
    x: &Feature,
    constants: &[Option<&Array>],
) -> Option<Vec<usize>> {
    let shape = context.shapes[x.node];
    let order = x.layout.by_stride();
    let longer = order.into_iter().filter(|&axis| x.dims()[axis] > 1);
    let (channels, plane): (Vec<usize>, Vec<usize>) =
        longer.partition(|&axis| x.layout.stride(axis) >= shape.plane());
    let filled: usize = channels.iter().map(|&axis| x.dims()[axis]).product();
    let varies = plane.iter().any(|&axis| varies(x, constants, axis));
    (filled == shape.channels && !varies).then_some(channels)
}

/// Whether constants differ along an axis of a tensor to which they are broadcast.
fn varies(x: &Feature, constants: &[Option<&Array>], axis: usize) -> bool {
    constants.iter().flatten().any(|array| {
        let at = (axis + array.dims.len()).checked_sub(x.dims().len());
        at.is_some_and(|at| array.dims[at] > 1)
    })
}

/// The tensor as the output of a node whose channels are certain axes, along which the constants vary and maybe no other;
/// and these axes, in the order of their strides.
pub(super) fn with_channels(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    constants: &[Option<&Array>],
) -> Result<(Feature, Vec<usize>), Fault> {
    if let Some(channels) = channel_axes(context, x, constants) {
        return Ok((x.clone(), channels));
    }
    let mut axes = x.layout.by_stride();
    axes.retain(|&axis| x.dims()[axis] > 1 && varies(x, constants, axis));
    Ok((context.led(label, x, &axes)?, axes))
}

/// The values of a constant for each channel, which are these axes of the tensor.
pub(super) fn per_channel(array: &Array, x: &Feature, axes: &[usize]) -> Result<Vec<f32>, Fault> {
    let rank = x.dims().len();
    let mut dims = vec![1; rank];
    axes.iter().for_each(|&axis| dims[axis] = x.dims()[axis]);
    let missing = rank.checked_sub(array.dims.len());
    let Some(missing) = missing else {
        return unsupported(format!("a constant of shape {}", show(&array.dims)));
    };
    let raised = [vec![1; missing], array.dims.clone()].concat();
    let array = array.reshaped(raised).map_err(Fault::Invalid)?;
    let array = array.broadcast(&dims).map_err(Fault::Invalid)?;
    let others = (0..rank).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = axes.iter().copied().chain(others).collect();
    Ok(array.transposed(&order).map_err(Fault::Invalid)?.floats())
}

fn all_near(values: &[f32], wanted: f32) -> bool {
    values.iter().all(|v| (v - wanted).abs() < 1e-5)
}

/// `factor * x + shift` for each channel of x's node. It goes into the operation before where that is possible, and
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
        return invalid("its constant has another number of channels");
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
            context.emit(label, op, &x)
        }
    }
}
