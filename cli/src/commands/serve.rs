//! `blindray serve`.

use std::sync::mpsc;
use std::time::Instant;

use channel::{Config, Connection, Error, Listener};
use nets::Model;
use serde::Serialize;
use sharing::default_extension;

use crate::args::ServeArgs;
use crate::failure::{Failure, Outcome};
use crate::link::require_loopback;
use crate::text::hex;
use crate::ui::Ui;
use crate::{entropy, greeting, model, provider};

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
    let model = model::load(&args.model, ui)?;
    let config = Config {
        max_sessions: args.parallel,
        ..args.link.config()
    };
    let listener = Listener::bind(args.listen, config)
        .map_err(|e| Failure::input(format!("cannot listen on {}: {e}", args.listen)))?;
    let handle = listener.handle();
    ctrlc::set_handler(move || handle.close()).map_err(Failure::run)?;
    announce(&listener, &model, ui)?;
    let terms = greeting::terms(default_extension(), Some(model.public.digest()));

    std::thread::scope(|scope| {
        let (ended, endings) = mpsc::channel();
        let mut begun = 0;
        while args.sessions.is_none_or(|most| begun < most) {
            let connection = match listener.accept(&terms, entropy::bytes()?) {
                Ok(connection) => connection,
                Err(Error::ListenerClosed) => break,
                Err(error) => {
                    ui.note(&format!("a client was turned away: {error}"));
                    continue;
                }
            };
            begun += 1;
            let (model, ended) = (&model, ended.clone());
            scope.spawn(move || {
                let served = session(&connection, model, args.max_images, ui);
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

fn announce(listener: &Listener, model: &Model, ui: Ui) -> Outcome<()> {
    let (address, digest) = (listener.local_addr(), hex(&model.public.digest()));
    ui.note(&format!(
        "serving {} on {address}, model digest {digest}",
        model.public.name
    ));
    if ui.is_json() {
        let listening = address.to_string();
        ui.json_line(&Listening {
            listening,
            model: &model.public.name,
            digest,
        })?;
    }
    Ok(())
}

/// One client, from greeting to goodbye; its failure is its own.
fn session(connection: &Connection, model: &Model, max_images: u32, ui: Ui) -> bool {
    let begin = Instant::now();
    let peer = connection.peer();
    match provider::serve(connection, model, max_images) {
        Ok(images) => {
            let seconds = begin.elapsed().as_secs_f64();
            ui.note(&format!("{peer}: {images} images in {seconds:.2} s"));
            true
        }
        Err(failure) => {
            ui.note(&format!("{peer}: {failure}"));
            false
        }
    }
}
