//! The client's side of one session, from addresses and image files to reports.

use std::io::ErrorKind;
use std::net::SocketAddr;

use channel::Error as Cause;
use images::Image;
use service::{Client, Error, Request};

use crate::args::LinkArgs;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::report::{Layer, Report, widths};
use crate::text::{bytes, hex};
use crate::ui::Ui;

/// A session with the server at one of the addresses, which are those of `name`.
pub(crate) fn dial(
    name: &str,
    addresses: &[SocketAddr],
    request: &Request,
    link: &LinkArgs,
) -> Outcome<Client> {
    let session = Client::dial(addresses, &link.config(), request, entropy::bytes()?);
    session.map_err(|error| Failure::Run(no_session(name, &error)))
}

/// Why there is no session, and what to do about it.
fn no_session(name: &str, error: &Error) -> String {
    match error {
        Error::Incompatible(Cause::ModelMismatch { expected, offered }) => {
            let offered = offered.map_or_else(|| "none".into(), |digest| hex(&digest));
            format!(
                "{name} offers another model: {offered}, and {} is expected; ask its provider which model it serves now, and for the .public.json of that one",
                hex(expected)
            )
        }
        Error::Incompatible(Cause::VersionMismatch { .. } | Cause::ParametersMismatch { .. }) => {
            format!("{name} runs another release of this program: {error}; both ends need the same")
        }
        Error::Transport(Cause::Io { cause, .. })
            if cause.kind() == ErrorKind::ConnectionRefused =>
        {
            format!(
                "nobody listens at {name}: start `blindray serve` there, or look at the address ({error})"
            )
        }
        Error::TooMuchTraffic { planned, allowed } => format!(
            "the session would take {} and --max-traffic allows {}; nothing was asked of the server",
            bytes(*planned),
            bytes(*allowed)
        ),
        Error::Refused { .. } => error.to_string(),
        _ => format!("no session with a server at {name}: {error}"),
    }
}

/// The findings of one image, and what they cost.
pub(crate) fn infer(client: &mut Client, image: &Image, ui: Ui) -> Outcome<Report> {
    let views = client.model().preprocessing.views();
    let layers = (client.network().plan().len() * views) as u64;
    let bar = ui.progress(layers, client.connection().progress());
    let found = client.infer(&image.picture, &mut |progress| {
        bar.reach(progress.layers_done());
    })?;
    drop(bar);
    let model = client.model();
    Ok(Report {
        model: model.name.clone(),
        arithmetic: None,
        mode: Some(client.request().mode.to_string()),
        bits: Some(widths(&model.graph)),
        input: image.name.clone(),
        input_sha256: image.sha256.clone(),
        outputs: found.outputs,
        exact: None,
        deviation: None,
        comm: Some(found.comm),
        time: found.time,
        layers: found.layers.iter().map(Layer::from).collect(),
    })
}
