//! Quantised tensors: weights become floats again, and a pair of operators around an activation becomes a clip.

use std::rc::Rc;

use super::elementwise::clipped;
use super::{Outputs, feature};
use crate::array::{Array, Data, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Form, Value};

/// Scale and zero of a quantised activation, and whether it has a sign.
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
    if !(scale.is_finite() && scale > 0.0) {
        return invalid("its scale is not above zero");
    }
    Ok(Grid { scale, zero })
}

/// An activation as integers. They must become floats again at once.
pub(super) fn quantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let Grid { scale, zero } = grid(context, node)?;
    let kind = match node.int("output_dtype", 0)? {
        0 => context.kind_of(node, 2),
        given => i32::try_from(given).ok(),
    };
    // The default is unsigned bytes.
    let (low, high) = match kind.unwrap_or(2) {
        2 => (0, 255),
        3 => (-128, 127),
        4 => (0, 65_535),
        5 => (-32_768, 32_767),
        _ => return unsupported("to a type that is not 8 or 16 bits"),
    };
    let form = Form::Quantised {
        scale,
        zero,
        low,
        high,
    };
    feature(x.with(form, 1.0, 0.0, node.label()))
}

/// Integers as floats.
#[expect(clippy::cast_precision_loss, reason = "at most 16 bits")]
pub(super) fn dequantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if let Some(Value::Const(_)) = context.value(node, 0) {
        let inputs = (0..3).map(|index| context.optional(node, index));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        return super::constant(dequantized(node, &inputs)?);
    }
    let x = context.viewed(node, 0)?;
    let Form::Quantised {
        scale,
        zero,
        low,
        high,
    } = x.form
    else {
        return unsupported("of something that was not quantised just before");
    };
    let grid = grid(context, node)?;
    if (grid.scale.to_bits(), grid.zero) != (scale.to_bits(), zero) {
        return unsupported("with another scale or zero point than it was quantised with");
    }
    context.note(
        "activations are clipped to the ranges of the file's 8-bit integers, and not rounded to these: results differ by that rounding",
    );
    let real = |v: i64| (v - zero) as f32 * scale;
    let label = node.label();
    let x = x.with(Form::Itself, 1.0, 0.0, label);
    feature(clipped(
        context,
        node,
        x,
        Some(real(low)),
        Some(real(high)),
    )?)
}

/// Constant integers as floats: one scale for all, or one for each place of an axis.
#[expect(
    clippy::cast_precision_loss,
    reason = "the integers have at most 32 bits"
)]
pub(super) fn dequantized(node: &Node<'_>, inputs: &[Option<Rc<Array>>]) -> Result<Array, Fault> {
    let (Some(Some(x)), Some(Some(scale))) = (inputs.first(), inputs.get(1)) else {
        return invalid("it lacks an input");
    };
    let Some(values) = x.as_ints() else {
        return invalid("its input is not of integers");
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
    if zeros.len() != scales.len() {
        return invalid("its scales and zero points do not fit together");
    }
    let (side, inner) = if scales.len() == 1 {
        (1, values.len().max(1))
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
    let value = |(i, &v): (usize, &i64)| {
        let at = i / inner % side;
        v.saturating_sub(zeros[at]) as f32 * scales[at]
    };
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Float(values.iter().enumerate().map(value).collect()),
    })
}
