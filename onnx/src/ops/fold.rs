//! Operators whose inputs are all constant.

use std::rc::Rc;

use rten_onnx::onnx::DataType;

use super::layout::{flat, permutation, squeezed, target, unsqueezed};
use super::movement::{SliceArguments, slice_spec};
use super::norm::{TRAINING_MODE, not_in_training};
use crate::array::{Array, Data, elements};
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};

pub(super) type Inputs<'a> = &'a [Option<Rc<Array>>];

pub(super) fn input(inputs: Inputs<'_>, index: usize) -> Result<&Array, Fault> {
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

#[expect(clippy::cast_possible_truncation, reason = "as ONNX casts")]
pub(super) fn cast(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let to = node.int("to", 0)?;
    let data = match i32::try_from(to).map(DataType) {
        Ok(DataType::FLOAT | DataType::DOUBLE) => Data::Float(x.floats()),
        Ok(DataType::INT64) => match &x.data {
            Data::Int(v) => Data::Int(v.clone()),
            Data::Float(v) => Data::Int(v.iter().map(|&v| v as i64).collect()),
        },
        Ok(DataType::INT32) => match &x.data {
            Data::Int(v) => Data::Int(v.iter().map(|&v| (v as i32).into()).collect()),
            Data::Float(v) => Data::Int(v.iter().map(|&v| (v as i32).into()).collect()),
        },
        _ => return unsupported(format!("to type {to}")),
    };
    Ok(Array {
        dims: x.dims.clone(),
        data,
    })
}

pub(super) fn concat(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let first = input(inputs, 0)?;
    let along = axis(node.int("axis", 0)?, first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[along] = 0;
    let mut arrays = Vec::new();
    for index in 0..inputs.len() {
        let x = input(inputs, index)?;
        let fits = x.dims.len() == dims.len()
            && x.dims
                .iter()
                .zip(&dims)
                .enumerate()
                .all(|(i, (a, b))| i == along || a == b);
        if !fits {
            return invalid(format!("its input {index} does not fit the others"));
        }
        dims[along] = dims[along].saturating_add(x.dims[along]);
        arrays.push(x);
    }
    let total = elements(&dims).map_err(Fault::Invalid)?;
    // Empty parts are left out: there may be very many.
    let ints: Option<Vec<&[i64]>> = arrays.iter().map(|x| x.as_ints()).collect();
    arrays.retain(|x| x.len() > 0);
    let outer: usize = dims[..along].iter().product();
    let data = match ints {
        Some(mut parts) => {
            parts.retain(|x| !x.is_empty());
            Data::Int(join(&parts, outer, total))
        }
        None => {
            let floats: Vec<Vec<f32>> = arrays.iter().map(|x| x.floats()).collect();
            let parts: Vec<&[f32]> = floats.iter().map(Vec::as_slice).collect();
            Data::Float(join(&parts, outer, total))
        }
    };
    Ok(Array { dims, data })
}

/// Joins parts, none of which is empty: the first of `outer` pieces of each part, then the second, and so on.
fn join<T: Copy>(parts: &[&[T]], outer: usize, total: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(total);
    let outer = if parts.is_empty() { 0 } else { outer };
    for o in 0..outer {
        for part in parts {
            let n = part.len() / outer;
            out.extend_from_slice(&part[o * n..(o + 1) * n]);
        }
    }
    out
}

pub(super) fn gather(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let along = axis(node.int("axis", 0)?, x.dims.len())?;
    let Some(indices) = ints(inputs, 1)? else {
        return invalid("it has no indices");
    };
    let positions = indices
        .iter()
        .map(|&i| axis(i, x.dims[along]))
        .collect::<Result<Vec<_>, _>>()?;
    x.gathered(along, &input(inputs, 1)?.dims, &positions)
        .map_err(Fault::Invalid)
}

pub(super) fn slice(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let argument = |i| ints(inputs, i).map(|v| v.map(<[i64]>::to_vec));
    let arguments = SliceArguments::new(node, argument)?;
    let spec = slice_spec(&x.dims, &arguments)?;
    x.sliced(&spec).map_err(Fault::Invalid)
}

pub(super) fn reshape(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let Some(wanted) = ints(inputs, 1)? else {
        return invalid("it has no shape");
    };
    x.reshaped(target(node, &x.dims, wanted)?)
        .map_err(Fault::Invalid)
}

pub(super) fn flatten(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(flat(node, &x.dims)?).map_err(Fault::Invalid)
}

pub(super) fn squeeze(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(squeezed(node, &x.dims, ints(inputs, 1)?)?)
        .map_err(Fault::Invalid)
}

pub(super) fn unsqueeze(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(unsqueezed(node, &x.dims, ints(inputs, 1)?)?)
        .map_err(Fault::Invalid)
}

pub(super) fn transpose(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.transposed(&permutation(node, x.dims.len())?)
        .map_err(Fault::Invalid)
}

pub(super) fn shape(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    super::constant::dims(node, &input(inputs, 0)?.dims)
}

pub(super) fn add(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a + b, i64::checked_add)
}

pub(super) fn sub(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a - b, i64::checked_sub)
}

pub(super) fn mul(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a * b, i64::checked_mul)
}

pub(super) fn div(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a / b, i64::checked_div)
}

fn binary(
    inputs: Inputs<'_>,
    float: fn(f32, f32) -> f32,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Array, Fault> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let rank = a.dims.len().max(b.dims.len());
    let side = |x: &Array, axis: usize| {
        let missing = rank - x.dims.len();
        if axis < missing {
            1
        } else {
            x.dims[axis - missing]
        }
    };
    let wider = |axis| match (side(a, axis), side(b, axis)) {
        (1, n) | (n, 1) => n,
        (n, m) => n.max(m),
    };
    let dims: Vec<usize> = (0..rank).map(wider).collect();
    let a = a.broadcast(&dims).map_err(Fault::Invalid)?;
    let b = b.broadcast(&dims).map_err(Fault::Invalid)?;
    let data = match (&a.data, &b.data) {
        (Data::Int(a), Data::Int(b)) => {
            let values: Option<Vec<i64>> = a.iter().zip(b).map(|(&a, &b)| int(a, b)).collect();
            let overflow = || Fault::Invalid("its integers overflow or are divided by zero".into());
            Data::Int(values.ok_or_else(overflow)?)
        }
        _ => {
            let (a, b) = (a.floats(), b.floats());
            Data::Float(a.iter().zip(&b).map(|(&a, &b)| float(a, b)).collect())
        }
    };
    Ok(Array { dims, data })
}
