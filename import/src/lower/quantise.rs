//! The integer parameters of layers, which are the server's secrets.

use nets::{LayerWeights, Op};

use super::Lowering;
use crate::Error;
use crate::rounding::Moments;

impl Lowering<'_> {
    /// Integer weights and biases of a linear layer. The bias includes the rounding constant of the truncation.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    pub(super) fn quantised(
        &self,
        node: usize,
        moments: Option<&Vec<Moments>>,
    ) -> Result<LayerWeights, Error> {
        let scale = self.scales.linear[node].expect("every linear node has a scale");
        let input = self.inputs(node)[0];
        let gain = self.scales.gain[input];
        let layer = self.op(node).linear().expect("only linear nodes are given");
        let weight = self.model.tensors.tensor(layer.weight)?;
        let factor = 2f64.powi(scale.weight) / gain;
        let exact: Vec<f64> = weight
            .data()
            .iter()
            .map(|&w| f64::from(w) * factor)
            .collect();
        let top = 2f64.powi(scale.bits.cast_signed() - 1);
        let rounded: Vec<_> = match moments {
            Some(groups) => exact
                .chunks_exact(exact.len() / groups.len())
                .zip(groups)
                .map(|(rows, moments)| moments.round(rows, -top, top - 1.0))
                .collect(),
            None => vec![nearest(&exact, -top, top - 1.0, weight.shape()[0])],
        };
        let input_scale = 2f64.powi(self.scales.tensor[input]);
        let half = (1_i64 << scale.shift) >> 1;
        let left = rounded
            .iter()
            .flat_map(|(_, left)| left)
            .map(|left| left * gain * input_scale)
            .collect::<Vec<f64>>();
        let bias = match layer.bias {
            Some(bias) => self.model.tensors.tensor(bias)?.data().to_vec(),
            None => vec![0.0; weight.shape()[0]],
        };
        let factor = 2f64.powi(scale.weight) * input_scale;
        let map = match self.map(node) {
            Some((_, map)) => self.model.tensors.tensor(map)?.data().to_vec(),
            None => vec![0.0; bias.len()],
        };
        let plane = map.len() / bias.len();
        let integer = |(i, &m): (usize, &f32)| {
            let bias = f64::from(bias[i / plane]) + f64::from(m);
            let integer = bias.mul_add(factor, left[i / plane]).round() as i64;
            integer.saturating_add(half)
        };
        let integers = map.iter().enumerate().map(integer).collect();
        let weights = rounded
            .iter()
            .flat_map(|(weights, _)| weights)
            .copied()
            .collect();
        Ok(LayerWeights {
            weights,
            bias: integers,
        })
    }

    /// The node and the tensor of the map that is added to a linear node's output, if there is one.
    pub(super) fn map(&self, node: usize) -> Option<(usize, &str)> {
        let map = self.model.graph.sole_consumer(node)?;
        match self.op(map) {
            Op::AddMap { map: tensor } => Some((map, tensor)),
            _ => None,
        }
    }

    /// Shifts and signs of the channels of a node.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    pub(super) fn signs(&self, node: usize) -> LayerWeights {
        let Op::SignedRelu {
            shift: shifts,
            sign,
        } = self.op(node)
        else {
            unreachable!("only nodes with signs are given")
        };
        let values = |name: &str| {
            self.model
                .tensors
                .tensor(name)
                .expect("fold() checked")
                .data()
        };
        let scale = 2f64.powi(self.scales.tensor[node]);
        let shift = |&v: &f32| (f64::from(v) * scale).round() as i64;
        LayerWeights {
            weights: values(sign).iter().map(|&s| -i32::from(s < 0.0)).collect(),
            bias: values(shifts).iter().map(shift).collect(),
        }
    }
}

/// Rounds each weight by itself. The mean error of a row is then not known, and is 0 here.
#[expect(clippy::cast_possible_truncation, reason = "clamped to a weight")]
fn nearest(weights: &[f64], low: f64, high: f64, rows: usize) -> (Vec<i32>, Vec<f64>) {
    let integers = weights.iter().map(|w| w.round().clamp(low, high) as i32);
    (integers.collect(), vec![0.0; rows])
}
