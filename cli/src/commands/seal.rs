//! `blindray seal`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nets::Model;
use sealed::Key;

use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::file::Outputs;
use crate::identity::quoted;
use crate::model::Stored;
use crate::model::sealed_file::Sealed;
use crate::sealing::SealArgs;
use crate::ui::Ui;

/// What to do with keys and sealed models.
#[derive(Debug, Subcommand)]
pub(crate) enum SealCommand {
    /// Make a key in a new file that you alone can read.
    Key(NewKeyArgs),
    /// Seal a model file.
    Model(SealModelArgs),
    /// Seal a sealed model with another key; it is never written in the clear.
    Rekey(RekeyArgs),
    /// Write a sealed model in the clear.
    Open(OpenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// The file to write, which does not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SealModelArgs {
    /// The model file.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    key: SealArgs,
    /// Where to write the sealed model; default: in the place of the model file. What a disk has once had may still be found on it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RekeyArgs {
    /// The sealed model file.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    key: SealArgs,
    /// The file with the new key.
    #[arg(long, value_name = "FILE")]
    new_key_file: PathBuf,
    /// Where to write it; default: in the place of the file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The sealed model file.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    key: SealArgs,
    /// Where to write the model.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Makes keys, seals and opens.
pub(crate) fn seal(command: &SealCommand, ui: Ui) -> Outcome<()> {
    match command {
        SealCommand::Key(NewKeyArgs { out }) => {
            let key = Key::new(entropy::bytes()?);
            identity::create_private(out, &format!("{}\n", key.to_text().as_str()))?;
            ui.note(&format!(
                "the key is in {0}, and nowhere else: without it nothing that it seals can be opened. Seal a model: blindray seal model FILE --key-file {0}",
                out.display()
            ));
            Ok(())
        }
        SealCommand::Model(SealModelArgs { model, key, out }) => {
            let stored = Stored::find(model)?;
            if stored.is_sealed() {
                return Err(Failure::input(format!(
                    "{} is sealed already: `seal rekey` gives it another key",
                    model.display()
                )));
            }
            write_sealed(model, out.as_deref(), stored.open(None)?, &key.needed()?)?;
            ui.note(&format!(
                "sealed. Serve it: blindray serve --model {}{}",
                quoted(&out.as_ref().unwrap_or(model).to_string_lossy()),
                key.words()
            ));
            Ok(())
        }
        SealCommand::Rekey(RekeyArgs {
            model,
            key,
            new_key_file,
            out,
        }) => {
            let opened = opened(model, key)?;
            let new = SealArgs {
                key_file: Some(new_key_file.clone()),
                key_env: None,
                key_command: None,
            };
            write_sealed(model, out.as_deref(), opened, &new.needed()?)?;
            ui.note(&format!(
                "sealed with the other key. Serve it: blindray serve --model {}{}",
                quoted(&out.as_ref().unwrap_or(model).to_string_lossy()),
                new.words()
            ));
            Ok(())
        }
        SealCommand::Open(OpenArgs { model, key, out }) => {
            let outputs = Outputs::find(&[("--out", out)], &[("FILE", model)])?;
            let model = opened(model, key)?;
            outputs.drafts(&[&|out| model.write(out)])?.put()
        }
    }
}

/// A model that is sealed.
fn opened(path: &Path, key: &SealArgs) -> Outcome<Model> {
    let stored = Stored::find(path)?;
    stored.open(Some(key.needed()?))
}

fn write_sealed(model: &Path, out: Option<&Path>, opened: Model, key: &Key) -> Outcome<()> {
    let outputs = match out {
        Some(out) => Outputs::find(&[("--out", out)], &[("FILE", model)])?,
        None => Outputs::find(&[("FILE", model)], &[])?,
    };
    let sealed = Sealed::new(key, opened)?;
    outputs.drafts(&[&|out| sealed.write(out)])?.put()
}
