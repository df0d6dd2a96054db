//! Quantised tensors: weights become floats again, and a pair of operators around an activation rounds it to a grid.

use std::rc::Rc;

use nets::Op;

use super::{Outputs, feature};
use crate::array::{Array, Data, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Form, Value};

/// Scale and zero of a quantised activation.
struct Grid {
    scale: f32,
    zero: i64,
}

fn grid<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<Grid, Fault> {
    let scale = context.constant(node, 1)?;
    let Some(scale) = scale.scalar() else {
        return unsupported(format!("with scales of shape {}", show(&scale.dims)));
    };
    let zero = match context.optional(node, 2)? {
        None => 0,
        Some(zero) => match zero.as_ints() {
            Some(&[zero]) => zero,
            _ => return unsupported("with several zero points"),
        },
    };
    if !(scale.is_normal() && scale > 0.0) {
        return invalid("its scale is not above zero");
    }
    Ok(Grid { scale, zero })
}

/// An activation as integers. What they stand for is computed at once, and only a `DequantizeLinear` of the same scale
/// takes them.
pub(super) fn quantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node.int("block_size", 0)? != 0 {
        return unsupported("in blocks");
    }
    if let Some(Value::Const(_)) = context.value(node, 0) {
        let inputs = (0..3).map(|index| context.optional(node, index));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        return super::constant(quantized(node, &inputs, range(context, node)?)?);
    }
    let x = context.plain(node, 0)?;
    let Grid { scale, zero } = grid(context, node)?;
    let (low, high) = range(context, node)?;
    if !(low..=high).contains(&zero) {
        return invalid("its zero point is none of its integers");
    }
    let op = Op::Quantise {
        scale: scale.into(),
        low: low - zero,
        high: high - zero,
    };
    let y = context.emit(&node.label(), op, &x)?;
    let form = Form::Quantised { scale, zero };
    feature(y.with(form, 1.0, 0.0, node.label()))
}

/// The least and the greatest integer of the output.
fn range<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<(i64, i64), Fault> {
    let kind = match node.int("output_dtype", 0)? {
        0 if node.input(2).is_some() => context.kind_of(node, 2),
        // The default is unsigned bytes.
        0 => Some(2),
        given => i32::try_from(given).ok(),
    };
    Ok(match kind {
        Some(2) => (0, 255),
        Some(3) => (-128, 127),
        Some(4) => (0, 65_535),
        Some(5) => (-32_768, 32_767),
        _ => return unsupported("to a type that is not 8 or 16 bits"),
    })
}

/// Integers as floats.
pub(super) fn dequantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if let Some(Value::Const(_)) = context.value(node, 0) {
        let inputs = (0..3).map(|index| context.optional(node, index));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        return super::constant(dequantized(node, &inputs)?);
    }
    let x = context.viewed(node, 0)?;
    let Form::Quantised { scale, zero } = x.form else {
        return unsupported("of something that was not quantised just before");
    };
    let grid = grid(context, node)?;
    if (grid.scale.to_bits(), grid.zero) != (scale.to_bits(), zero) {
        return unsupported("with another scale or zero point than it was quantised with");
    }
    let label = node.label();
    feature(x.with(Form::Itself, 1.0, 0.0, label))
}

/// An operator of integers that was not understood when the file was read.
pub(super) fn integers<'a>(_: &mut Context<'a>, _: &Node<'a>) -> Outputs {
    unsupported(
        "that lacks a scale, has an alpha, its channels last or a name of more than 512 bytes, or is part of an If",
    )
}

/// A constant as integers, which the file holds as floats.
#[expect(clippy::cast_possible_truncation, reason = "casts saturate")]
fn quantized(
    node: &Node<'_>,
    inputs: &[Option<Rc<Array>>],
    (low, high): (i64, i64),
) -> Result<Array, Fault> {
    let (x, scales, zeros, at) = along(node, inputs)?;
    let integer = |(i, v): (usize, f32)| {
        let level = (v / scales[at(i)]).round_ties_even() as i64;
        level.saturating_add(zeros[at(i)]).clamp(low, high)
    };
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Int(x.floats().into_iter().enumerate().map(integer).collect()),
    })
}

/// Constant integers as floats.
#[expect(
    clippy::cast_precision_loss,
    reason = "the integers have at most 32 bits"
)]
pub(super) fn dequantized(node: &Node<'_>, inputs: &[Option<Rc<Array>>]) -> Result<Array, Fault> {
    let (x, scales, zeros, at) = along(node, inputs)?;
    let Some(values) = x.as_ints() else {
        return invalid("its input is not of integers");
    };
    let value = |(i, &v): (usize, &i64)| v.saturating_sub(zeros[at(i)]) as f32 * scales[at(i)];
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Float(values.iter().enumerate().map(value).collect()),
    })
}

/// A constant with its scales and zero points, one for all or one for each place of an axis, and which of them an
/// element has.
#[expect(clippy::type_complexity, reason = "four parts of one thing")]
fn along<'i>(
    node: &Node<'_>,
    inputs: &'i [Option<Rc<Array>>],
) -> Result<(&'i Array, Vec<f32>, Vec<i64>, impl Fn(usize) -> usize), Fault> {
    let (Some(Some(x)), Some(Some(scale))) = (inputs.first(), inputs.get(1)) else {
        return invalid("it lacks an input");
    };
    if node.int("block_size", 0)? != 0 {
        return unsupported("in blocks");
    }
    let zero = inputs.get(2).and_then(Option::as_deref);
    let zeros = match zero.map(Array::as_ints) {
        None => vec![0; scale.len()],
        Some(Some(zeros)) => zeros.to_vec(),
        Some(None) => return invalid("its zero point is not of integers"),
    };
    let scales = scale.floats();
    let good = |s: &f32| s.is_normal() && *s > 0.0;
    if zeros.len() != scales.len() || !scales.iter().all(good) {
        return invalid("its scales and zero points do not fit together");
    }
    let (side, inner) = if scales.len() == 1 {
        (1, x.len().max(1))
    } else {
        let along = axis(node.int("axis", 1)?, x.dims.len())?;
        (
            x.dims[along],
            x.dims[along + 1..].iter().product::<usize>().max(1),
        )
    };
    if side != scales.len() {
        return invalid("its scales do not fit its input");
    }
    Ok((x, scales, zeros, move |i: usize| i / inner % side))
}
