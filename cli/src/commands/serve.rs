//! `blindray serve`.

use std::sync::mpsc;
use std::time::Duration;

use channel::{Config, Connection, Error, Listener};
use serde::Serialize;
use service::{Served, Server, ServerOptions};

use crate::args::ServeArgs;
use crate::failure::{Failure, Outcome};
use crate::link::require_loopback;
use crate::text::{counted, hex};
use crate::ui::Ui;
use crate::{entropy, model};

/// How long a client may take to hang up after its session.
const HANG_UP: Duration = Duration::from_secs(10);

/// Printed under `--json` as soon as clients may connect.
#[derive(Serialize)]
struct Listening<'a> {
    listening: String,
    model: &'a str,
    digest: String,
}

/// Serves clients until interrupted, or until `--sessions` have ended.
pub(crate) fn serve(args: &ServeArgs, ui: Ui) -> Outcome<()> {
    require_loopback(args.listen, &args.link)?;
    let server = server(args, ui)?;
    let config = Config {
        max_sessions: args.parallel as usize,
        ..args.link.config()
    };
    let listener = Listener::bind(args.listen, config)
        .map_err(|e| Failure::input(format!("cannot listen on {}: {e}", args.listen)))?;
    let handle = listener.handle();
    ctrlc::set_handler(move || handle.close()).map_err(Failure::run)?;
    announce(&listener, &server, ui)?;

    std::thread::scope(|scope| {
        let (ended, endings) = mpsc::channel();
        let mut begun = 0;
        while args.sessions.is_none_or(|most| begun < most) {
            let connection = match listener.accept(server.terms(), entropy::bytes()?) {
                Ok(connection) => connection,
                Err(Error::ListenerClosed) => break,
                Err(error) => {
                    ui.note(&format!("a client was turned away: {error}"));
                    continue;
                }
            };
            begun += 1;
            let (server, ended) = (&server, ended.clone());
            scope.spawn(move || {
                let served = session(&connection, server, ui);
                // This process may end next; the client is given time to take what was sent.
                let _ = connection.close(HANG_UP);
                // The receiver lives as long as this scope.
                let _ = ended.send(served);
            });
        }
        drop(ended);
        let failed = endings.iter().filter(|served| !served).count();
        if args.sessions.is_some() && failed > 0 {
            return Err(Failure::run(format!("{failed} of {begun} sessions failed")));
        }
        Ok(())
    })
}

/// The model, ready to be served.
fn server(args: &ServeArgs, ui: Ui) -> Outcome<Server> {
    let model = model::load(&args.model, ui)?;
    let options = ServerOptions {
        max_images: args.max_images,
        ..ServerOptions::default()
    };
    Server::new(model.public, model.weights, options).map_err(Failure::input)
}

fn announce(listener: &Listener, server: &Server, ui: Ui) -> Outcome<()> {
    let (address, model) = (listener.local_addr(), server.model());
    let (name, digest) = (model.name.as_str(), hex(&model.digest()));
    ui.note(&format!(
        "serving {name} on {address}, model digest {digest}"
    ));
    if ui.is_json() {
        let listening = address.to_string();
        ui.json_line(&Listening {
            listening,
            model: name,
            digest,
        })?;
    }
    Ok(())
}

/// One client, from greeting to goodbye; its failure is its own.
fn session(connection: &Connection, server: &Server, ui: Ui) -> bool {
    let peer = connection.peer();
    let serve = |seed| Ok(server.serve(connection, seed, &mut |_| {})?);
    match entropy::bytes().and_then(serve) {
        Ok(Served {
            images, seconds, ..
        }) => {
            let images = counted(images as usize, "image");
            ui.note(&format!("{peer}: {images} in {seconds:.2} s"));
            true
        }
        Err(failure) => {
            ui.note(&format!("{peer}: {failure}"));
            false
        }
    }
}
