//! The client's side of one session, from addresses and image files to reports.

use std::net::SocketAddr;

use channel::{Config, Error as Cause, Waiting};
use images::Image;
use service::{Client, Error, Progress, Request};

use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::identity;
use crate::report::{Layer, Report, accepted, unlike, widths};
use crate::text::{bytes, hex};
use crate::ui::{Bar, Ui};

/// A session with the server at one of the addresses, which are those of `name`.
pub(crate) fn dial(
    name: &str,
    addresses: &[SocketAddr],
    request: &Request,
    config: &Config,
    ui: Ui,
) -> Outcome<Client> {
    let mut queue = ui.queue();
    let mut waiting = |place: Waiting| queue.reach(place.ahead);
    let seed = entropy::bytes()?;
    let session = Client::dial_in_line(addresses, config, request, seed, &mut waiting);
    let last = queue.ahead();
    drop(queue);
    session.map_err(|error| Failure::Run(no_session(name, &error, last)))
}

/// Why there is no session, and what to do about it. `ahead` is the last place in line, if there was one.
fn no_session(name: &str, error: &Error, ahead: Option<u32>) -> String {
    if let Error::Transport(cause) = error
        && let Some(advice) = identity::advice(name, cause)
    {
        return advice;
    }
    match (error, ahead) {
        (Error::Transport(Cause::Unreachable { tried }), _) => {
            let here = match &tried[..] {
                [(address, _)] if address.to_string() == name => String::new(),
                _ => format!(" for {name}"),
            };
            format!("{error}{here}: is `blindray serve` running there?")
        }
        (Error::Transport(Cause::Timeout { after, .. }), Some(ahead)) => {
            let place = match ahead {
                0 => "you are the next in line".to_owned(),
                _ => format!("there are {ahead} before you in line"),
            };
            let seconds = after.as_secs();
            format!(
                "{name} is busy: after {seconds} s {place}; come again later, or give --max-wait more"
            )
        }
        (Error::Incompatible(Cause::ModelMismatch { expected, offered }), _) => {
            let offered = offered.map_or_else(|| "none".into(), |digest| hex(&digest));
            format!(
                "{name} offers another model: {offered}, and {} is expected; ask its provider which model it serves now, for the .public.json of that one, and whether it serves it with --open",
                hex(expected)
            )
        }
        (Error::Incompatible(_), _) => {
            format!("{name} runs another release of this program: {error}; both ends need the same")
        }
        (Error::TooMuchTraffic { planned, allowed }, _) => format!(
            "the session would take {} and --max-traffic allows {}; nothing was asked of the server",
            bytes(*planned),
            bytes(*allowed)
        ),
        (Error::OtherExtension { .. }, _) => format!(
            "{name}: {error}; nothing was asked of it: leave out --extension, or ask its provider for another"
        ),
        (Error::Homomorphic { .. }, _) => format!(
            "{name}: {error}; nothing was asked of it: leave out --preset ot, or ask its provider for `serve --preset ot`"
        ),
        (Error::Refused { .. }, _) => format!("{name}: {error}"),
        _ => format!("no session with a server at {name}: {error}"),
    }
}

/// Runs layers ahead of the images, if that was asked for.
pub(crate) fn run_ahead(client: &mut Client, ui: Ui) -> Outcome<()> {
    if !client.request().ahead {
        return Ok(());
    }
    if !client.network().runs_ahead() {
        ui.note("no layer of this model has anything to do ahead of the images");
        return Ok(());
    }
    let bar = ui.progress(1, client.connection().progress());
    client.run_ahead(&mut |progress| show(&bar, &progress))?;
    Ok(())
}

fn show(bar: &Bar, progress: &Progress<'_>) {
    let done = (progress.layers_done(), progress.layers());
    bar.reach(done, progress.step.ahead);
}

/// The findings of one image, and what they cost.
pub(crate) fn infer(client: &mut Client, image: &Image, ui: Ui) -> Outcome<Report> {
    let views = client.model().preprocessing.views();
    let layers = (client.network().plan().len() * views) as u64;
    let bar = ui.progress(layers, client.connection().progress());
    let found = client.infer(&image.picture, &mut |progress| show(&bar, &progress))?;
    drop(bar);
    let model = client.model();
    Ok(Report {
        model: model.name.clone(),
        arithmetic: None,
        mode: Some(client.request().mode.to_string()),
        ahead: client
            .request()
            .ahead
            .then_some(client.network().runs_ahead()),
        extension: Some(client.extension().name()),
        bits: Some(widths(&model.graph)),
        input: image.name.clone(),
        input_sha256: image.sha256.clone(),
        outputs: found.outputs,
        notes: image.notes.clone(),
        unlike: unlike(model, image),
        accepted: accepted(model),
        wrapped: None,
        clipped: None,
        exact: None,
        deviation: None,
        comm: Some(found.comm),
        time: found.time,
        layers: found.layers.iter().map(Layer::from).collect(),
    })
}
