//! Operators whose inputs are all constant.

use std::rc::Rc;

use rten_onnx::onnx::DataType;

use super::layout::{flat, permutation, squeezed, target, unsqueezed};
use super::movement::{SliceArguments, slice_spec};
use super::norm::{TRAINING_MODE, not_in_training};
use super::reduce;
use crate::array::{Array, Data, elements};
use crate::error::{Fault, invalid, unsupported};
use crate::layout::broadcast;
use crate::node::{Node, axis};

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
            let floats: Vec<_> = arrays.iter().map(|x| x.as_floats()).collect();
            let parts: Vec<&[f32]> = floats.iter().map(AsRef::as_ref).collect();
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

/// Two inputs, broadcast to the same dimensions.
fn both(inputs: Inputs<'_>) -> Result<(Array, Array, Vec<usize>), Fault> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let dims = broadcast(&a.dims, &b.dims).map_err(Fault::Invalid)?;
    let a = a.broadcast(&dims).map_err(Fault::Invalid)?;
    let b = b.broadcast(&dims).map_err(Fault::Invalid)?;
    Ok((a, b, dims))
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

pub(super) fn sum(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, |a, b| a + b, i64::checked_add)
}

pub(super) fn max(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, f32::max, |a, b| Some(a.max(b)))
}

pub(super) fn min(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    several(inputs, f32::min, |a, b| Some(a.min(b)))
}

/// The remainder, with the sign of the divisor, or that of the dividend where `fmod` says so.
pub(super) fn modulo(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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
pub(super) fn pow(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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

pub(super) fn ceil(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::ceil)
}

pub(super) fn floor(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::floor)
}

pub(super) fn round(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    rounding(inputs, f32::round_ties_even)
}

pub(super) fn sqrt(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::sqrt)
}

pub(super) fn exp(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::exp)
}

pub(super) fn log(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::ln)
}

pub(super) fn tanh(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, f32::tanh)
}

pub(super) fn sigmoid(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, |v| 1.0 / (1.0 + (-v).exp()))
}

pub(super) fn reciprocal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    unary(inputs, |v| 1.0 / v)
}

/// A function of each value, of both kinds.
fn each(
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

pub(super) fn neg(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, |v| -v, i64::checked_neg)
}

pub(super) fn abs(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, f32::abs, i64::checked_abs)
}

pub(super) fn relu(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    each(inputs, |v| v.max(0.0), |v| Some(v.max(0)))
}

pub(super) fn not(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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
pub(super) fn equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a == b, |a, b| a == b)
}

pub(super) fn less(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a < b, |a, b| a < b)
}

pub(super) fn less_or_equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a <= b, |a, b| a <= b)
}

pub(super) fn greater(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a > b, |a, b| a > b)
}

pub(super) fn greater_or_equal(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a >= b, |a, b| a >= b)
}

pub(super) fn and(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a != 0.0 && b != 0.0, |a, b| a != 0 && b != 0)
}

pub(super) fn or(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    compared(inputs, |a, b| a != 0.0 || b != 0.0, |a, b| a != 0 || b != 0)
}

/// One of two values, by a truth value.
pub(super) fn choose(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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

/// Numbers at equal distances.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a cast saturates, and the count is bounded"
)]
pub(super) fn range(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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

pub(super) fn expand(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let (x, wanted) = (input(inputs, 0)?, ints(inputs, 1)?.unwrap_or_default());
    let dims: Option<Vec<usize>> = wanted.iter().map(|&d| usize::try_from(d).ok()).collect();
    let Some(dims) = dims else {
        return invalid("its shape is negative");
    };
    let dims = broadcast(&x.dims, &dims).map_err(Fault::Invalid)?;
    x.broadcast(&dims).map_err(Fault::Invalid)
}

pub(super) fn tile(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let (x, repeats) = (input(inputs, 0)?, ints(inputs, 1)?.unwrap_or_default());
    if repeats.len() != x.dims.len() {
        return invalid("its repeats do not fit its input");
    }
    let mut x = x.clone();
    for (along, &times) in repeats.iter().enumerate() {
        let times = usize::try_from(times).unwrap_or(0);
        let side = x.dims[along];
        let dims = [
            &x.dims[..along],
            &[side.saturating_mul(times)],
            &x.dims[along + 1..],
        ]
        .concat();
        elements(&dims).map_err(Fault::Invalid)?;
        let positions: Vec<usize> = (0..side * times).map(|i| i % side).collect();
        x = x
            .gathered(along, &[side * times], &positions)
            .map_err(Fault::Invalid)?;
    }
    Ok(x)
}

/// The number of values.
pub(super) fn size(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let count = i64::try_from(input(inputs, 0)?.len()).unwrap_or(i64::MAX);
    Ok(Array {
        dims: Vec::new(),
        data: Data::Int(vec![count]),
    })
}

pub(super) fn clip(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
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

#[expect(clippy::cast_possible_truncation, reason = "as precise as the input")]
fn reduction(
    node: &Node<'_>,
    inputs: Inputs<'_>,
    join: fn(f64, f64) -> f64,
    finish: fn(f64, usize) -> f64,
) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let (dims, values) = reduce::folded(node, x, ints(inputs, 1)?, join, finish)?;
    let data = match x.data {
        Data::Int(_) => Data::Int(values.iter().map(|&v| v as i64).collect()),
        Data::Float(_) => Data::Float(values.iter().map(|&v| v as f32).collect()),
    };
    Ok(Array { dims, data })
}

#[expect(clippy::cast_precision_loss, reason = "a count of values")]
pub(super) fn reduce_mean(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a + b, |sum, count| sum / count as f64)
}

pub(super) fn reduce_sum(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a + b, |sum, _| sum)
}

pub(super) fn reduce_prod(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a * b, |product, _| product)
}

pub(super) fn reduce_max(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, f64::max, |max, _| max)
}

pub(super) fn reduce_min(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, f64::min, |min, _| min)
}
