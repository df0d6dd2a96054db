//! The hospital's side of one session.

use std::net::SocketAddr;
use std::time::Instant;

use channel::{Connection, Cost};
use nets::{Mode, PublicModel, SecureNetwork};
use sharing::{Options, Session};

use crate::args::LinkArgs;
use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::greeting::{self, CONTROL, Request};
use crate::images::Picture;
use crate::report::{Comm, Layer, Report, Times, findings, seconds, widths};
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
        let options = Options::default();
        let config = link.config();
        let terms = greeting::terms(&options, expect);
        let connection = channel::connect(address, &terms, &config, entropy::bytes()?)
            .map_err(|e| Failure::run(format!("cannot reach a provider at {address}: {e}")))?;
        let mut control = connection.open(CONTROL).map_err(Failure::run)?;
        let digest = connection.peer_terms().and_then(|terms| terms.model);
        let model = greeting::meet(&mut control, digest)?;
        greeting::ask(&mut control, request)?;
        let session =
            Session::establish(&connection, entropy::bytes()?, &options).map_err(Failure::run)?;
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
    pub(crate) fn infer(&mut self, picture: &Picture, ui: Ui) -> Outcome<Report> {
        let begin = Instant::now();
        let network = SecureNetwork::new(&self.model.graph, self.mode, self.session.cot_price())
            .map_err(Failure::run)?;
        let prepared = self.model.prepare(picture.pixels());
        let preprocess_s = seconds(begin.elapsed());
        let refill_before = refill(&self.session);
        let bar = ui.progress(network.plan().len() as u64, self.connection.progress());
        let online = Instant::now();
        let (raw, run) = network
            .infer(&mut self.session, prepared.fixed(), &mut |step| {
                bar.reach(step.layer as u64);
            })
            .map_err(Failure::run)?;
        drop(bar);
        let online_s = seconds(online.elapsed());
        let (client_to_server_bytes, server_to_client_bytes, flights) = run.totals();
        let refill_after = refill(&self.session);
        let setup_s = std::mem::take(&mut self.setup_s);
        Ok(Report {
            model: self.model.name.clone(),
            arithmetic: None,
            mode: Some(self.mode.to_string()),
            bits: Some(widths(&self.model.graph)),
            input: picture.name.clone(),
            input_sha256: picture.sha256.clone(),
            outputs: findings(&self.model, &self.model.logits(&raw), Some(&raw)),
            exact: None,
            deviation: None,
            comm: Some(Comm {
                client_to_server_bytes,
                server_to_client_bytes,
                flights,
                refill_client_to_server_bytes: refill_after.0 - refill_before.0,
                refill_server_to_client_bytes: refill_after.1 - refill_before.1,
            }),
            time: Times {
                setup_s,
                preprocess_s,
                online_s,
                total_s: setup_s + seconds(begin.elapsed()),
            },
            layers: run.layers.iter().map(Layer::from).collect(),
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
