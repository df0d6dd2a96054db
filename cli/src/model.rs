//! Finding the model a user names: the embedded network, a file, or a backbone with random weights.

mod embedded;
mod noise;
mod seeded;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nets::{MAX_PUBLIC_BYTES, Model, PublicModel};

use crate::args::ModelArgs;
use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

pub(crate) use embedded::{EMBEDDED, XRAYS, embedded};
pub(crate) use seeded::{CostWidths, is_backbone, quantised, seeded};

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
    quantised(source, CostWidths::default())
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
            seeded::backbones().join(", ")
        )));
    }
    Model::load(path).map_err(Failure::input)
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
