//! The client's side of one session, from addresses and image files to reports.

use std::net::SocketAddr;

use images::Image;
use service::{Client, Error, Request};

use crate::args::LinkArgs;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::report::{Layer, Report, widths};
use crate::ui::Ui;

/// A session with the server at an address.
pub(crate) fn dial(address: SocketAddr, request: &Request, link: &LinkArgs) -> Outcome<Client> {
    let session = Client::dial(address, &link.config(), request, entropy::bytes()?);
    session.map_err(|error| match error {
        Error::Transport(cause) => {
            Failure::run(format!("no session with a server at {address}: {cause}"))
        }
        other => other.into(),
    })
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
