//! How much room tensors get beyond what calibration saw.

use nets::{FloatModel, Preprocessing};

use crate::options::ImportOptions;
use crate::{Error, calibrate, proof};

/// What decides the widths of tensors. The scales follow the calibration images always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one of them")]
pub enum Ranges {
    /// The largest magnitude on the calibration images, times the margin. An image on which a tensor reaches further
    /// wraps silently.
    Calibrated,
    /// The largest magnitude on the calibration images and on variants of them (darker, brighter, of more contrast,
    /// negative, mirrored, upside down; black, white), times the margin, times 1 + 2 / √n for n images; or what is
    /// proved, where that is less. The outputs have room for whatever the layer before them can make of its inputs, up
    /// to 16 times as much.
    #[default]
    Robust,
    /// What the declared preprocessing, black to white, lets follow by interval arithmetic: no picture whatever wraps.
    /// What follows grows with every layer, so that few networks of many layers have room for it in 64 bits.
    Proved,
}

/// The factor, above the margin, for the largest magnitudes on so many images: the fewer, the further from those of
/// the next image.
#[expect(clippy::cast_precision_loss, reason = "images are few")]
pub(crate) fn caution(images: usize) -> f64 {
    1.0 + 2.0 / (images.max(1) as f64).sqrt()
}

/// How many times as far as elsewhere outputs may reach where the layer before them could make them.
pub(crate) const OUTPUT_ROOM: f64 = 16.0;

/// How large the values of every node get.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// What decides scales.
    pub(crate) scale: Vec<f64>,
    /// What decides widths: at least as far.
    pub(crate) width: Vec<f64>,
}

/// How far every node's values may reach. `seen` are the largest magnitudes on the samples, `wide` those of every channel
/// on everything that was tried.
pub(crate) fn reach(
    model: &FloatModel,
    preprocessing: &Preprocessing,
    seen: &[f64],
    wide: &[Vec<f64>],
    samples: usize,
    options: &ImportOptions,
) -> Result<Reach, Error> {
    let scale: Vec<f64> = seen.iter().map(|top| top * options.margin).collect();
    if options.ranges == Ranges::Calibrated {
        let width = scale.clone();
        return Ok(Reach { scale, width });
    }
    let proved = proof::reach(model, preprocessing)?;
    let nodes = model.graph.nodes();
    if options.ranges == Ranges::Proved {
        if let Some(node) = proved.iter().position(|top| !top.is_finite()) {
            let problem = "nothing is proved of how far its values reach: choose other ranges";
            return Err(Error::width(&nodes[node].name, problem));
        }
        let scale = scale.iter().zip(&proved).map(|(a, b)| a.min(*b)).collect();
        let width = proved;
        return Ok(Reach { scale, width });
    }
    let cautious = options.margin * caution(samples);
    let wide: Vec<Vec<f64>> = (wide.iter())
        .map(|channels| channels.iter().map(|top| top * cautious).collect())
        .collect();
    let mut width = calibrate::tops(&wide);
    if let (Some(bound), Some(last)) = (output_bound(model, &wide), width.last_mut()) {
        *last = last.max(bound.min(*last * OUTPUT_ROOM));
    }
    let least = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&proved).map(|(a, b)| a.min(*b)).collect()
    };
    Ok(Reach {
        scale: least(&scale),
        width: least(&width),
    })
}

/// The largest value that the last layer can make of inputs of these magnitudes, channel by channel; `None` where the
/// outputs do not come from a linear layer of single values.
pub(crate) fn output_bound(model: &FloatModel, reach: &[Vec<f64>]) -> Option<f64> {
    let nodes = model.graph.nodes();
    let last = nodes.last()?;
    let layer = last.op.linear()?;
    let shape = *model.graph.input_type(nodes.len() - 1, 0);
    if layer.groups != 1 || shape.plane() != 1 {
        return None;
    }
    let inputs = &reach[last.inputs[0]];
    let weights = model.tensors.tensor(layer.weight).ok()?.data();
    let bias = layer.bias.and_then(|bias| model.tensors.tensor(bias).ok());
    let of_row = |(o, row): (usize, &[f32])| {
        let products = row.iter().zip(inputs);
        let sum: f64 = products.map(|(w, x)| f64::from(w.abs()) * x).sum();
        sum + bias.map_or(0.0, |bias| f64::from(bias.data()[o].abs()))
    };
    if weights.len() != layer.out_channels * inputs.len() {
        return None;
    }
    let rows = weights.chunks_exact(inputs.len()).enumerate();
    Some(rows.map(of_row).fold(0.0, f64::max))
}
