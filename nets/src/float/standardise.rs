//! Batch-norm statistics for networks with random weights that keep activations in range.

use super::executor::FloatModel;
use super::op::Op;
use super::tensors::{Tensor, Tensors};
use crate::Error;
use crate::shape::Shape;

/// Fits the running statistics of every batch norm of a network with random weights to one sample: the
/// variances are multiplied by the mean square of the batch norm's input, the means by its root.
///
/// Random statistics are made for an input of mean square 1. Without this function, additions and linear
/// layers without a `ReLU` behind them multiply magnitudes from block to block, until a deep network
/// overflows every width; trained networks have measured statistics. There is one factor for all
/// channels, in the manner of Mishkin and Matas, arXiv 1511.06422, because on noise a single channel may
/// hardly vary.
///
/// # Errors
/// As [`FloatModel::run`].
pub fn standardise(model: &mut FloatModel, sample: &[f32]) -> Result<(), Error> {
    let mut tensors = model.tensors.clone();
    let compute = |op: &Op, inputs: &[(&[f32], Shape)], out| {
        if let Op::BatchNorm { mean, var, .. } = op {
            let square = mean_square(inputs[0].0);
            multiply(&mut tensors, var, square)?;
            multiply(&mut tensors, mean, square.sqrt())?;
        }
        op.compute(&tensors, inputs, out)
    };
    model.run_with(sample, compute, &mut |_, _| {})?;
    model.tensors = tensors;
    Ok(())
}

/// The mean of the squares, or 1 if that is 0 or not finite.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean_square(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    let mean = sum / values.len() as f64;
    if mean > 0.0 && mean.is_finite() {
        mean
    } else {
        1.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "values are f32")]
fn multiply(tensors: &mut Tensors, name: &str, factor: f64) -> Result<(), Error> {
    let old = tensors.tensor(name)?;
    let values = old.data().iter().map(|&v| (f64::from(v) * factor) as f32);
    let new = Tensor::new(old.shape().to_vec(), values.collect());
    tensors.insert(name, new);
    Ok(())
}
