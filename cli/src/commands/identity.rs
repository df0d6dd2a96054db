//! `blindray identity`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use identity::Identity;
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::identity::{own_file, usual_name};
use crate::ui::Ui;

/// What to do with an identity.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make a new private key with a certificate, valid for ten years, in a file that you alone can read.
    New(NewArgs),
    /// Show the fingerprint by which others know you.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The file to write, which does not exist yet; default: blindray/identity.pem in your configuration folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the certificate calls it; default: your user name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The file; default: blindray/identity.pem in your configuration folder.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show the certificate as well, in PEM.
    #[arg(long)]
    certificate: bool,
}

#[derive(Serialize)]
struct Shown {
    fingerprint: String,
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// Makes or shows an identity.
pub(crate) fn identity(command: &IdentityCommand, ui: Ui) -> Outcome<()> {
    match command {
        IdentityCommand::New(NewArgs { out, name }) => {
            let file = out.clone().map_or_else(own_file, Ok)?;
            let name = name.clone().unwrap_or_else(usual_name);
            let made = Identity::generate(&name)?;
            if file.exists() {
                return Err(Failure::input(format!(
                    "{} exists, and a key is never replaced: `blindray identity show` shows it, --out FILE makes another one",
                    file.display()
                )));
            }
            made.save(&file)?;
            show(&made, file, false, ui)
        }
        IdentityCommand::Show(ShowArgs { file, certificate }) => {
            let file = file.clone().map_or_else(own_file, Ok)?;
            if !file.exists() {
                return Err(Failure::input(format!(
                    "{} is not there: `blindray identity new` makes a key",
                    file.display()
                )));
            }
            show(&Identity::open(&file)?, file, *certificate, ui)
        }
    }
}

fn show(identity: &Identity, file: PathBuf, certificate: bool, ui: Ui) -> Outcome<()> {
    let fingerprint = identity.fingerprint().to_string();
    let certificate = certificate.then(|| identity.certificates());
    if ui.is_json() {
        return ui.json_line(&Shown {
            fingerprint,
            file,
            certificate,
        });
    }
    ui.text(&format!(
        "{fingerprint}\n{}",
        certificate.unwrap_or_default()
    ))?;
    ui.note(&format!(
        "in {}. Tell the fingerprint by a way that nobody can change. A server that is to serve you:",
        file.display()
    ));
    ui.note(&format!(
        "  echo '{fingerprint} NAME' >> clients.txt; blindray serve --model MODEL.bray --clients clients.txt"
    ));
    ui.note("and a client that is to trust you:");
    ui.note(&format!(
        "  blindray infer --connect HOST:7700 --trust {fingerprint} --input FILE"
    ));
    Ok(())
}
