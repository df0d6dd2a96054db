//! Finding the model a user names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nets::{
    Algorithms, BACKBONES, Constants, Error, ImportOptions, MAX_PUBLIC_BYTES, Model, PublicModel,
    Rounding, Shape, Source, WeightBits, XOpOptions, backbone_seeded, choose, import,
    replace_convolutions, standardise,
};
use sha2::{Digest, Sha256};
use sharing::Options;

use crate::args::{ModelArgs, PlanArgs};
use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// Noise images that a backbone with random weights is calibrated on.
const CALIBRATION: u32 = 1;
/// Bits of an activation that are not behind the point.
const WHOLE: u32 = 6;

/// The embedded chest X-ray network: what it is and where it is from stands in `assets/NOTICE.md`.
pub(crate) const EMBEDDED: &str = "chestnet";
const CHESTNET: &[u8] = include_bytes!("../assets/chestnet.bray");

/// Embedded test X-rays with their published labels.
pub(crate) const XRAYS: [(&str, &[u8]); 3] = [
    (
        "NORMAL2-IM-0361-0001.jpeg",
        include_bytes!("../assets/xrays/NORMAL2-IM-0361-0001.jpeg"),
    ),
    (
        "person142_bacteria_684.jpeg",
        include_bytes!("../assets/xrays/person142_bacteria_684.jpeg"),
    ),
    (
        "person28_virus_63.jpeg",
        include_bytes!("../assets/xrays/person28_virus_63.jpeg"),
    ),
];

/// The embedded network.
pub(crate) fn embedded() -> Outcome<Model> {
    Model::from_bytes(CHESTNET).map_err(Failure::run)
}

/// Loads the model named on the command line: `chestnet`, the path of a .bray file, or a backbone.
pub(crate) fn load(args: &ModelArgs, ui: Ui) -> Outcome<Model> {
    let name = args.model.as_str();
    if !is_backbone(name) {
        return from_file(name);
    }
    ui.note(&format!(
        "WARNING: {name} gets RANDOM weights: its costs are real, its findings mean nothing"
    ));
    let (size, classes) = (args.size as usize, args.classes as usize);
    let source = seeded(name, size, classes, None).map_err(Failure::input)?;
    quantised(source, CostOptions::default())
}

/// `chestnet`, or the path of a .bray file.
pub(crate) fn from_file(name: &str) -> Outcome<Model> {
    if name == EMBEDDED {
        return embedded();
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(Failure::input(format!(
            "cannot read {name}: there is no such file; give a .bray file, {EMBEDDED}, or one of {}",
            backbones().join(", ")
        )));
    }
    Model::load(path).map_err(Failure::input)
}

/// Whether it names a backbone that can have random weights, `NAME-x` included, and no file.
pub(crate) fn is_backbone(name: &str) -> bool {
    let base = name.strip_suffix("-x").unwrap_or(name);
    backbones().contains(&base) && !Path::new(name).exists()
}

/// Those that are built for any input size.
fn backbones() -> Vec<&'static str> {
    let fixed = [EMBEDDED, "densenet-bc100", "resnet20"];
    let free = BACKBONES.iter().filter(|name| !fixed.contains(name));
    free.copied().collect()
}

/// Widths of a network whose weights are random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostOptions {
    pub(crate) weight_bits: u32,
    pub(crate) activation_bits: u32,
}

impl Default for CostOptions {
    fn default() -> Self {
        Self {
            weight_bits: 10,
            activation_bits: 16,
        }
    }
}

impl CostOptions {
    /// As on the command line.
    pub(crate) fn of(args: &PlanArgs) -> Self {
        let usual = Self::default();
        Self {
            weight_bits: args.weight_bits.unwrap_or(usual.weight_bits),
            activation_bits: args.activation_bits.unwrap_or(usual.activation_bits),
        }
    }
}

/// The same network with the algorithms chosen anew.
pub(crate) fn with(model: &Model, algorithms: &Algorithms) -> Outcome<Model> {
    let price = Options::default().cot_price();
    let constants = Constants::default();
    let (model, _) = choose(model, algorithms, price, &constants).map_err(Failure::input)?;
    Ok(model)
}

/// A backbone with random weights, always the same; `NAME-x` with its 1 x 1 layers in so many groups too.
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

/// Its integer network: batch norms and widths from noise.
pub(crate) fn quantised(mut source: Source, options: CostOptions) -> Outcome<Model> {
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
        weight_bits: WeightBits::Fixed(options.weight_bits),
        activation_bits: options.activation_bits,
        // More bits are asked for to have more of them behind the point.
        fraction_bits: usual
            .fraction_bits
            .max(options.activation_bits.saturating_sub(WHOLE)),
        rounding: Rounding::Nearest,
        ..usual
    };
    match import(&source, &samples, &options) {
        Ok((model, _)) => Ok(model),
        Err(e @ Error::Width { .. }) => Err(Failure::input(format!(
            "{e}, and the widest ring has 64: take fewer bits a weight or an activation"
        ))),
        Err(e) => Err(Failure::input(e)),
    }
}

/// Bytes that look like nothing, the same for the same number.
fn noise(number: u32, len: usize) -> Vec<u8> {
    let block = |i: u64| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(number.to_le_bytes());
        hash.update(i.to_le_bytes());
        hash.finalize().into()
    };
    (0..).flat_map(block).take(len).collect()
}

/// Reads the public part of a model, as `import` writes it.
pub(crate) fn public(path: &Path) -> Outcome<PublicModel> {
    let name = path.display();
    let unreadable = |e| Failure::input(format!("cannot read {name}: {e}"));
    let file = File::open(path).map_err(unreadable)?;
    let mut json = Vec::new();
    file.take(MAX_PUBLIC_BYTES as u64 + 1)
        .read_to_end(&mut json)
        .map_err(unreadable)?;
    PublicModel::from_json(&json).map_err(|e| Failure::input(format!("{name}: {e}")))
}
