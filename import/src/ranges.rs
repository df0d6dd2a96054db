//! How much room tensors get beyond what calibration saw.

use nets::{FloatModel, Op, Room};
use serde::Serialize;

use crate::options::ImportOptions;
use crate::{Error, calibrate};

/// What decides the widths of tensors. The scales follow the calibration images always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
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

impl Ranges {
    /// What the public part of a model says of it.
    pub(crate) const fn room(self) -> Room {
        match self {
            Self::Calibrated => Room::Calibrated,
            Self::Robust => Room::Robust,
            Self::Proved => Room::Proved,
        }
    }
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

/// How far values reach, as far as it was measured and proved.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The largest magnitude of each node on the samples.
    pub(crate) seen: Vec<f64>,
    /// The largest magnitude of each channel on everything that was tried, where more was tried.
    pub(crate) wide: Option<Vec<Vec<f64>>>,
    /// The largest magnitude of each node on any picture, where it was to be proved.
    pub(crate) proved: Option<Vec<f64>>,
    /// Number of samples.
    pub(crate) images: usize,
}

impl Measured {
    /// How far every node's values may reach.
    pub(crate) fn reach(
        &self,
        model: &FloatModel,
        options: &ImportOptions,
    ) -> Result<Reach, Error> {
        let scale: Vec<f64> = self.seen.iter().map(|top| top * options.margin).collect();
        let least = |values: &[f64], proved: &[f64]| -> Vec<f64> {
            values.iter().zip(proved).map(|(a, b)| a.min(*b)).collect()
        };
        let measured = self.wide.as_ref().zip(self.proved.as_ref());
        let (scale, mut width, factor) = match (options.ranges, measured) {
            // What is seen twice as far as its margin says is room for differences already.
            (Ranges::Calibrated, _) => (scale.clone(), scale, 2.0 / options.margin),
            (Ranges::Robust | Ranges::Proved, None) => {
                let problem = "they were not measured".into();
                return Err(Error::Option {
                    option: "ranges",
                    problem,
                });
            }
            (Ranges::Proved, Some((_, proved))) => {
                if let Some(node) = proved.iter().position(|top| !top.is_finite()) {
                    let problem =
                        "nothing is proved of how far its values reach: choose other ranges";
                    return Err(Error::width(&model.graph.nodes()[node].name, problem));
                }
                (least(&scale, proved), proved.clone(), 2.0)
            }
            (Ranges::Robust, Some((wide, proved))) => {
                let width = self.cautious(model, wide, options);
                (least(&scale, proved), least(&width, proved), 2.0)
            }
        };
        leave_room_for_differences(model, &mut width, factor);
        Ok(Reach { scale, width })
    }

    /// How far values reach with room for what was not tried.
    fn cautious(&self, model: &FloatModel, wide: &[Vec<f64>], options: &ImportOptions) -> Vec<f64> {
        let factor = options.margin * caution(self.images);
        let scaled = |channels: &Vec<f64>| channels.iter().map(|top| top * factor).collect();
        let wide: Vec<Vec<f64>> = wide.iter().map(scaled).collect();
        let mut width = calibrate::tops(&wide);
        if let (Some(bound), Some(last)) = (output_bound(model, &wide), width.last_mut()) {
            *last = last.max(bound.min(*last * OUTPUT_ROOM));
        }
        width
    }
}

/// A maximum is found by differences, which need `factor` times the room of the values.
fn leave_room_for_differences(model: &FloatModel, width: &mut [f64], factor: f64) {
    for node in model.graph.nodes() {
        if let Op::MaxPool { .. } = node.op {
            let input = node.inputs[0];
            width[input] *= factor.max(1.0);
        }
    }
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
