//! The hospital's side of one session.

use std::net::SocketAddr;
use std::time::Instant;

use channel::{Connection, Cost};
use images::Image;
use nets::PublicModel;
use secure::{Mode, SecureNetwork};
use sharing::{Session, default_extension};

use crate::args::LinkArgs;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::greeting::{self, CONTROL, Request};
use crate::report::{Comm, Layer, Report, Times, integer_findings, seconds, widths};
use crate::ui::Ui;

/// A session with a provider, past the greeting.
pub(crate) struct Hospital {
    connection: Connection,
    session: Session,
    model: PublicModel,
    mode: Mode,
    /// Reported with the first image, then zero.
    setup_s: f64,
}

impl Hospital {
    /// Connects, checks the model and makes the session ready for `images` images.
    pub(crate) fn connect(
        address: SocketAddr,
        expect: Option<[u8; 32]>,
        request: Request,
        link: &LinkArgs,
    ) -> Outcome<Self> {
        let begin = Instant::now();
        let extension = default_extension();
        let config = link.config();
        let terms = greeting::terms(extension, expect);
        let connection = channel::connect(address, &terms, &config, entropy::bytes()?)
            .map_err(|e| Failure::run(format!("cannot reach a provider at {address}: {e}")))?;
        let mut control = connection.open(CONTROL).map_err(Failure::run)?;
        let digest = connection.peer_terms().and_then(|terms| terms.model);
        let model = greeting::meet(&mut control, digest)?;
        let views = u32::try_from(model.preprocessing.views()).map_err(Failure::run)?;
        let inputs = Request {
            images: request.images.saturating_mul(views),
            ..request
        };
        greeting::ask(&mut control, inputs)?;
        let session =
            Session::establish(&connection, entropy::bytes()?, extension).map_err(Failure::run)?;
        let setup_s = seconds(begin.elapsed());
        Ok(Self {
            connection,
            session,
            model,
            mode: request.mode,
            setup_s,
        })
    }

    /// What the provider offers.
    pub(crate) const fn model(&self) -> &PublicModel {
        &self.model
    }

    /// The findings of one image.
    pub(crate) fn infer(&mut self, picture: &Image, ui: Ui) -> Outcome<Report> {
        let begin = Instant::now();
        let graph = std::sync::Arc::new(self.model.graph.clone());
        let network =
            SecureNetwork::new(graph, self.mode, self.session.cot_price()).map_err(Failure::run)?;
        let views: Vec<_> = (0..self.model.preprocessing.views())
            .map(|view| self.model.prepare(&picture.picture, view))
            .collect();
        let preprocess_s = seconds(begin.elapsed());
        let refill_before = refill(&self.session);
        let steps = network.plan().len();
        let bar = ui.progress((steps * views.len()) as u64, self.connection.progress());
        let online = Instant::now();
        let mut raw = Vec::with_capacity(views.len());
        let mut layers: Vec<Layer> = Vec::new();
        let mut comm = Comm::default();
        for (i, view) in views.iter().enumerate() {
            let (outputs, run) = network
                .infer(&mut self.session, view.fixed(), &mut |step| {
                    bar.reach((i * steps + step.layer) as u64);
                })
                .map_err(Failure::run)?;
            let (client_to_server_bytes, server_to_client_bytes, flights) = run.totals();
            comm.client_to_server_bytes += client_to_server_bytes;
            comm.server_to_client_bytes += server_to_client_bytes;
            comm.flights += flights;
            raw.push(outputs);
            let of_view = run.layers.iter().map(Layer::from);
            if layers.is_empty() {
                layers = of_view.collect();
            } else {
                layers
                    .iter_mut()
                    .zip(of_view)
                    .for_each(|(sum, layer)| sum.add(&layer));
            }
        }
        drop(bar);
        let online_s = seconds(online.elapsed());
        let refill_after = refill(&self.session);
        let setup_s = std::mem::take(&mut self.setup_s);
        Ok(Report {
            model: self.model.name.clone(),
            arithmetic: None,
            mode: Some(self.mode.to_string()),
            bits: Some(widths(&self.model.graph)),
            input: picture.name.clone(),
            input_sha256: picture.sha256.clone(),
            outputs: integer_findings(&self.model, &raw),
            exact: None,
            deviation: None,
            comm: Some(Comm {
                refill_client_to_server_bytes: refill_after.0 - refill_before.0,
                refill_server_to_client_bytes: refill_after.1 - refill_before.1,
                ..comm
            }),
            time: Times {
                setup_s,
                preprocess_s,
                online_s,
                total_s: setup_s + seconds(begin.elapsed()),
            },
            layers,
        })
    }
}

/// Bytes so far on the refill streams, set-up included: to the server, to the client.
fn refill(session: &Session) -> (u64, u64) {
    session
        .refill_ledgers()
        .into_iter()
        .flatten()
        .map(|ledger| ledger.measured())
        .fold((0, 0), |sum, cost: Cost| {
            (
                sum.0 + cost.bytes_to_server(),
                sum.1 + cost.bytes_to_client(),
            )
        })
}
