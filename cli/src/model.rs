//! Finding the model a user names: the embedded network, a file, or a backbone with random weights.

mod embedded;
mod noise;
pub(crate) mod sealed_file;
mod seeded;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nets::{Error, MAX_PUBLIC_BYTES, Model, PublicModel};
use sealed::Key;
use secure::{Algorithms, CpuModel, ExtensionChoice, LayerChoice, Limits, Mode, choose_algorithms};
use service::Extension;
use sharing::default_extension;

use crate::args::ModelArgs;
use crate::failure::{Failure, Outcome};
use crate::file;
use crate::near;
use crate::sealing::SealArgs;
use crate::ui::Ui;

pub(crate) use embedded::{EMBEDDED, XRAYS, embedded};
pub(crate) use seeded::{CostWidths, is_backbone, not_built, quantised, seeded};

/// The largest sealed model file that is read.
const MAX_MODEL_BYTES: u64 = 4 << 30;

/// Rows and columns of a backbone's input, and the number of its outputs, unless said otherwise.
pub(crate) const SIZE: u32 = 224;
pub(crate) const CLASSES: u32 = 14;

/// Loads the model named on the command line: `chestnet`, the path of a .bray file, or a backbone.
pub(crate) fn load(args: &ModelArgs, ui: Ui) -> Outcome<Model> {
    let name = args.model.as_str();
    if !is_backbone(name) {
        let model = from_file(name, &args.seal)?;
        let given = [
            ("--size", args.backbone.size.is_some()),
            ("--classes", args.backbone.classes.is_some()),
        ];
        refuse_backbone_options(name, &given)?;
        return Ok(model);
    }
    refuse_key(name, &args.seal)?;
    ui.note(&format!(
        "WARNING: {name} gets RANDOM weights: its costs are real, its findings mean nothing"
    ));
    let (size, classes) = (
        args.backbone.size.unwrap_or(SIZE),
        args.backbone.classes.unwrap_or(CLASSES),
    );
    let source = seeded(name, size as usize, classes as usize, None);
    let source = source.map_err(|error| not_built(name, error))?;
    quantised(source, CostWidths::default())
}

/// A model with its algorithms chosen.
pub(crate) struct Chosen {
    pub(crate) model: Model,
    /// The choice for each layer.
    pub(crate) layers: Vec<LayerChoice>,
    /// What makes the correlated OTs.
    pub(crate) extension: &'static dyn Extension,
}

/// Chooses the algorithms of a model, and what makes its correlated OTs: each decides what the other one costs, so the algorithms are chosen for
/// the usual extension first.
pub(crate) fn choose(
    model: &Model,
    algorithms: &Algorithms,
    mode: Mode,
    choice: ExtensionChoice,
    constants: &CpuModel,
) -> Outcome<Chosen> {
    let by = |extension: &'static dyn Extension| -> Outcome<Chosen> {
        let constants = constants.clone().of_extension(extension);
        let chosen = choose_algorithms(model, algorithms, extension.price(), &constants);
        let (model, layers) = chosen.map_err(Failure::input)?;
        Ok(Chosen {
            model,
            layers,
            extension,
        })
    };
    let usual = match choice {
        ExtensionChoice::Always(extension) => return by(extension),
        _ => by(default_extension())?,
    };
    let best = extension(&usual.model, mode, choice)?;
    if best.name() == usual.extension.name() {
        return Ok(usual);
    }
    by(best)
}

/// What makes the correlated OTs of a model.
pub(crate) fn extension(
    model: &Model,
    mode: Mode,
    choice: ExtensionChoice,
) -> Outcome<&'static dyn Extension> {
    let graph = Arc::new(model.public.graph.clone());
    let views = model.public.preprocessing.views() as u64;
    let extension = choice.extension(&graph, mode, views, &Limits::default());
    extension.map_err(Failure::input)
}

/// Refuses the options of backbones with random weights, of which each was given or not, for a model that has weights.
pub(crate) fn refuse_backbone_options(name: &str, options: &[(&str, bool)]) -> Outcome<()> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Failure::input(format!(
            "{option} is for backbones with random weights; {name} has its own: leave it out, or import the network anew"
        ))),
        None => Ok(()),
    }
}

/// Refuses a key for what is no file.
pub(crate) fn refuse_key(name: &str, seal: &SealArgs) -> Outcome<()> {
    match seal.is_given() {
        true => Err(Failure::input(format!(
            "{name} is part of the program and not sealed: leave out the key"
        ))),
        false => Ok(()),
    }
}

/// `chestnet`, or the path of a .bray file, sealed or not.
pub(crate) fn from_file(name: &str, seal: &SealArgs) -> Outcome<Model> {
    if name == EMBEDDED {
        refuse_key(name, seal)?;
        return embedded();
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(Failure::input(format!(
            "cannot read {name}: there is no such file; give a .bray file, {EMBEDDED}, or one of {}{}",
            seeded::backbones().join(", "),
            near::file_or(path, seeded::backbones().into_iter().chain([EMBEDDED]))
        )));
    }
    Stored::find(path)?.open(seal.key()?)
}

/// A model file, sealed or not.
pub(crate) struct Stored<'a> {
    path: &'a Path,
    is_sealed: bool,
}

impl<'a> Stored<'a> {
    pub(crate) fn find(path: &'a Path) -> Outcome<Self> {
        let start = file::read_start(path, sealed_file::MAGIC.len() as u64);
        let start = start.map_err(|cause| unread(path, &cause))?;
        Ok(Self {
            path,
            is_sealed: sealed_file::is_sealed(&start),
        })
    }

    pub(crate) const fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// The model. One that is sealed needs a key, and one that is not is not taken for one.
    pub(crate) fn open(self, key: Option<Key>) -> Outcome<Model> {
        let name = self.path.display();
        match (self.is_sealed, key) {
            (true, Some(key)) => {
                let bytes = file::read(self.path, MAX_MODEL_BYTES);
                let bytes = bytes.map_err(|cause| unread(self.path, &cause))?;
                sealed_file::unseal(self.path, bytes, &key)
            }
            (true, None) => Err(Failure::input(format!(
                "{name} is sealed: say where its key is with --key-file, --key-env or --key-command"
            ))),
            (false, Some(_)) => Err(Failure::input(format!(
                "{name} is not sealed, and a key is given: `blindray seal model` seals it, or leave out the key"
            ))),
            (false, None) => Model::load(self.path).map_err(|error| {
                let again = match &error {
                    Error::InFile { source, .. }
                        if matches!(**source, Error::FormatVersion { .. }) =>
                    {
                        "; import the network again"
                    }
                    _ => "",
                };
                Failure::input(format!("{error}{again}"))
            }),
        }
    }
}

fn unread(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::input(format!("cannot read {}: {cause}", path.display()))
}

/// Where `import` writes the public part of a model file, unless said otherwise.
pub(crate) fn public_beside(model: &Path) -> PathBuf {
    model.with_file_name(file::stem(model, ".bray") + ".public.json")
}

/// Reads the public part of a model, as `import` writes it, or of a sealed model.
pub(crate) fn public(path: &Path) -> Outcome<PublicModel> {
    let name = path.display();
    let cannot = |e| Failure::input(format!("cannot read {name}: {e}"));
    if let Some(public) = sealed_file::public(path).map_err(cannot)? {
        return public;
    }
    let json = file::read(path, MAX_PUBLIC_BYTES as u64).map_err(cannot)?;
    PublicModel::from_json(&json).map_err(|error| {
        let problem = problem(&error);
        Failure::input(format!(
            "{name} is no public part of a model, the .public.json that `import` writes beside a .bray file: {problem}"
        ))
    })
}

/// What is wrong, where the words of [`Error::Damaged`] would blame a model file for the fault of an option.
pub(crate) fn problem(error: &Error) -> String {
    match error {
        Error::Damaged(problem) => problem.clone(),
        other => other.to_string(),
    }
}
