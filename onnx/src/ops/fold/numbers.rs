//! Arithmetic with constants.

use std::rc::Rc;

use super::{Inputs, both, input};
use crate::array::{Array, Data, elements};
use crate::error::{Fault, invalid};
use crate::node::Node;

pub(in crate::ops) fn add(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a + b, i64::checked_add)
}

pub(in crate::ops) fn sub(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a - b, i64::checked_sub)
}

pub(in crate::ops) fn mul(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a * b, i64::checked_mul)
}

pub(in crate::ops) fn div(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    binary(inputs, |a, b| a / b, i64::checked_div)
}

fn binary(
    inputs: Inputs<'_>,
    float: fn(f32, f32) -> f32,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Array, Fault> {
    let (a, b, dims) = both(inputs)?;
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

/// An operator of any number of inputs, by one of two.
fn several(
    inputs: Inputs<'_>,
    float: fn(f32, f32) -> f32,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Array, Fault> {
    let mut total = input(inputs, 0)?.clone();
    for next in &inputs[1..] {
        total = binary(&[Some(Rc::new(total)), next.clone()], float, int)?;
    }
    Ok(total)
}

pub(in crate::ops) fn sum(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, |a, b| a + b, i64::checked_add)
}

pub(in crate::ops) fn max(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, f32::max, |a, b| Some(a.max(b)))
}

pub(in crate::ops) fn min(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, f32::min, |a, b| Some(a.min(b)))
}

/// The remainder, with the sign of the divisor, or that of the dividend where `fmod` says so.
pub(in crate::ops) fn modulo(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    if node.int("fmod", 0)? != 0 {
        return binary(inputs, |a, b| a % b, i64::checked_rem);
    }
    let float = |a: f32, b: f32| a - b * (a / b).floor();
    binary(inputs, float, |a, b| {
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) {
            rest + b
        } else {
            rest
        })
    })
}

#[expect(clippy::cast_precision_loss, reason = "as ONNX computes powers")]
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
pub(in crate::ops) fn pow(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let int = |a: i64, b: i64| match u32::try_from(b) {
        Ok(power) => a.checked_pow(power),
        Err(_) => Some((a as f64).powf(b as f64) as i64),
    };
    binary(inputs, f32::powf, int)
}

/// A function of each value, which is a float; integers become floats.
fn unary(inputs: Inputs<'_>, function: fn(f32) -> f32) -> Result<Array, Fault> {
    Ok(input(inputs, 0)?.mapped(function))
}

/// A function of each value that keeps integers as they are.
fn rounding(inputs: Inputs<'_>, function: fn(f32) -> f32) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    match x.data {
        Data::Int(_) => Ok(x.clone()),
        Data::Float(_) => Ok(x.mapped(function)),
    }
}

pub(in crate::ops) fn ceil(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::ceil)
}

pub(in crate::ops) fn floor(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::floor)
}

pub(in crate::ops) fn round(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::round_ties_even)
}

pub(in crate::ops) fn sqrt(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::sqrt)
}

pub(in crate::ops) fn exp(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::exp)
}

pub(in crate::ops) fn log(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::ln)
}

pub(in crate::ops) fn tanh(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::tanh)
}

pub(in crate::ops) fn sigmoid(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, |v| 1.0 / (1.0 + (-v).exp()))
}

pub(in crate::ops) fn reciprocal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, |v| 1.0 / v)
}

/// A function of each value, of both kinds.
pub(super) fn each(
    inputs: Inputs<'_>,
    float: fn(f32) -> f32,
    int: fn(i64) -> Option<i64>,
) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let Some(values) = x.as_ints() else {
        return Ok(x.mapped(float));
    };
    let values: Option<Vec<i64>> = values.iter().map(|&v| int(v)).collect();
    let Some(values) = values else {
        return invalid("its integers overflow");
    };
    Ok(Array {
        dims: x.dims.clone(),
        data: Data::Int(values),
    })
}

pub(in crate::ops) fn neg(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, |v| -v, i64::checked_neg)
}

pub(in crate::ops) fn abs(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, f32::abs, i64::checked_abs)
}

pub(in crate::ops) fn relu(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, |v| v.max(0.0), |v| Some(v.max(0)))
}

pub(in crate::ops) fn clip(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let bound = |name, at: usize, default: f32| -> Result<f32, Fault> {
        match inputs.get(at) {
            Some(Some(array)) => match array.scalar() {
                Some(value) => Ok(value),
                None => invalid("its bound is not one number"),
            },
            _ => node.float(name, default),
        }
    };
    let (low, high) = (bound("min", 1, f32::MIN)?, bound("max", 2, f32::MAX)?);
    let x = input(inputs, 0)?;
    let clipped = x.mapped(|v| v.max(low).min(high));
    Ok(match x.data {
        Data::Int(_) => integers(clipped),
        Data::Float(_) => clipped,
    })
}

/// Values of integers that were computed with as floats.
#[expect(clippy::cast_possible_truncation, reason = "they are integers")]
fn integers(x: Array) -> Array {
    let data = Data::Int(x.floats().iter().map(|&v| v as i64).collect());
    Array { data, ..x }
}

/// Numbers at equal distances.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a cast saturates, and the count is bounded"
)]
pub(in crate::ops) fn range(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let one = |index| -> Result<&Array, Fault> { input(inputs, index) };
    let (start, limit, delta) = (one(0)?, one(1)?, one(2)?);
    let scalar = |x: &Array| match x.doubles()[..] {
        [value] => Ok(value),
        _ => invalid("its bounds are not numbers"),
    };
    let (from, to, by) = (scalar(start)?, scalar(limit)?, scalar(delta)?);
    let count = ((to - from) / by).ceil().max(0.0);
    if !count.is_finite() {
        return invalid("its step is zero, or no number");
    }
    let count = count as usize;
    elements(&[count]).map_err(Fault::Invalid)?;
    let data = match (start.as_ints(), delta.as_ints()) {
        (Some(&[from]), Some(&[by])) => {
            let value =
                |i: usize| from.wrapping_add(i64::try_from(i).unwrap_or(i64::MAX).wrapping_mul(by));
            Data::Int((0..count).map(value).collect())
        }
        _ => Data::Float(
            (0..count)
                .map(|i| (i as f64).mul_add(by, from) as f32)
                .collect(),
        ),
    };
    Ok(Array {
        dims: vec![count],
        data,
    })
}
