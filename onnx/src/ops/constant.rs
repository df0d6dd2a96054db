//! Operators that make constants.

use rten_onnx::onnx::DataType;

use super::{Outputs, constant as output};
use crate::array::{Array, Data, elements};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::Value;

pub(super) fn constant<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if let Some(tensor) = node.tensor("value") {
        context.set_kind(node, tensor.data_type);
        return output(context.decode(tensor)?);
    }
    let scalar = |data| Array {
        dims: Vec::new(),
        data,
    };
    let floats = |v: &[f32]| Array {
        dims: vec![v.len()],
        data: Data::Float(v.to_vec()),
    };
    if node.has("value_int") || node.has("value_ints") {
        context.set_kind(node, Some(DataType::INT64));
    }
    if node.has("value_int") {
        output(scalar(Data::Int(vec![node.int("value_int", 0)?])))
    } else if node.has("value_float") {
        output(scalar(Data::Float(vec![node.float("value_float", 0.0)?])))
    } else if let Some(values) = node.ints("value_ints") {
        output(Array::ints(values.to_vec()))
    } else if let Some(values) = node.floats("value_floats") {
        output(floats(values))
    } else {
        unsupported("a constant that is no tensor of numbers")
    }
}

/// The number of values of a tensor.
pub(super) fn size<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.viewed(node, 0)?;
    context.set_kind(node, Some(DataType::INT64));
    output(Array {
        dims: Vec::new(),
        data: Data::Int(vec![signed(x.layout.len())]),
    })
}

pub(super) fn of_shape<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let Some(shape) = context.ints(node, 0)? else {
        return invalid("it has no shape");
    };
    let dims: Option<Vec<usize>> = shape.iter().map(|&d| usize::try_from(d).ok()).collect();
    let Some(dims) = dims else {
        return invalid("its shape is negative");
    };
    let count = elements(&dims).map_err(Fault::Invalid)?;
    let value = match node.tensor("value") {
        Some(tensor) => {
            context.set_kind(node, tensor.data_type);
            context.decode(tensor)?.data
        }
        None => Data::Float(vec![0.0]),
    };
    // The budget is charged before anything is allocated: a few bytes of the file can ask for very much.
    context.charge(8 * count)?;
    let data = match value {
        Data::Float(v) if v.len() == 1 => Data::Float(vec![v[0]; count]),
        Data::Int(v) if v.len() == 1 => Data::Int(vec![v[0]; count]),
        _ => return invalid("its value is not one number"),
    };
    output(Array { dims, data })
}

/// The shape of a value, known before any image is.
pub(super) fn shape<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let Some(Value::Feature(feature)) = context.value(node, 0) else {
        return invalid("it has no input");
    };
    let made = dims(node, feature.dims())?;
    context.set_kind(node, Some(DataType::INT64));
    output(made)
}

/// The part of a shape that a Shape node asks for.
pub(super) fn dims(node: &Node<'_>, dims: &[usize]) -> Result<Array, Fault> {
    let rank = dims.len();
    let bound = |name, default| -> Result<usize, Fault> {
        let at = node.int(name, default)?;
        let clamped = at.clamp(-signed(rank), signed(rank));
        if clamped == signed(rank) {
            Ok(rank)
        } else {
            axis(clamped, rank)
        }
    };
    let (start, end) = (bound("start", 0)?, bound("end", i64::MAX)?);
    let part = dims.get(start..end).unwrap_or_default();
    Ok(Array::ints(part.iter().map(|&d| signed(d)).collect()))
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
