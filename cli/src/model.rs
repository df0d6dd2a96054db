//! Finding the model a user names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nets::{
    BACKBONES, ImportOptions, MAX_PUBLIC_BYTES, Model, PublicModel, Shape, backbone_seeded, import,
};
use sha2::{Digest, Sha256};

use crate::args::ModelArgs;
use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// Noise images that a backbone with random weights is calibrated on.
const CALIBRATION: u32 = 2;

/// The embedded chest X-ray network: what it is and where it is from stands in `assets/NOTICE.md`.
pub(crate) const EMBEDDED: &str = "chestnet";
const CHESTNET: &[u8] = include_bytes!("../assets/chestnet.bray");

/// Embedded test X-rays with their published labels.
pub(crate) const XRAYS: [(&str, &[u8]); 3] = [
    (
        "NORMAL2-IM-0322-0001.jpeg",
        include_bytes!("../assets/xrays/NORMAL2-IM-0322-0001.jpeg"),
    ),
    (
        "person99_bacteria_473.jpeg",
        include_bytes!("../assets/xrays/person99_bacteria_473.jpeg"),
    ),
    (
        "person8_virus_27.jpeg",
        include_bytes!("../assets/xrays/person8_virus_27.jpeg"),
    ),
];

/// The embedded network.
pub(crate) fn embedded() -> Outcome<Model> {
    Model::from_bytes(CHESTNET).map_err(Failure::run)
}

/// Loads the model named on the command line: `chestnet`, the path of a .bray file, or a backbone.
pub(crate) fn load(args: &ModelArgs, ui: Ui) -> Outcome<Model> {
    let name = args.model.as_str();
    if name == EMBEDDED {
        return embedded();
    }
    let path = Path::new(name);
    if BACKBONES.contains(&name) && !path.exists() {
        ui.note(&format!(
            "WARNING: {name} gets RANDOM weights: its costs are real, its findings mean nothing"
        ));
        return random(name, args.size as usize, args.classes as usize);
    }
    Model::load(path).map_err(Failure::input)
}

/// A backbone with random weights, always the same, calibrated on noise.
fn random(arch: &str, size: usize, classes: usize) -> Outcome<Model> {
    let shape = Shape::new(3, size, size);
    let source = backbone_seeded(arch, shape, classes, Sha256::digest(arch).into())
        .map_err(Failure::input)?;
    let samples: Vec<_> = (0..CALIBRATION)
        .map(|image| source.preprocessing.values(&noise(image, shape.len())))
        .collect::<Result<_, _>>()
        .map_err(Failure::run)?;
    let options = ImportOptions {
        name: format!("{arch} (random weights)"),
        ..ImportOptions::default()
    };
    let (model, _) = import(&source, &samples, &options).map_err(Failure::input)?;
    Ok(model)
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
