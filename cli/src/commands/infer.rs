//! `blindray infer`.

use std::net::SocketAddr;
use std::sync::Arc;

use channel::Config;
use service::{Audit, Client, Error, Meeting, Otherwise, Request, Shelf};

use crate::args::{AskArgs, InferArgs, Prepared};
use crate::audit::Trail;
use crate::client;
use crate::failure::{Failure, Outcome};
use crate::identity::ClientGuard;
use crate::inputs::Inputs;
use crate::link::resolve;
use crate::report::{accepted, unlike};
use crate::results::Results;
use crate::text::counted;
use crate::ui::Ui;

/// Asks a server for the findings of every input.
pub(crate) fn infer(args: &InferArgs, ui: Ui) -> Outcome<()> {
    Results::begin(&args.form, &args.input, ui)?.of(|results| find(args, results, ui))
}

fn find(args: &InferArgs, results: &mut Results, ui: Ui) -> Outcome<()> {
    let ask = &args.ask;
    let addresses = resolve(&ask.connect, &ask.link)?;
    let request = ask.request()?;
    let inputs = Inputs::find(&args.input, args.frame, ui)?;
    let request = Request {
        images: inputs.number()?,
        ahead: args.ahead,
        ..request
    };
    let mut guard = ask.guard(ui)?;
    let config = Config {
        connections: args.connections,
        urgent: args.urgent,
        ..ask.config(guard.as_ref())
    };
    let mut trail = ask.trail("infer", guard.as_ref())?;
    let log = trail.log();
    let dialed = dial(args, &addresses, &request, &config, guard.as_ref(), log, ui);
    let mut session = trail.begun(dialed)?;
    trail.opened(session.connection(), session.model())?;
    guard.as_mut().map_or(Ok(()), |guard| guard.remember(ui))?;
    let (model, peer) = (&session.model().name, session.connection().peer());
    let extension = session.extension().name();
    let layers = match session.network().homomorphic() {
        Some(_) => "by ring-LWE",
        None => "by OT",
    };
    ui.note(&format!(
        "model {model} from {peer}, linear layers {layers}, COTs by {extension}"
    ));
    if let Some(accepted) = accepted(session.model()) {
        ui.note(&format!(
            "WARNING: this was accepted when the model was made: {accepted}"
        ));
    }
    let asked = infer_all(args, &mut session, inputs, results, &mut trail, ui);
    trail.closed(session.connection(), asked)
}

/// A session, from preparations where there are enough.
fn dial(
    args: &InferArgs,
    addresses: &[SocketAddr],
    request: &Request,
    config: &Config,
    guard: Option<&ClientGuard>,
    log: Option<&Arc<Audit>>,
    ui: Ui,
) -> Outcome<Client> {
    let (name, own) = (&args.ask.connect, guard.map(|guard| guard.own));
    let shelf = match args.prepared {
        Prepared::Never => None,
        Prepared::Auto => args.ask.shelf.find(own, log)?,
        Prepared::Only => Some(args.ask.shelf.open(own, log)?),
    };
    let mut met = client::meet(name, addresses, request, config, guard, ui)?;
    if let Some(shelf) = &shelf {
        client::tell_expired(&met, shelf, ui);
    }
    let begun = match (shelf, args.prepared) {
        (None, _) | (_, Prepared::Never) => met.begin(),
        (Some(shelf), Prepared::Only) => {
            match ready(&args.ask, &mut met, &shelf, Otherwise::Fail, ui) {
                Ok(_) => met.begin_prepared(&shelf, Otherwise::Fail),
                Err(error) => Err(error),
            }
        }
        (Some(shelf), Prepared::Auto) => match usable(&args.ask, &mut met, &shelf, request, ui) {
            Ok(true) => met.begin_prepared(&shelf, Otherwise::Without),
            Ok(false) => met.begin(),
            Err(error) => Err(error),
        },
    };
    begun.map_err(|error| client::refused(name, &error))
}

/// For how many images there are preparations at both parties, and names those that do not open.
fn ready(
    ask: &AskArgs,
    met: &mut Meeting,
    shelf: &Shelf,
    otherwise: Otherwise,
    ui: Ui,
) -> Result<Option<u64>, Error> {
    let there = met.ready(shelf, otherwise);
    client::tell_damaged(met, &ask.shelf, ui);
    there
}

/// Whether there are preparations for any image. What is the matter with them is no reason to fail: nothing was asked of the server yet.
fn usable(
    ask: &AskArgs,
    met: &mut Meeting,
    shelf: &Shelf,
    request: &Request,
    ui: Ui,
) -> Result<bool, Error> {
    let before = match met.prepared(shelf) {
        Ok(0) => return Ok(false),
        Ok(before) => before,
        Err(error) => {
            ui.note(&format!("goes on without preparations: {error}"));
            return Ok(false);
        }
    };
    let there = match ready(ask, met, shelf, Otherwise::Without, ui) {
        Ok(Some(there)) => there,
        Ok(None) => {
            ui.note("goes on without preparations: the server keeps none now");
            return Ok(false);
        }
        Err(error @ (Error::Store(_) | Error::Damaged(_))) => {
            ui.note(&format!("goes on without preparations: {error}"));
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    if there > 0 && there < u64::from(request.images) {
        let there = counted(usize::try_from(there).unwrap_or(usize::MAX), "image");
        ui.note(&format!(
            "there are preparations for {there} alone: the others go without"
        ));
    }
    if there == 0 && before > 0 {
        ui.note("goes on without preparations: the server has none of those that were here, and they are deleted");
    }
    Ok(there > 0)
}

/// Asks about all images.
fn infer_all(
    args: &InferArgs,
    session: &mut Client,
    inputs: Inputs,
    results: &mut Results,
    trail: &mut Trail,
    ui: Ui,
) -> Outcome<()> {
    client::run_ahead(session, ui)?;
    let mut named = session.passed_over().len();
    for image in inputs {
        let image = image?;
        // Before anything of the image is sent.
        if let Some(unlike) = unlike(session.model(), &image) {
            if args.strict_input {
                let cause = format!("{unlike}; nothing was asked of the server about it");
                return Err(Failure::input(cause).with(&image.name));
            }
            ui.note(&format!(
                "WARNING: image {}: {unlike}; its finding may be wrong",
                image.name
            ));
        }
        trail.asked(session, &image)?;
        let report = client::infer(session, &image, ui);
        named = client::tell_passed_over(session, named, &args.ask.shelf, ui);
        let report = trail.answered(session, report);
        results.add(report.map_err(|failure| failure.with(&image.name))?)?;
    }
    Ok(())
}
