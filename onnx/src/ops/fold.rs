//! Operators whose inputs are all constant.

use std::rc::Rc;

use rten_onnx::onnx::DataType;

use super::norm::{TRAINING_MODE, not_in_training};
use crate::array::{Array, Data};
use crate::error::{Fault, invalid, unsupported};
use crate::layout::broadcast;
use crate::node::Node;

mod moves;
mod numbers;
mod reductions;
mod truths;

pub(super) use moves::*;
pub(super) use numbers::*;
pub(super) use reductions::*;
pub(super) use truths::*;

type Inputs<'a> = &'a [Option<Rc<Array>>];

fn input(inputs: Inputs<'_>, index: usize) -> Result<&Array, Fault> {
    match inputs.get(index) {
        Some(Some(array)) => Ok(array),
        _ => invalid(format!("its input {index} is missing")),
    }
}

fn ints(inputs: Inputs<'_>, index: usize) -> Result<Option<&[i64]>, Fault> {
    match inputs.get(index) {
        Some(Some(array)) => match array.as_ints() {
            Some(values) => Ok(Some(values)),
            None => invalid(format!("its input {index} is not of integers")),
        },
        _ => Ok(None),
    }
}

pub(super) fn dropout(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    not_in_training(inputs.get(TRAINING_MODE).and_then(Option::as_deref))?;
    identity(node, inputs)
}

pub(super) fn identity(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    input(inputs, 0).cloned()
}

/// The types that values are cast to here: floats of any precision, integers, and truth values.
#[expect(clippy::cast_possible_truncation, reason = "as ONNX casts")]
pub(super) fn cast(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let to = node.int("to", 0)?;
    let kind = i32::try_from(to).map_or(DataType(0), DataType);
    let wrap = |v: i64| -> i64 {
        match kind {
            DataType::INT32 => (v as i32).into(),
            DataType::INT16 => (v as i16).into(),
            DataType::INT8 => (v as i8).into(),
            DataType::UINT8 => (v as i8).cast_unsigned().into(),
            DataType::UINT16 => (v as i16).cast_unsigned().into(),
            DataType::UINT32 => (v as i32).cast_unsigned().into(),
            DataType::BOOL => (v != 0).into(),
            _ => v,
        }
    };
    let data = match kind {
        DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 | DataType::BFLOAT16 => {
            Data::Float(x.floats())
        }
        DataType::INT64
        | DataType::INT32
        | DataType::INT16
        | DataType::INT8
        | DataType::UINT8
        | DataType::UINT16
        | DataType::UINT32
        | DataType::UINT64
        | DataType::BOOL => match &x.data {
            Data::Int(v) => Data::Int(v.iter().map(|&v| wrap(v)).collect()),
            Data::Float(v) if kind == DataType::BOOL => {
                Data::Int(v.iter().map(|&v| (v != 0.0).into()).collect())
            }
            Data::Float(v) => Data::Int(v.iter().map(|&v| wrap(v as i64)).collect()),
        },
        _ => return unsupported(format!("to type {kind}")),
    };
    Ok(Array {
        dims: x.dims.clone(),
        data,
    })
}

pub(super) fn cast_like(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let (x, like) = (input(inputs, 0)?, input(inputs, 1)?);
    match (&x.data, &like.data) {
        (_, Data::Float(_)) => Ok(x.mapped(|v| v)),
        (Data::Int(_), Data::Int(_)) => identity(node, inputs),
        (Data::Float(_), Data::Int(_)) => unsupported("from floats to integers"),
    }
}

/// Two inputs, broadcast to the same dimensions.
fn both(inputs: Inputs<'_>) -> Result<(Array, Array, Vec<usize>), Fault> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let dims = broadcast(&a.dims, &b.dims).map_err(Fault::Invalid)?;
    let a = a.broadcast(&dims).map_err(Fault::Invalid)?;
    let b = b.broadcast(&dims).map_err(Fault::Invalid)?;
    Ok((a, b, dims))
}
