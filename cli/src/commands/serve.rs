//! `blindray serve`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use channel::{Connection, Error, Listener, TurnedAway};
use secure::{CpuModel, Mode};
use serde::Serialize;
use service::{Served, Server};

use crate::args::ServeArgs;
use crate::failure::{Failure, Outcome};
use crate::identity::ServerGuard;
use crate::link::{self, resolve};
use crate::model::EMBEDDED;
use crate::report::accepted;
use crate::text::{self, counted, hex};
use crate::ui::Ui;
use crate::{entropy, interrupt, model};

/// The least time between two notes about strangers.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a client may take to hang up after its session.
const HANG_UP: Duration = Duration::from_secs(10);

/// Printed under `--json` as soon as clients may connect.
#[derive(Serialize)]
struct Listening<'a> {
    listening: String,
    model: &'a str,
    digest: String,
    extension: &'static str,
    /// Of the server's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

/// Serves clients until interrupted, or until `--sessions` have ended.
pub(crate) fn serve(args: &ServeArgs, ui: Ui) -> Outcome<()> {
    if args.end_with_stdin {
        interrupt::end_with_stdin()?;
    }
    let addresses = resolve(&args.listen, &args.link)?;
    link::try_listening(&args.listen, &addresses)?;
    let options = args.options();
    let model = model::load(&args.model, ui)?;
    let (algorithms, mode) = (args.algorithms.on(args.network.network), Mode::Faithful);
    let constants = CpuModel::default();
    let chosen = model::choose(&model, &algorithms, mode, options.extension, &constants)?;
    let model = chosen.model;
    let accepted = accepted(&model.public);
    let digest = model.public.digest();
    let public = model.public.opened(args.open.into());
    let public = public.map_err(|error| Failure::input(format!("--open: {error}")))?;
    let mut server = Server::new(public, model.weights, options).map_err(Failure::input)?;
    if let Some(shelf) = args.shelf.serve()?.filter(|_| args.max_prepared > 0) {
        server = server.with_shelf(shelf);
    }
    let guard = match args.link.insecure {
        true => None,
        false => Some(args.key.server(&args.trust, ui)?),
    };
    let config = args.config(guard.as_ref().map(|guard| Arc::clone(&guard.guard)));
    let listener = Listener::bind(&*addresses, config)
        .map_err(|e| Failure::input(format!("cannot listen on {}: {e}", args.listen)))?;
    let running = Arc::new(AtomicUsize::new(0));
    close_at_interrupt(&listener, &running, ui)?;
    announce(&listener, &server, guard.as_ref(), ui)?;
    warn_of_public_part(&args.model.model, &digest, ui);
    warn_of_rate(&server, args, ui);
    if let Some(accepted) = accepted {
        ui.note(&format!(
            "WARNING: this was accepted when the model was made: {accepted}"
        ));
    }

    let (failed, mut strangers) = (AtomicU64::new(0), Strangers::new(ui));
    let begun = std::thread::scope(|scope| -> Outcome<u64> {
        let mut begun = 0;
        while args.sessions.is_none_or(|most| begun < most) {
            let connection = match listener.receive(server.terms(), entropy::bytes()?) {
                Ok(connection) => connection,
                Err(TurnedAway {
                    error: Error::ListenerClosed,
                    ..
                }) => break,
                Err(turned_away) => {
                    strangers.turn_away(&turned_away);
                    continue;
                }
            };
            begun += 1;
            running.fetch_add(1, Ordering::Relaxed);
            let (server, running, failed) = (&server, &running, &failed);
            let serve = move || {
                let served = session(&connection, server, ui);
                failed.fetch_add(u64::from(!served), Ordering::Relaxed);
                // This process may end next; the client is given time to take what was sent.
                let _ = connection.close(HANG_UP);
                running.fetch_sub(1, Ordering::Relaxed);
            };
            if let Err(error) = Builder::new().spawn_scoped(scope, serve) {
                // The system has no thread to spare; the client goes with its connection.
                ui.note(&format!("a client was turned away: {error}"));
                failed.fetch_add(1, Ordering::Relaxed);
                running.fetch_sub(1, Ordering::Relaxed);
            }
        }
        // Nobody else is served: those in line hear it now.
        listener.handle().close();
        Ok(begun)
    })?;
    match failed.into_inner() {
        failed @ 1.. if args.sessions.is_some() => {
            Err(Failure::run(format!("{failed} of {begun} sessions failed")))
        }
        _ => Ok(()),
    }
}

/// When asked to end, takes no more clients, and lets sessions at hand come to their end.
fn close_at_interrupt(listener: &Listener, running: &Arc<AtomicUsize>, ui: Ui) -> Outcome<()> {
    let (handle, running) = (listener.handle(), Arc::clone(running));
    interrupt::first(move || {
        handle.close();
        let running = running.load(Ordering::Relaxed);
        if running > 0 {
            ui.note(&format!(
                "no more clients are taken; waiting for {} to end, or for another Ctrl-C",
                counted(running, "session")
            ));
        }
    })
}

fn announce(
    listener: &Listener,
    server: &Server,
    guard: Option<&ServerGuard>,
    ui: Ui,
) -> Outcome<()> {
    let (address, model) = (listener.local_addr(), server.model());
    let (name, digest) = (model.name.as_str(), hex(&model.digest()));
    let extension = server.extension().name();
    ui.note(&format!(
        "serving {name} on {address}, model digest {digest}, COTs by {extension}"
    ));
    let fingerprint = guard.map(|guard| guard.fingerprint.to_string());
    if let (Some(guard), Some(fingerprint)) = (guard, &fingerprint) {
        let host = match address.ip().is_unspecified() {
            true => format!("HOST:{}", address.port()),
            false => address.to_string(),
        };
        ui.note(&format!(
            "its key is {fingerprint}; it serves {}. A client's command:",
            guard.clients
        ));
        ui.note(&format!(
            "  blindray infer --connect {host} --trust {fingerprint} --expect-model {digest} --input FILE"
        ));
    } else {
        ui.note("nothing is encrypted, and whoever comes is served (--insecure)");
    }
    if ui.is_json() {
        let listening = address.to_string();
        ui.json_line(&Listening {
            listening,
            model: name,
            digest,
            extension,
            fingerprint,
        })?;
    }
    Ok(())
}

/// Says where the public part beside a model file is that of another model: one of the two files is older than the other.
fn warn_of_public_part(name: &str, digest: &[u8; 32], ui: Ui) {
    let beside = model::public_beside(Path::new(name));
    // What is not there or is something else need not fit.
    if name != EMBEDDED && model::public(&beside).is_ok_and(|public| public.digest() != *digest) {
        ui.note(&format!(
            "WARNING: {} belongs to another model than {name}, and clients that have it will accept no session: import the network again",
            beside.display()
        ));
    }
}

/// Says how fast a line the largest session needs, where that is not a matter of course.
fn warn_of_rate(server: &Server, args: &ServeArgs, ui: Ui) {
    /// Bytes per second.
    const MATTER_OF_COURSE: u64 = 1_000_000;
    let (bytes, seconds) = (server.largest_session(), args.max_session);
    if bytes / seconds >= MATTER_OF_COURSE {
        ui.note(&format!(
            "a session of {} takes {}: to be over within --max-session {seconds} it needs {} per second on average",
            counted(args.max_images as usize, "image"),
            text::bytes(bytes),
            text::bytes(bytes / seconds)
        ));
    }
}

/// Notes about clients who did not come to a session: no more than one a second, so that a crowd does not fill the log.
struct Strangers {
    ui: Ui,
    last: Option<Instant>,
    unsaid: usize,
}

impl Strangers {
    const fn new(ui: Ui) -> Self {
        Self {
            ui,
            last: None,
            unsaid: 0,
        }
    }

    fn turn_away(&mut self, turned_away: &TurnedAway) {
        if self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            self.unsaid += 1;
            return;
        }
        let others = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            n => format!(" (and {n} others before)"),
        };
        self.ui
            .note(&format!("a client was turned away: {turned_away}{others}"));
        self.last = Some(Instant::now());
    }
}

/// One client, from greeting to goodbye; its failure is its own.
fn session(connection: &Connection, server: &Server, ui: Ui) -> bool {
    let peer = match connection.peer_identity() {
        Some(identity) => format!("{} ({})", connection.peer(), identity.name),
        None => connection.peer().to_owned(),
    };
    let serve = |seed| Ok(server.serve(connection, seed, &mut |_| {})?);
    match entropy::bytes().and_then(serve) {
        Ok(Served {
            images,
            seconds,
            prepared,
            stocked,
            ..
        }) => {
            let images = counted(images as usize, "image");
            let how = match (prepared, stocked) {
                (0, false) => "",
                (0, true) => ", prepared before,",
                _ => " prepared",
            };
            ui.note(&format!("{peer}: {images}{how} in {seconds:.2} s"));
            true
        }
        Err(failure) => {
            ui.note(&format!("{peer}: {failure}"));
            false
        }
    }
}
