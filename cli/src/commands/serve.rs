//! `blindray serve`.

mod log;
mod signals;
mod status;

use std::io::Error as IoError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use channel::{Leave, Listener, PeerIdentity};
use identity::Clients;
use secure::{CpuModel, Mode};
use serde::Serialize;
use service::{
    Allowance, Audit, AuditTo, Host, HostOptions, MemoryStore, NotReady, Quota, Server, Store,
};
use tracing::{error, info, warn};

use crate::args::{LogFormat, QuotaArgs, ServeArgs};
use crate::failure::{Failure, Outcome};
use crate::identity::ServerGuard;
use crate::link::{self, resolve};
use crate::model::EMBEDDED;
use crate::report::accepted;
use crate::text::{self, counted, hex};
use crate::ui::Ui;
use crate::{audit, entropy, interrupt, model};
use log::Log;
use signals::Wanted;

/// How often the store is looked at.
const TEND: Duration = Duration::from_secs(5);

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
    /// Where it says how it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// Serves clients until interrupted, or until `--sessions` have ended.
pub(crate) fn serve(args: &ServeArgs, ui: Ui) -> Outcome<()> {
    if args.end_with_stdin {
        interrupt::end_with_stdin()?;
    }
    let ui = match args.log_format {
        LogFormat::Text => ui,
        LogFormat::Json => ui.logged(),
    };
    log::start(args.log_format, args.log_level, ui.is_quiet());
    let addresses = resolve(&args.listen, &args.link)?;
    link::try_listening(&args.listen, &addresses)?;
    let served = status::Served::default();
    let status = args.status.as_deref();
    let status = status
        .map(|name| status::start(name, args.status_exposed, &served))
        .transpose()?;
    let guard = match args.link.insecure {
        true => None,
        false => Some(args.key.server(&args.trust, ui)?),
    };
    let clients = guard.as_ref().and_then(|guard| guard.list.clone());
    let store = args.quota.store(clients.as_deref())?;
    let audit = audit_to(args, guard.as_ref())?;
    let log = audit.as_ref().map(|to| Arc::clone(&to.log));
    let make = || server(args, &store, log.as_ref(), ui);
    let server = make()?;
    let mut options = options(args, clients.clone(), Arc::clone(&store));
    options.audit = audit;
    let host = Arc::new(Host::new(server, options).map_err(Failure::input)?);
    let mut config = args.config(guard.as_ref().map(|guard| Arc::clone(&guard.guard)));
    config.admission = Some(Arc::clone(&host) as _);
    let listener = Listener::bind(&*addresses, config)
        .map_err(|e| Failure::input(format!("cannot listen on {}: {e}", args.listen)))?;
    let (end, wanted) = signals::queue()?;
    let _ = served.set(Arc::clone(&host));
    announce(&listener, &host.server(), guard.as_ref(), status, ui)?;
    let warnings = Warnings { args, ui };
    warnings.of_public_part(&host.server());
    warnings.of_rate(&host.server());

    let (tending, ended) = channel::<()>();
    let tended = Arc::clone(&host);
    // Not waited for: it may wait for a database that does not answer.
    let thread = Builder::new().name("store".to_owned());
    let tend = move || tend(&tended, &ended);
    thread.spawn(tend).map_err(Failure::run)?;
    let ran = std::thread::scope(|scope| {
        let (reload, asked) = channel();
        let (host, make, clients) = (&*host, &make, clients.as_deref());
        let reload = move || {
            // Whoever does not hear it is ending.
            let _ = reload.send(());
        };
        scope.spawn(move || control(host, args, &wanted, &reload, ui));
        scope.spawn(move || {
            while asked.recv().is_ok() {
                // Several in the meantime are one.
                while asked.try_recv().is_ok() {}
                read_again(host, args, make, clients, ui);
            }
        });
        let ran = host.run(&listener, args.sessions);
        drop(tending);
        let _ = end.send(Wanted::End);
        ran
    });
    let ran = ran.map_err(|e| Failure::run(format!("there is no randomness: {e}")))?;
    match ran.failed {
        failed @ 1.. if args.sessions.is_some() => Err(Failure::run(format!(
            "{failed} of {} failed",
            counted(usize::try_from(ran.begun).unwrap_or(usize::MAX), "session")
        ))),
        _ => Ok(()),
    }
}

/// The model, ready to be served.
fn server(
    args: &ServeArgs,
    store: &Arc<dyn Store>,
    log: Option<&Arc<Audit>>,
    ui: Ui,
) -> Outcome<Server> {
    let options = args.options();
    let model = model::load(&args.model, ui)?;
    let (algorithms, mode) = (args.algorithms.on(args.network.network), Mode::Faithful);
    let constants = CpuModel::default();
    let chosen = model::choose(&model, &algorithms, mode, options.extension, &constants)?;
    let model = chosen.model;
    if let Some(accepted) = accepted(&model.public) {
        ui.note(&format!(
            "WARNING: this was accepted when the model was made: {accepted}"
        ));
    }
    let public = model.public.opened(args.open.into());
    let public = public.map_err(|error| Failure::input(format!("--open: {error}")))?;
    let server = Server::new(public, model.weights, options).map_err(Failure::input)?;
    // Several servers that share a store share the preparations as well.
    let shelf = match &args.quota.store {
        _ if args.max_prepared == 0 => None,
        Some(_) => Some(args.shelf.on(Arc::clone(store), log)?),
        None => args.shelf.serve(log)?,
    };
    Ok(match shelf {
        Some(shelf) => server.with_shelf(shelf),
        None => server,
    })
}

/// What the host works with.
fn options(args: &ServeArgs, clients: Option<Arc<Clients>>, store: Arc<dyn Store>) -> HostOptions {
    let general = args.quota.allowance();
    let log = Log::default();
    HostOptions {
        store,
        allowance: Arc::new(move |identity: Option<&PeerIdentity>| {
            let listed = identity.zip(clients.as_ref());
            let rules = listed.and_then(|(identity, clients)| clients.rules(&identity.key));
            let Some(rules) = rules else {
                return general;
            };
            let quota = Quota {
                images_per_hour: rules.images_per_hour.or(general.quota.images_per_hour),
                images: rules.images.or(general.quota.images),
                sessions_per_hour: rules.sessions_per_hour.or(general.quota.sessions_per_hour),
                bytes: rules.bytes.or(general.quota.bytes),
            };
            let parallel = rules.parallel.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            Allowance {
                quota,
                parallel: parallel.or(general.parallel),
                urgent: rules.urgent,
            }
        }),
        observer: Arc::new(move |event| log.note(event)),
        ..HostOptions::new(|| entropy::bytes().map_err(|e| IoError::other(e.to_string())))
    }
}

/// Where it is recorded who asked for what.
fn audit_to(args: &ServeArgs, guard: Option<&ServerGuard>) -> Outcome<Option<AuditTo>> {
    let Some(path) = &args.audit else {
        return Ok(None);
    };
    Ok(Some(AuditTo {
        log: Arc::new(audit::open(path, "serve")?),
        key: guard.map(|guard| *guard.fingerprint.as_bytes()),
        name: args.listen.clone(),
    }))
}

impl QuotaArgs {
    const fn allowance(&self) -> Allowance {
        let quota = Quota {
            images_per_hour: self.quota_images_per_hour,
            images: self.quota_images,
            sessions_per_hour: self.quota_sessions_per_hour,
            bytes: self.quota_bytes,
        };
        Allowance {
            quota,
            parallel: self.quota_parallel,
            urgent: false,
        }
    }

    /// Where it is kept what clients have used: in memory, if nobody asked and nothing limits them.
    fn store(&self, clients: Option<&Clients>) -> Outcome<Arc<dyn Store>> {
        let opened = match &self.store {
            Some(name) => {
                has_folder(name)?;
                store::open(name)
            }
            None if self.allowance().quota.is_unlimited()
                && !clients.is_some_and(Clients::has_limits) =>
            {
                return Ok(Arc::new(MemoryStore::new()));
            }
            None => store::open(&usual_store()?.to_string_lossy()),
        };
        opened.map_err(|error| Failure::input(format!("--store: {error}")))
    }
}

/// Fails where a file would need a new folder: a slip of the pen would be a store in which nobody has used anything. The usual place is made.
fn has_folder(name: &str) -> Outcome<()> {
    let folder = Path::new(name).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !name.contains("://") && !folder.is_dir() => Err(Failure::input(format!(
            "--store {name}: there is no folder {}; make it, or write the name of one that is there",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// `serve.redb` in the user's folder for what programs keep.
fn usual_store() -> Outcome<PathBuf> {
    let folder = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let state = folder("XDG_STATE_HOME");
    let state = state.or_else(|| Some(folder("HOME")?.join(".local/state")));
    let state = state.ok_or_else(|| {
        Failure::input("neither XDG_STATE_HOME nor HOME is set: say where with --store FILE")
    })?;
    Ok(state.join("blindray/serve.redb"))
}

/// Does what the process is asked for, until it has ended.
fn control(host: &Host, args: &ServeArgs, wanted: &Receiver<Wanted>, reload: &dyn Fn(), ui: Ui) {
    let mut cut_at = None;
    loop {
        let next = match cut_at {
            Some(at) => {
                wanted.recv_timeout(Instant::saturating_duration_since(&at, Instant::now()))
            }
            None => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(Wanted::Reload) => reload(),
            Ok(Wanted::Stop) => {
                host.stop();
                let running = host.running();
                if running == 0 {
                    continue;
                }
                let sessions = counted(running, "session");
                let until = match args.stop_after {
                    Some(seconds) => {
                        cut_at = Some(Instant::now() + Duration::from_secs(seconds));
                        format!("for {seconds} s at most")
                    }
                    None => "or for another Ctrl-C or SIGTERM".to_owned(),
                };
                ui.note(&format!(
                    "no more clients are taken; waiting for {sessions} to end, {until}"
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                cut_at = None;
                let sessions = counted(host.running(), "session");
                warn!("cut: {sessions} did not end in time");
                host.cut(Leave::TimeOver);
            }
            #[cfg(unix)]
            Ok(Wanted::Cut(signal)) => {
                host.cut(Leave::Stopped);
                interrupt::end(signal);
            }
            Ok(Wanted::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Looks after the store until the server has ended.
fn tend(host: &Host, ended: &Receiver<()>) {
    let mut failing = false;
    while ended.recv_timeout(TEND) == Err(RecvTimeoutError::Timeout) {
        // A client may have met with it first, and that is in the log already.
        failing |= matches!(host.ready(), Err(NotReady::Store(_)));
        match host.tend() {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                error!(%error, "clients are refused: {error}");
            }
            Err(_) => {}
        }
    }
}

/// Reads the list of clients and the model again; what is wrong stays as it was.
fn read_again(
    host: &Host,
    args: &ServeArgs,
    make: impl Fn() -> Outcome<Server>,
    clients: Option<&Clients>,
    ui: Ui,
) {
    match clients.map(Clients::reload) {
        Some(Ok(count)) => {
            let clients = counted(count, "client");
            info!(clients = count, "read the list of clients again: {clients}");
        }
        Some(Err(error)) => error!(%error, "the list of clients stays as it was: {error}"),
        None => {}
    }
    let replaced = make().and_then(|server| {
        Warnings { args, ui }.of_public_part(&server);
        let (name, digest) = (server.model().name.clone(), hex(&server.model().digest()));
        host.replace(server).map_err(Failure::run)?;
        Ok((name, digest))
    });
    match replaced {
        Ok((name, digest)) => info!(
            model = name,
            digest, "read the model again: new sessions get {name}, model digest {digest}"
        ),
        Err(error) => error!(%error, "the model stays as it was: {error}"),
    }
}

fn announce(
    listener: &Listener,
    server: &Server,
    guard: Option<&ServerGuard>,
    status: Option<std::net::SocketAddr>,
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
    if let Some(status) = status {
        ui.note(&format!(
            "how it is: blindray ps --status {status}, or http://{status}/metrics, /livez and /readyz"
        ));
    }
    if ui.is_json() {
        let listening = address.to_string();
        ui.json_line(&Listening {
            listening,
            model: name,
            digest,
            extension,
            fingerprint,
            status: status.map(|status| status.to_string()),
        })?;
    }
    Ok(())
}

/// What an operator should know of a model and the options around it.
struct Warnings<'a> {
    args: &'a ServeArgs,
    ui: Ui,
}

impl Warnings<'_> {
    /// Says where the public part beside a model file is that of another model: one of the two files is older than the other.
    fn of_public_part(&self, server: &Server) {
        let name = &self.args.model.model;
        // Before less was opened of it.
        let digest = server.model().digest();
        let beside = model::public_beside(Path::new(name));
        let is_other = |public: nets::PublicModel| {
            let opened = public.opened(self.args.open.into());
            opened.is_ok_and(|public| public.digest() != digest)
        };
        // What is not there or is something else need not fit.
        if name != EMBEDDED && model::public(&beside).is_ok_and(is_other) {
            self.ui.note(&format!(
                "WARNING: {} belongs to another model than {name}, and clients that have it will accept no session: import the network again",
                beside.display()
            ));
        }
    }

    /// Says how fast a line the largest session needs, where that is not a matter of course.
    fn of_rate(&self, server: &Server) {
        /// Bytes per second.
        const MATTER_OF_COURSE: u64 = 1_000_000;
        let (bytes, seconds) = (server.largest_session(), self.args.max_session);
        if bytes / seconds >= MATTER_OF_COURSE {
            self.ui.note(&format!(
                "a session of {} takes {}: to be over within --max-session {seconds} it needs {} per second on average",
                counted(self.args.max_images as usize, "image"),
                text::bytes(bytes),
                text::bytes(bytes / seconds)
            ));
        }
    }
}
