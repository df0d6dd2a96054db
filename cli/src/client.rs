//! The client's side of one session, from addresses and image files to reports.

use std::io::{Error as IoError, ErrorKind};
use std::net::SocketAddr;

use channel::{Config, Error as Cause, Role, Waiting};
use images::Image;
use service::{Client, Damage, Error, Meeting, PassedOver, Progress, Request, Shelf, Token, Unfit};

use crate::failure::{Failure, Outcome};
use crate::identity::{self, ClientGuard};
use crate::report::{Layer, Report, accepted, unlike, widths};
use crate::shelf::ShelfArgs;
use crate::text::{bytes, counted, hex};
use crate::ui::{Bar, Ui};
use crate::{entropy, interrupt};

/// Names the preparations that were found not to open.
pub(crate) fn tell_damaged(met: &Meeting, shelf: &ShelfArgs, ui: Ui) {
    for (token, why) in met.damaged() {
        tell_one(token, why, shelf, ui);
    }
}

/// Says that preparations have expired, if some have. What is the matter with them shows when they are looked for.
pub(crate) fn tell_expired(met: &Meeting, shelf: &Shelf, ui: Ui) {
    let expired = met.discard_expired(shelf).unwrap_or(0);
    if expired > 0 {
        let expired = usize::try_from(expired).unwrap_or(usize::MAX);
        let (expired, have) = (
            counted(expired, "preparation"),
            if expired == 1 { "has" } else { "have" },
        );
        ui.note(&format!(
            "{expired} on this machine {have} expired, and made room"
        ));
    }
}

fn tell_one(token: &Token, why: &Damage, shelf: &ShelfArgs, ui: Ui) {
    let token = hex(&token.0);
    let what = match why {
        Damage::Sealed(_) => "Without the key that it was sealed with it is of no use, and can be",
        _ => "It is of no use, and can be",
    };
    ui.note(&format!(
        "the preparation {token} does not open, and is left where it is: {why}. {what} deleted: {}/{token}-*",
        shelf.of_client()
    ));
}

/// Names those that were found to be no good since so many were named; how many were named now.
pub(crate) fn tell_passed_over(session: &Client, named: usize, shelf: &ShelfArgs, ui: Ui) -> usize {
    let passed = session.passed_over();
    for PassedOver { token, why } in &passed[named..] {
        match why {
            Unfit::Damaged(why) => tell_one(token, why, shelf, ui),
            Unfit::Refused(reason) => ui.note(&format!(
                "the preparation {} is gone: the server refused it: {reason}",
                hex(&token.0)
            )),
        }
    }
    passed.len()
}

/// A server at one of the addresses, which are those of `name`, that is known and was not asked for anything yet.
pub(crate) fn meet(
    name: &str,
    addresses: &[SocketAddr],
    request: &Request,
    config: &Config,
    guard: Option<&ClientGuard>,
    ui: Ui,
) -> Outcome<Meeting> {
    let mut queue = ui.queue();
    let mut as_others = config.urgent;
    let mut waiting = |place: Waiting| {
        if std::mem::take(&mut as_others) && !place.urgent {
            ui.note(&format!(
                "{name} lets this client wait like any other: whether it may be urgent is up to its provider"
            ));
        }
        queue.reach(&place);
    };
    let seed = entropy::bytes()?;
    let met = Meeting::dial(addresses, config, request, seed, &mut waiting);
    let last = queue.ahead();
    drop(queue);
    let met = met.map_err(|error| Failure::Run(no_session(name, &error, guard, last)))?;
    interrupt::say_goodbye(met.connection().leaver());
    Ok(met)
}

/// A session with the server at one of the addresses, which are those of `name`.
pub(crate) fn dial(
    name: &str,
    addresses: &[SocketAddr],
    request: &Request,
    config: &Config,
    guard: Option<&ClientGuard>,
    ui: Ui,
) -> Outcome<Client> {
    let met = meet(name, addresses, request, config, guard, ui)?;
    met.begin().map_err(|error| refused(name, &error))
}

/// Why a server that was met does not begin.
pub(crate) fn refused(name: &str, error: &Error) -> Failure {
    Failure::Run(no_session(name, error, None, None))
}

/// Why there is no session, and what to do about it. `ahead` is the last place in line, if there was one.
pub(crate) fn no_session(
    name: &str,
    error: &Error,
    guard: Option<&ClientGuard>,
    ahead: Option<u32>,
) -> String {
    if let Error::Transport(cause) = error
        && let Some(advice) = identity::advice(name, cause, guard)
    {
        return advice;
    }
    match (error, ahead) {
        (Error::Transport(Cause::Unreachable { tried }), _) => {
            let here = match &tried[..] {
                [(address, _)] if address.to_string() == name => String::new(),
                _ => format!(" for {name}"),
            };
            // The usual case has no other cause than what is asked.
            let refused = |(_, cause): &(_, IoError)| cause.kind() == ErrorKind::ConnectionRefused;
            let found = match tried.iter().all(refused) {
                true => {
                    let addresses = tried.iter().map(|(address, _)| address.to_string());
                    let addresses = addresses.collect::<Vec<_>>().join(" and ");
                    format!("nothing listens at {addresses}")
                }
                false => error.to_string(),
            };
            format!("{found}{here}: is `blindray serve` running there?")
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
        (Error::NotPrepared { .. }, _) => format!(
            "{name}: {error} with --prepared only; nothing was asked of it: make some with `blindray prepare --connect {name}`"
        ),
        (Error::Refused { .. }, _) => format!("{name}: {error}"),
        (Error::Store(_), _) => {
            format!("the folder of this machine's preparations (--preparations): {error}")
        }
        (Error::Damaged(_), _) => {
            format!("this machine's preparations (--preparations, --preparations-key): {error}")
        }
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
    let runs = runs_of(client, client.images_left());
    let (planned, _) = client.network().ahead_total(runs);
    let bar = ui.progress(planned, client.connection().progress());
    client.run_ahead(&mut |progress| show(&bar, "", &progress))?;
    Ok(())
}

pub(crate) fn show(bar: &Bar, image: &str, progress: &Progress<'_>) {
    if let Some(planned) = progress.planned {
        bar.plan(planned);
    }
    let begun = progress.layers_done();
    let begun = begun + 1..=begun + progress.step.together as u64;
    let phase = if progress.step.ahead {
        "ahead"
    } else {
        "online"
    };
    bar.reach(&format!("{image}{phase}"), begun, progress.layers());
}

/// Runs of the network for so many images.
fn runs_of(client: &Client, images: u32) -> u64 {
    u64::from(images) * client.model().preprocessing.views() as u64
}

/// The bytes of the runs of the next image, with the refills that they cause.
fn next_image(client: &Client) -> u64 {
    let (network, extension) = (client.network(), client.extension());
    if client.is_prepared() {
        return network.cost().bytes().saturating_mul(runs_of(client, 1));
    }
    let all = runs_of(client, client.request().images);
    let before = all - runs_of(client, client.images_left());
    let now = runs_of(client, 1);
    let (_, ahead) = network.ahead_total(all);
    let drawn = |runs| network.cost().cots.times(runs).plus(ahead);
    let refilled = |runs| {
        let (announced, drawn) = (drawn(all), drawn(runs));
        let pools = [
            (Role::Server, announced.server_sends, drawn.server_sends),
            (Role::Client, announced.client_sends, drawn.client_sends),
        ];
        let bytes = pools.map(|(sender, announced, drawn)| {
            let cost = extension.refill_cost_announced(Some(announced), drawn, sender);
            cost.bytes()
        });
        bytes[0] + bytes[1]
    };
    let refill = refilled(before + now).saturating_sub(refilled(before));
    network
        .cost()
        .bytes()
        .saturating_mul(now)
        .saturating_add(refill)
}

/// The findings of one image, and what they cost.
pub(crate) fn infer(client: &mut Client, image: &Image, ui: Ui) -> Outcome<Report> {
    let images = client.request().images;
    let which = match images {
        1 => String::new(),
        _ => format!("image {} of {images}, ", images - client.images_left() + 1),
    };
    // A session without images left fails below.
    let planned = if client.images_left() > 0 {
        next_image(client)
    } else {
        0
    };
    let bar = ui.progress(planned, client.connection().progress());
    let found = client.infer(&image.picture, &mut |progress| {
        show(&bar, &which, &progress);
    })?;
    drop(bar);
    let prepared_left = client.prepared_left()?;
    let model = client.model();
    Ok(Report {
        model: model.name.clone(),
        model_digest: hex(&model.digest()),
        server: client
            .connection()
            .peer_identity()
            .map(|peer| peer.name.clone()),
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
        preparation: found.preparation,
        prepared_left,
        comm: Some(found.comm),
        time: found.time,
        layers: found.layers.iter().map(Layer::from).collect(),
    })
}
