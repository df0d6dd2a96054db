//! Pairs of `QuantizeLinear` and `DequantizeLinear`: the grids of networks that were quantised before.

use nets::Op;
use rten_onnx::onnx::DataType;

use super::fold::{Inputs, input};
use super::{Outputs, constant, feature};
use crate::array::{Array, Data};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, Value, View};

/// What an integer of a tensor stands for: scale · (integer − zero), for integers from `low` to `high`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Levels {
    scale: f32,
    zero: i64,
    low: i64,
    high: i64,
}

/// Rounds a tensor to a grid. What its integers stand for is computed at once, and only a `DequantizeLinear` of the
/// same scale takes them.
pub(super) fn quantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if let Some(Value::Const(_)) = context.value(node, 0) {
        let inputs = (0..node.proto.input.len()).map(|i| context.optional(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, Fault>>()?;
        return constant(quantized(node, &inputs, range(context, node)?)?);
    }
    let levels = levels(context, node)?;
    let x = context.plain(node, 0)?;
    let op = Op::Quantise {
        scale: levels.scale.into(),
        low: levels.low - levels.zero,
        high: levels.high - levels.zero,
    };
    let dims = x.dims.clone();
    let y = context.emit(&node.label(), op, &x, Some(dims))?;
    feature(Feature {
        view: View::Levels(levels),
        label: node.label(),
        ..y
    })
}

/// Reads the integers of a grid as numbers again.
pub(super) fn dequantize<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    let View::Levels(levels) = x.view else {
        return unsupported("of what is not the output of QuantizeLinear");
    };
    let (scale, zero) = scale_and_zero(context, node)?;
    if scale.to_bits() != levels.scale.to_bits() || zero != levels.zero {
        return unsupported("by another scale or zero point than its QuantizeLinear");
    }
    feature(Feature {
        view: View::Plain,
        label: node.label(),
        ..x
    })
}

/// The grid of a `QuantizeLinear`.
fn levels<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<Levels, Fault> {
    let (scale, zero) = scale_and_zero(context, node)?;
    let (low, high) = range(context, node)?;
    if !(low..=high).contains(&zero) {
        return invalid("its zero point does not have its type");
    }
    Ok(Levels {
        scale,
        zero,
        low,
        high,
    })
}

/// The least and the greatest integer of a `QuantizeLinear`.
fn range(context: &Context<'_>, node: &Node<'_>) -> Result<(i64, i64), Fault> {
    Ok(match kind(context, node)? {
        DataType::UINT8 => (0, u8::MAX.into()),
        DataType::INT8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::UINT16 => (0, u16::MAX.into()),
        DataType::INT16 => (i16::MIN.into(), i16::MAX.into()),
        other => return unsupported(format!("to type {other}")),
    })
}

/// The type of the integers: that of the zero point, or the attribute.
fn kind(context: &Context<'_>, node: &Node<'_>) -> Result<DataType, Fault> {
    let named = node.int("output_dtype", 0)?;
    match node.input(2) {
        Some(name) => match context.data_type(name) {
            Some(kind) => Ok(kind),
            None => unsupported("with a zero point that is computed"),
        },
        None if named == 0 => Ok(DataType::UINT8),
        None => Ok(DataType(i32::try_from(named).unwrap_or(0))),
    }
}

/// Scale and zero point, one of each.
fn scale_and_zero<'a>(context: &Context<'a>, node: &Node<'a>) -> Result<(f32, i64), Fault> {
    if node.int("block_size", 0)? != 0 {
        return unsupported("in blocks");
    }
    let Some(scale) = context.constant(node, 1)?.scalar() else {
        return unsupported("with a scale for each channel of an activation");
    };
    if !scale.is_normal() || scale < 0.0 {
        return invalid(format!("its scale is {scale}"));
    }
    let zero = match context.ints(node, 2)?.as_deref() {
        None => 0,
        Some([zero]) => *zero,
        Some(_) => return unsupported("with a zero point for each channel of an activation"),
    };
    Ok((scale, zero))
}

/// Scales and zero points of a constant, along an axis: an index of one for each element.
fn along(
    node: &Node<'_>,
    inputs: Inputs<'_>,
) -> Result<(Vec<f32>, Vec<i64>, impl Fn(usize) -> usize), Fault> {
    if node.int("block_size", 0)? != 0 {
        return unsupported("in blocks");
    }
    let (x, scale) = (input(inputs, 0)?, input(inputs, 1)?);
    let scales = scale.floats();
    let zeros = match inputs.get(2) {
        Some(Some(zeros)) => match zeros.as_ints() {
            Some(zeros) => zeros.to_vec(),
            None => return invalid("its zero points are not integers"),
        },
        _ => vec![0; scales.len()],
    };
    let good = |s: &f32| s.is_normal() && *s > 0.0;
    if zeros.len() != scales.len() || scales.is_empty() || !scales.iter().all(good) {
        return invalid("its scales and zero points do not fit together");
    }
    let (count, inner) = match scales.len() {
        1 => (1, 1),
        n => {
            let along = axis(node.int("axis", 1)?, x.dims.len())?;
            if x.dims[along] != n || scale.dims.len() != 1 {
                return invalid(format!("{n} scales do not fit its input"));
            }
            (n, x.dims[along + 1..].iter().product::<usize>().max(1))
        }
    };
    Ok((scales, zeros, move |i: usize| i / inner % count))
}

/// The integers of a weight that the file holds as numbers.
#[expect(clippy::cast_possible_truncation, reason = "casts saturate")]
fn quantized(node: &Node<'_>, inputs: Inputs<'_>, range: (i64, i64)) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let (scales, zeros, at) = along(node, inputs)?;
    let integer = |(i, &v): (usize, &f32)| {
        let level = (v / scales[at(i)]).round_ties_even() as i64;
        level.saturating_add(zeros[at(i)]).clamp(range.0, range.1)
    };
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Int(x.floats().iter().enumerate().map(integer).collect()),
    })
}

/// The numbers that the integers of a weight or bias stand for.
#[expect(clippy::cast_precision_loss, reason = "as ONNX multiplies them")]
pub(super) fn dequantized(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let Some(values) = x.as_ints() else {
        return invalid("its input is not of integers");
    };
    let (scales, zeros, at) = along(node, inputs)?;
    let number = |(i, &v): (usize, &i64)| v.saturating_sub(zeros[at(i)]) as f32 * scales[at(i)];
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Float(values.iter().enumerate().map(number).collect()),
    })
}
