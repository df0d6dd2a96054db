//! Batch norms of random networks: statistics that keep activations in range.

use crate::graph::Op;
use crate::{Error, FloatModel, Tensor};

/// Gives every batch norm of a network with random weights the scale of what reaches it on one
/// sample: its running variances are multiplied by the mean square of its input, its running means by
/// the root of it.
///
/// As they are seeded, both are relative to an input of mean square 1. Without this the additions and
/// the linear layers without a `ReLU` behind them multiply magnitudes from block to block, and a deep
/// network overflows every width; trained ones have measured statistics. One factor for all
/// channels, in the manner of Mishkin and Matas, arXiv 1511.06422: single channels of noise may
/// hardly vary.
///
/// # Errors
/// As [`FloatModel::run`].
pub fn standardise(model: &mut FloatModel, sample: &[f32]) -> Result<(), Error> {
    let shapes = model.graph.shapes()?;
    let (expected, found) = (shapes[0].len(), sample.len());
    if expected != found {
        return Err(Error::InputLength { expected, found });
    }
    let nodes = model.graph.nodes.clone();
    let mut uses = model.graph.uses();
    let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(nodes.len());
    for (node, &shape) in nodes.iter().zip(&shapes) {
        let output = if let Op::Input { .. } = node.op {
            sample.to_vec()
        } else {
            if let Op::BatchNorm { mean, var, .. } = &node.op {
                let square = mean_square(&outputs[node.inputs[0]]);
                multiply(model, var, square)?;
                multiply(model, mean, square.sqrt())?;
            }
            let inputs: Vec<_> = (node.inputs.iter())
                .map(|&i| (outputs[i].as_slice(), shapes[i]))
                .collect();
            model.node(&node.op, &inputs, shape)?
        };
        outputs.push(output);
        for &input in &node.inputs {
            uses[input] -= 1;
            if uses[input] == 0 {
                outputs[input] = Vec::new();
            }
        }
    }
    Ok(())
}

/// 1 where there is nothing.
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
fn multiply(model: &mut FloatModel, name: &str, factor: f64) -> Result<(), Error> {
    let old = model.tensors.tensor(name)?;
    let values = old.data().iter().map(|&v| (f64::from(v) * factor) as f32);
    let new = Tensor::new(old.shape().to_vec(), values.collect());
    model.tensors.insert(name, new);
    Ok(())
}
