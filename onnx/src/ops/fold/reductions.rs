//! Constants that are reduced along axes.

use super::{Inputs, input, ints};
use crate::array::{Array, Data};
use crate::error::Fault;
use crate::node::Node;
use crate::ops::reduce;

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
pub(in crate::ops) fn reduce_mean(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a + b, |sum, count| sum / count as f64)
}

pub(in crate::ops) fn reduce_sum(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a + b, |sum, _| sum)
}

pub(in crate::ops) fn reduce_prod(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, |a, b| a * b, |product, _| product)
}

pub(in crate::ops) fn reduce_max(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, f64::max, |max, _| max)
}

pub(in crate::ops) fn reduce_min(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    reduction(node, inputs, f64::min, |min, _| min)
}
