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
        let data = weight.data();
        let top = 2f64.powi(scale.bits.cast_signed() - 1);
        let range = (-top, top - 1.0);
        let mut weights = vec![0; data.len()];
        let left: Vec<f64> = match moments {
            Some(groups) => {
                let size = data.len() / groups.len();
                let parts = data.chunks_exact(size).zip(weights.chunks_exact_mut(size));
                let parts = parts.zip(groups);
                parts
                    .flat_map(|((rows, integers), moments)| {
                        moments.round(rows, factor, range, integers)
                    })
                    .collect()
            }
            None => {
                nearest(data, factor, range, &mut weights);
                vec![0.0; weight.shape()[0]]
            }
        };
        let input_scale = 2f64.powi(self.scales.tensor[input]);
        let half = (1_i64 << scale.shift) >> 1;
        let left: Vec<f64> = (left.iter())
            .map(|left| left * gain * input_scale)
            .collect();
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

/// Rounds each weight, times a factor, by itself. The mean error of a row is then not known, and is taken as 0.
#[expect(clippy::cast_possible_truncation, reason = "clamped to a weight")]
fn nearest(weights: &[f32], factor: f64, (low, high): (f64, f64), integers: &mut [i32]) {
    for (integer, &weight) in integers.iter_mut().zip(weights) {
        *integer = (f64::from(weight) * factor).round().clamp(low, high) as i32;
    }
}
