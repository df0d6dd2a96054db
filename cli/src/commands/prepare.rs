//! `blindray prepare`.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use channel::Config;
use serde::Serialize;
use service::{Prepared, Request, Shelf, Token};

use crate::args::PrepareArgs;
use crate::audit::Trail;
use crate::client;
use crate::failure::{Failure, Outcome};
use crate::identity::ClientGuard;
use crate::link::resolve;
use crate::text::{bytes, counted};
use crate::ui::Ui;

/// What was made, and what there is now.
#[derive(Serialize)]
struct Made {
    /// `None` if nothing was missing.
    #[serde(flatten)]
    prepared: Option<Prepared>,
    /// For how many images there are preparations.
    prepared_left: u64,
}

/// Makes preparations, once or as long as it runs.
pub(crate) fn prepare(args: &PrepareArgs, ui: Ui) -> Outcome<()> {
    let ask = &args.ask;
    let request = Request {
        ahead: true,
        ..ask.request()?
    };
    let mut guard = ask.guard(ui)?;
    let config = ask.config(guard.as_ref());
    let trail = ask.trail("prepare", guard.as_ref())?;
    let own = guard.as_ref().map(|guard| guard.own);
    let shelf = ask.shelf.open(own, trail.log())?;
    let mut good = BTreeSet::new();
    loop {
        match session(
            args,
            (&shelf, &trail),
            &mut good,
            &request,
            &config,
            guard.as_mut(),
            ui,
        ) {
            Err(failure @ Failure::Run(_)) if args.keep_going => {
                ui.note(&format!("{failure}; again in {} s", args.every));
            }
            outcome => outcome?,
        }
        if !args.keep_going {
            return Ok(());
        }
        thread::sleep(Duration::from_secs(args.every));
    }
}

/// One session with the server.
fn session(
    args: &PrepareArgs,
    (shelf, trail): (&Shelf, &Trail),
    good: &mut BTreeSet<Token>,
    request: &Request,
    config: &Config,
    guard: Option<&mut ClientGuard>,
    ui: Ui,
) -> Outcome<()> {
    let name = &args.ask.connect;
    let addresses = resolve(name, &args.ask.link)?;
    let met = client::meet(name, &addresses, request, config, guard.as_deref(), ui);
    let mut met = trail.begun(met)?;
    guard.map_or(Ok(()), |guard| guard.remember(ui))?;
    // Those that do not open, and those that the server has not, are none.
    let refused = |error| client::refused(name, &error);
    client::tell_expired(&met, shelf, ui);
    met.inspect(shelf, good).map_err(refused)?;
    client::tell_damaged(&met, &args.ask.shelf, ui);
    met.settle(shelf).map_err(refused)?;
    let there = met.prepared(shelf).map_err(refused)?;
    let images = match args.stock {
        None => args.images,
        Some(target) => u32::try_from(u64::from(target).saturating_sub(there)).unwrap_or(0),
    };
    if images == 0 {
        return match args.keep_going {
            true => Ok(()),
            false => told(None, there, ui),
        };
    }
    let model = &met.model().name;
    ui.note(&format!(
        "preparing {} for {model} of {}; there are {there}",
        counted(images as usize, "image"),
        met.connection().peer()
    ));
    let connection = met.connection().clone();
    trail.opened(&connection, met.model())?;
    // The session finds out how much it will be.
    let bar = ui.progress(0, connection.progress());
    let views = met.model().preprocessing.views() as u64;
    let made = met.prepare(shelf, images, &mut |progress| {
        client::show(&bar, "", &progress);
    });
    drop(bar);
    let made = made.map_err(refused);
    let made = trail.closed(&connection, made)?;
    told(Some(made), there + made.runs / views, ui)
}

fn told(prepared: Option<Prepared>, prepared_left: u64, ui: Ui) -> Outcome<()> {
    if ui.is_json() {
        return ui.json_line(&Made {
            prepared,
            prepared_left,
        });
    }
    let mut text = String::new();
    if let Some(made) = prepared {
        let comm = made.comm;
        text = format!(
            "prepared {} in {:.2} s (set-up {:.2} s), {} each at this side\ntraffic: {} (ahead {}, {} flights; COT refill {}; keys {})\n",
            counted(made.images as usize, "image"),
            made.seconds,
            made.setup_s,
            bytes(made.bytes_per_run * made.runs / u64::from(made.images)),
            bytes(comm.total_bytes()),
            bytes(comm.ahead_bytes()),
            comm.ahead_flights,
            bytes(comm.refill_bytes()),
            bytes(comm.setup_bytes()),
        );
    }
    let left = counted(
        usize::try_from(prepared_left).unwrap_or(usize::MAX),
        "image",
    );
    ui.text(&format!("{text}preparations there: for {left}\n"))
}
