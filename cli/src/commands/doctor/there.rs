//! The way to a server, step by step: the first that fails ends it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use channel::{Config, Waiting, connect_in_line};
use identity::KnownPeers;
use secure::{CpuModel, Limits, Mode, NetworkSpeed, SecureNetwork};
use serde::Serialize;
use service::{Error, Line, Request};

use super::Check;
use crate::args::DoctorArgs;
use crate::client::no_session;
use crate::cost::machine::Machine;
use crate::cost::wire;
use crate::entropy;
use crate::failure::Outcome;
use crate::identity::{ClientGuard, known_file, quoted};
use crate::link::resolve;
use crate::report::traffic_of;
use crate::text::{bytes, hex};
use crate::ui::Ui;

/// How long to wait in a server's line.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clocks that differ by more deserve a word.
const CLOCKS: f64 = 60.0;

/// What was measured, ready for `plan` and `serve`.
#[derive(Debug, Serialize)]
pub(super) struct Way {
    server: String,
    model: String,
    model_digest: String,
    extension: &'static str,
    round_trip_s: f64,
    up_bytes_per_s: f64,
    down_bytes_per_s: f64,
    clock_ahead_s: f64,
    /// The value for `--network`.
    network: String,
    /// Of one image in faithful mode, keys and refills included; exact.
    image_bytes: u64,
    image_flights: u64,
    /// Of one image on this line, an estimate.
    image_s: f64,
    /// The options by which this client reaches it.
    #[serde(skip)]
    how: String,
}

/// The options of a client that decide whether it speaks with a server, as a shell takes them.
fn how(args: &DoctorArgs) -> String {
    let file = |path: &PathBuf| quoted(&path.to_string_lossy());
    let options = [
        args.link.insecure.then(|| " --insecure".to_owned()),
        args.key
            .identity
            .as_ref()
            .map(|path| format!(" --identity {}", file(path))),
        args.trust.trust.map(|key| format!(" --trust {key}")),
        args.trust
            .server_ca
            .as_ref()
            .map(|path| format!(" --server-ca {}", file(path))),
    ];
    options.into_iter().flatten().collect()
}

/// Goes the way, and says at each step how it was. The way is measured where nothing failed.
pub(super) fn look(
    server: &str,
    args: &DoctorArgs,
    said: &mut Vec<Check>,
    ui: Ui,
) -> Outcome<Option<Way>> {
    let addresses = match resolve(server, &args.link) {
        Ok(addresses) => addresses,
        Err(failure) => {
            said.push(Check::fault(
                "address",
                failure.to_string(),
                "look at the name, the port, and the resolver of this machine",
            ));
            return Ok(None);
        }
    };
    let shown = addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    said.push(Check::ok(
        "address",
        match &shown[..] {
            [one] if one == server => one.clone(),
            _ => format!("{server} is {}", shown.join(", ")),
        },
    ));
    let guard = match args.link.insecure {
        true => None,
        // Files and options that are wrong were told above.
        false => Some(args.key.client(&args.trust, server, ui)?),
    };
    let config = Config {
        guard: guard.as_ref().map(|guard| Arc::clone(&guard.guard)),
        max_wait: PATIENCE,
        ..args.link.config()
    };
    let request = Request::default();
    let mut ahead = None;
    let mut waiting = |place: Waiting| ahead = Some(place.ahead);
    let seed = entropy::bytes()?;
    let connection = connect_in_line(&*addresses, &request.terms(), &config, seed, &mut waiting);
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => {
            said.push(unreached(server, &error.into(), guard.as_ref(), ahead));
            return Ok(None);
        }
    };
    said.push(match connection.peer_identity() {
        None => Check::warning(
            "server",
            "nothing is encrypted, and nobody knows who it is",
            "leave out --insecure at both ends: then each has a key, and TLS",
        ),
        Some(peer) => Check::ok(
            "server",
            format!("TLS 1.3, {}, {}", peer.name, how_known(server, args)),
        ),
    });
    match Line::measure(&connection, &request) {
        Ok(line) => way(server, args, &line, said).map(Some),
        Err(error) => {
            said.push(unmeasured(server, &error, guard.as_ref()));
            Ok(None)
        }
    }
}

/// Nobody answers, or not as a server of ours that knows this client.
fn unreached(
    server: &str,
    error: &Error,
    guard: Option<&ClientGuard>,
    ahead: Option<u32>,
) -> Check {
    let cause = no_session(server, error, guard, ahead);
    if let Error::Transport(channel::Error::Unreachable { .. }) = error {
        let advice = "is it on an address that others reach (`serve --listen 0.0.0.0:PORT`), and does every firewall between let this port through?";
        return Check::fault("server", cause, advice);
    }
    let plain = guard.is_none();
    let advice = match error {
        Error::Incompatible(_) => "both ends need the same release of this program",
        Error::Transport(channel::Error::SpeaksTls) => {
            "--insecure is an option of both ends, or of none"
        }
        // Whoever is no server of ours closes it as well.
        Error::Transport(channel::Error::Closed { .. }) if !plain => {
            "is it `blindray serve` that listens there, and without --insecure?"
        }
        Error::Transport(channel::Error::Guard { .. }) => {
            "the keys of both ends decide: `blindray identity show` says yours"
        }
        _ => "is it `blindray serve` that listens there, and not something else?",
    };
    Check::fault("server", cause, advice)
}

/// Why this server's key is trusted.
fn how_known(server: &str, args: &DoctorArgs) -> &'static str {
    let known = known_file()
        .ok()
        .and_then(|file| KnownPeers::open(&file).ok());
    match (
        known.and_then(|known| known.find(server)),
        args.trust.trust,
        &args.trust.server_ca,
    ) {
        (.., Some(_)) => "by an authority",
        (Some(_), ..) => "known",
        (None, Some(_), _) => "by --trust; `infer --trust` remembers it",
        (None, None, None) => "this machine's own key",
    }
}

fn unmeasured(server: &str, error: &Error, guard: Option<&ClientGuard>) -> Check {
    let advice = match error {
        Error::Incompatible(_) => "both ends need the same release of this program",
        Error::Refused { .. } => "its provider decides what this client may use",
        Error::PeerMisbehaved { .. } => "its provider's log says more; it may be another release",
        _ => "try again; if it stays, ask its provider what its log says",
    };
    Check::fault("session", no_session(server, error, guard, None), advice)
}

fn way(server: &str, args: &DoctorArgs, line: &Line, said: &mut Vec<Check>) -> Outcome<Way> {
    let digest = hex(&line.model.digest());
    said.push(Check::ok(
        "model",
        format!(
            "{}, digest {digest}, COTs by {}",
            line.model.name,
            line.extension.name()
        ),
    ));
    let off = line.clock_ahead_s;
    let by = match off.abs() < 0.1 {
        true => "the server's shows the same time".to_owned(),
        false if off > 0.0 => format!("the server's is {off:.1} s ahead of this one"),
        false => format!("the server's is {:.1} s behind this one", -off),
    };
    said.push(match off.abs() > CLOCKS {
        true => Check::warning(
            "clocks",
            by,
            "set both by NTP: certificates and expiries go by them",
        ),
        false => Check::ok("clocks", by),
    });
    let speed = NetworkSpeed {
        bytes_per_s: line.bytes_per_s(),
        rtt_s: line.round_trip_s,
    };
    let network = wire::written(speed);
    said.push(Check::ok(
        "line",
        format!(
            "{} ({} a second to the server, {} to here, {} there and back)",
            network,
            bytes(whole(line.up_bytes_per_s)),
            bytes(whole(line.down_bytes_per_s)),
            wire::lasting(line.round_trip_s)
        ),
    ));
    let graph = Arc::new(line.model.graph.clone());
    let price = line.extension.price();
    let plan = SecureNetwork::within(&Limits::default(), graph, Mode::Faithful, price);
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            said.push(Check::fault(
                "image",
                error.to_string(),
                "this client cannot take part in a session of that model",
            ));
            return Ok(Way::new(server, args, line, network));
        }
    };
    let views = line.model.preprocessing.views();
    let constants = Machine::find(None).unwrap_or_else(|_| CpuModel::default());
    let constants = constants.of_extension(line.extension);
    let times = u32::try_from(views).map_or(1.0, f64::from);
    let image_s = times * (constants.seconds(&plan.work()) + speed.seconds(plan.cost(), price));
    let way = Way {
        image_bytes: traffic_of(&plan, views as u64, line.extension),
        image_flights: (plan.cost().flights() * views) as u64,
        image_s,
        ..Way::new(server, args, line, network)
    };
    said.push(Check::ok(
        "image",
        format!(
            "takes {} in {} flights, and about {} on this line",
            bytes(way.image_bytes),
            way.image_flights,
            wire::lasting(image_s)
        ),
    ));
    Ok(way)
}

impl Way {
    fn new(server: &str, args: &DoctorArgs, line: &Line, network: String) -> Self {
        Self {
            how: how(args),
            server: server.to_owned(),
            model: line.model.name.clone(),
            model_digest: hex(&line.model.digest()),
            extension: line.extension.name(),
            round_trip_s: line.round_trip_s,
            up_bytes_per_s: line.up_bytes_per_s,
            down_bytes_per_s: line.down_bytes_per_s,
            clock_ahead_s: line.clock_ahead_s,
            network,
            image_bytes: 0,
            image_flights: 0,
            image_s: 0.0,
        }
    }

    /// Commands that are ready to be pasted.
    pub(super) fn next_steps(&self) -> String {
        let network = &self.network;
        format!(
            "\nwith these figures:\n  blindray plan --model MODEL.bray --network {network}\n  blindray serve --model MODEL.bray --network {network}      # at the provider\n  blindray infer --connect {}{} --expect-model {} --input FILE\n",
            self.server, self.how, self.model_digest
        )
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate of bytes, which stops at the largest integer"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}
