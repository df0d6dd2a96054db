//! Proved bounds: how large an accumulator can be, whatever the input.

use nets::{IntGraph, IntOp, LayerWeights, PrivateWeights};

/// For each node, a magnitude that its mathematical value, before reduction, cannot exceed. An input that
/// may have wrapped can be anything that its ring holds.
pub(crate) fn proved(graph: &IntGraph, weights: &PrivateWeights, input_bound: f64) -> Vec<f64> {
    let mut raw: Vec<f64> = Vec::with_capacity(graph.nodes().len());
    // The bounds after reduction: that of the value, or that of the ring if the value may wrap.
    let mut reduced: Vec<f64> = Vec::with_capacity(graph.nodes().len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let input = |k: usize| reduced[node.inputs[k]];
        let bound = match node.op {
            IntOp::Input { scale, .. } => (input_bound * 2f64.powi(scale)).round(),
            IntOp::Linear { ref by, .. } => weights.layer(index).map_or(0.0, |layer| {
                let product = linear(layer, graph.types()[index].shape.channels, input(0));
                product * 2f64.powi(by.guard_bits().cast_signed())
            }),
            IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } => {
                (input(0) / 2f64.powi(shift.cast_signed())).ceil()
            }
            IntOp::SignedRelu => {
                let shift = weights.layer(index).map_or(0, |layer| largest(&layer.bias));
                #[expect(clippy::cast_precision_loss, reason = "a bound")]
                let shift = shift as f64;
                input(0) + shift
            }
            IntOp::Add => input(0) + input(1),
            #[expect(clippy::cast_precision_loss, reason = "a bound")]
            IntOp::Clip { top } => input(0).min(top as f64),
            #[expect(clippy::cast_precision_loss, reason = "a bound")]
            IntOp::Affine { factor, add, .. } => {
                input(0) * (factor as f64).abs() + (add as f64).abs()
            }
            IntOp::Gate => input(0) * input(1),
            IntOp::HardSwish { fraction, .. } => {
                let scale = graph.types()[node.inputs[0]].fixed.scale;
                let (one, sixth) = (2f64.powi(scale), 2f64.powi(fraction.cast_signed()));
                (sixth / 6.0 + 1.0) * 18.0 * one * one + one * sixth * input(0)
            }
            #[expect(clippy::cast_precision_loss, reason = "a bound")]
            IntOp::MeanPool {
                window,
                divisor,
                fraction,
                ..
            } => {
                let one = 2f64.powi(fraction.cast_signed()) / divisor as f64;
                input(0) * (one + window.area() as f64)
            }
            #[expect(clippy::cast_precision_loss, reason = "a bound")]
            IntOp::ArgMax => graph.types()[index].max as f64,
            IntOp::Concat => (0..node.inputs.len()).map(input).fold(0.0, f64::max),
            IntOp::SumPool { window } => {
                let area = u32::try_from(window.area()).unwrap_or(u32::MAX);
                input(0) * f64::from(area)
            }
            IntOp::Extend { .. }
            | IntOp::Narrow { .. }
            | IntOp::Relu
            | IntOp::MaxPool { .. }
            | IntOp::ChannelShuffle { .. }
            | IntOp::Slice { .. }
            | IntOp::Subsample { .. }
            | IntOp::PadChannels { .. }
            | IntOp::Flatten
            | IntOp::Output => input(0),
        };
        let room = 2f64.powi(graph.types()[index].bits().get().cast_signed() - 1);
        raw.push(bound);
        reduced.push(if bound < room { bound } else { room });
    }
    raw
}

/// The largest, over all outputs, of the sum of |w| times the largest input plus the largest bias.
fn linear(layer: &LayerWeights, channels: usize, input: f64) -> f64 {
    let rows = (layer
        .weights
        .chunks((layer.weights.len() / channels).max(1)))
    .zip(layer.bias.chunks((layer.bias.len() / channels).max(1)));
    rows.map(|(row, bias)| {
        let sum: f64 = row.iter().map(|&w| f64::from(w).abs()).sum();
        #[expect(clippy::cast_precision_loss, reason = "a bound, rounded up below")]
        let bias = largest(bias) as f64;
        sum * input + bias
    })
    .fold(0.0, f64::max)
}

fn largest(values: &[i64]) -> u64 {
    values.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0)
}

/// The number of bits with which signed integers of this magnitude can be written.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm"
)]
pub(crate) fn bits_for(magnitude: f64) -> u32 {
    if magnitude <= 0.0 {
        1
    } else {
        (magnitude.ceil() + 1.0).log2().ceil() as u32 + 1
    }
}
