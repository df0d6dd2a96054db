//! Backbones with random weights, always the same: what they cost is real, what they find means nothing.

use std::path::Path;

use backbones::{BACKBONES, Error, XOpOptions, backbone_seeded, replace_convolutions};
use import::{ImportOptions, Ranges, Rounding, WeightBits, quantise};
use nets::{Model, Shape, Source, standardise};
use sha2::{Digest as _, Sha256};

use super::embedded::EMBEDDED;
use super::noise::noise;
use crate::failure::{Failure, Outcome};

/// Noise images that calibrate one.
const CALIBRATION: u32 = 1;
/// Bits of an activation in front of the binary point.
const WHOLE: u32 = 6;

/// Widths of a network whose weights are random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostWidths {
    pub(crate) weight_bits: u32,
    /// At most.
    pub(crate) activation_bits: u32,
}

impl Default for CostWidths {
    fn default() -> Self {
        Self {
            weight_bits: 10,
            activation_bits: 16,
        }
    }
}

/// Whether it names a backbone that can have random weights, `NAME-x` included, and no file.
pub(crate) fn is_backbone(name: &str) -> bool {
    let base = name.strip_suffix("-x").unwrap_or(name);
    backbones().contains(&base) && !Path::new(name).exists()
}

/// Those that are built for any input size.
pub(super) fn backbones() -> Vec<&'static str> {
    let fixed = [EMBEDDED, "densenet-bc100", "resnet20"];
    let free = BACKBONES.iter().filter(|name| !fixed.contains(name));
    free.copied().collect()
}

/// A backbone with random weights; `NAME-x` with its 1 x 1 layers in so many groups too.
pub(crate) fn seeded(
    arch: &str,
    size: usize,
    classes: usize,
    pointwise: Option<usize>,
) -> Result<Source, Error> {
    let (shape, seed) = (Shape::new(3, size, size), Sha256::digest(arch).into());
    let Some((base, groups)) = arch.strip_suffix("-x").zip(pointwise) else {
        return backbone_seeded(arch, shape, classes, seed);
    };
    let options = XOpOptions {
        pointwise: Some(groups),
        ..XOpOptions::default()
    };
    let source = backbone_seeded(base, shape, classes, seed)?;
    Ok(replace_convolutions(&source, &options, seed)?.source)
}

/// Why a backbone could not be built, in the words of the command line.
pub(crate) fn not_built(name: &str, error: Error) -> Failure {
    match error {
        Error::Nets(nets::Error::Shape { .. }) => {
            Failure::input(format!("{error}: take a larger --size"))
        }
        Error::NothingToReplace => Failure::input(format!(
            "{name}: besides its first and its last layer, this network has no dense convolution larger than 1 x 1 that an X-operator could replace; `plan` replaces those of 1 x 1 as well with --xop-pointwise"
        )),
        other => Failure::input(other),
    }
}

/// Its integer network: batch norms and widths from noise.
pub(crate) fn quantised(mut source: Source, widths: CostWidths) -> Outcome<Model> {
    let samples: Vec<_> = (0..CALIBRATION)
        .map(|image| {
            let bytes = noise(image, source.preprocessing.shape.len());
            source.preprocessing.values(&bytes)
        })
        .collect::<Result<_, _>>()
        .map_err(Failure::run)?;
    standardise(&mut source.float, &samples[0]).map_err(Failure::run)?;
    let usual = ImportOptions::default();
    let options = ImportOptions {
        name: format!("{} (random weights)", source.arch),
        weight_bits: WeightBits::Fixed(widths.weight_bits),
        activation_bits: widths.activation_bits,
        // Who asks for more bits wants more of them behind the point.
        fraction_bits: usual
            .fraction_bits
            .max(widths.activation_bits.saturating_sub(WHOLE)),
        rounding: Rounding::Nearest,
        // Noise shows what random weights do; there is nothing beyond it to leave room for.
        ranges: Ranges::Calibrated,
        ..usual
    };
    let (mut model, _) = quantise(&source, &samples, &options).map_err(|e| match e.is_width() {
        true => Failure::input(format!(
            "{e}, and the widest ring has 64: take fewer bits for a weight or an activation"
        )),
        false => Failure::input(e),
    })?;
    // It was made for no images.
    model.public.calibration = None;
    Ok(model)
}
