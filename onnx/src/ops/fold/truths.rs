//! Comparisons of constants, truth values, and choices by them.

use super::numbers::each;
use super::{Inputs, both, input};
use crate::array::{Array, Data};
use crate::error::{Fault, invalid};
use crate::layout::broadcast;
use crate::node::Node;

pub(in crate::ops) fn not(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, |v| f32::from(v == 0.0), |v| Some((v == 0).into()))
}

fn compared(
    inputs: Inputs<'_>,
    float: fn(f32, f32) -> bool,
    int: fn(i64, i64) -> bool,
) -> Result<Array, Fault> {
    let (a, b, dims) = both(inputs)?;
    let values = match (a.as_ints(), b.as_ints()) {
        (Some(a), Some(b)) => a.iter().zip(b).map(|(&a, &b)| int(a, b).into()).collect(),
        _ => {
            let (a, b) = (a.floats(), b.floats());
            a.iter()
                .zip(&b)
                .map(|(&a, &b)| float(a, b).into())
                .collect()
        }
    };
    Ok(Array {
        dims,
        data: Data::Int(values),
    })
}

#[expect(clippy::float_cmp, reason = "as ONNX compares")]
pub(in crate::ops) fn equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a == b, |a, b| a == b)
}

pub(in crate::ops) fn less(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a < b, |a, b| a < b)
}

pub(in crate::ops) fn less_or_equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a <= b, |a, b| a <= b)
}

pub(in crate::ops) fn greater(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a > b, |a, b| a > b)
}

pub(in crate::ops) fn greater_or_equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a >= b, |a, b| a >= b)
}

pub(in crate::ops) fn and(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a != 0.0 && b != 0.0, |a, b| a != 0 && b != 0)
}

pub(in crate::ops) fn or(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a != 0.0 || b != 0.0, |a, b| a != 0 || b != 0)
}

/// One of two values, by a truth value.
pub(in crate::ops) fn choose(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let condition = input(inputs, 0)?;
    let [_, yes, no] = inputs else {
        return invalid("it takes three inputs");
    };
    let (yes, no, dims) = both(&[yes.clone(), no.clone()])?;
    let dims = broadcast(&dims, &condition.dims).map_err(Fault::Invalid)?;
    let fill = |x: &Array| x.broadcast(&dims).map_err(Fault::Invalid);
    let (condition, yes, no) = (fill(condition)?.floats(), fill(&yes)?, fill(&no)?);
    let data = match (yes.as_ints(), no.as_ints()) {
        (Some(yes), Some(no)) => Data::Int(chosen(&condition, yes, no)),
        _ => Data::Float(chosen(&condition, &yes.floats(), &no.floats())),
    };
    Ok(Array { dims, data })
}

fn chosen<T: Copy>(condition: &[f32], yes: &[T], no: &[T]) -> Vec<T> {
    let pick = |((&c, &yes), &no): ((&f32, &T), &T)| if c == 0.0 { no } else { yes };
    condition.iter().zip(yes).zip(no).map(pick).collect()
}
