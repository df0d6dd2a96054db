//! A server for many clients: sessions, quotas, reload, stop.

mod event;
mod metrics;
mod options;
mod recorder;
mod sessions;
mod status;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Error as IoError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::Builder;
use std::time::{Duration, Instant};

use channel::{
    Admission, Admitted, Applicant, Connection, Error as ChannelError, Leave, Listener,
    PeerIdentity, Refusal as Refused,
};

use crate::server::Asked;
use crate::words::counted;
use crate::{
    AuditError, AuditLink, Charge, ClientKey, Error, Progress, Quota, Served, Server, Stock,
    StoreError, Verdict,
};
use metrics::Metrics;
use recorder::Recorder;
use sessions::Sessions;

pub use event::{Event, Peer, RefusalKind};
pub use options::{Allowance, AllowanceOf, HostOptions};
pub use recorder::AuditTo;
pub use status::{HostStatus, SessionStatus, StockStatus, Totals};

/// How long what a store said counts, before it is said not to answer.
const FRESH: Duration = Duration::from_secs(20);
/// How long a client may take to hang up after its session.
const HANG_UP: Duration = Duration::from_secs(10);

/// A [`Server`] for many clients: takes them from a [`Listener`], one thread for each session, charges each for what it asks
/// before it is computed, tells what happens, and counts it.
///
/// The model can be exchanged while it runs ([`Host::replace`]), and it stops without cutting anybody off
/// ([`Host::stop`]). All methods may be called from any thread.
pub struct Host {
    server: RwLock<Arc<Server>>,
    options: HostOptions,
    metrics: Metrics,
    sessions: Sessions,
    begun: Instant,
    /// What the store said last, and when.
    seen: Mutex<(Instant, Result<Stock, StoreError>)>,
    /// Why the last line of the audit log could not be written, if so.
    unrecorded: Mutex<Option<String>>,
}

/// How a run of [`Host::run`] went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Ran {
    /// Sessions that began.
    pub begun: u64,
    /// Those of them that did not end well.
    pub failed: u64,
}

impl Host {
    /// Makes a host of a server.
    ///
    /// # Errors
    /// If the audit log does not take that the model is served.
    pub fn new(server: Server, options: HostOptions) -> Result<Self, AuditError> {
        recorder::model(&options, &server)?;
        let stock = look(&options, &server);
        Ok(Self {
            server: RwLock::new(Arc::new(server)),
            options,
            metrics: Metrics::default(),
            sessions: Sessions::default(),
            begun: Instant::now(),
            seen: Mutex::new((Instant::now(), stock)),
            unrecorded: Mutex::default(),
        })
    }

    /// The server of sessions that begin now.
    #[must_use]
    pub fn server(&self) -> Arc<Server> {
        let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&server)
    }

    /// Lets sessions that begin from now on have this server. Those at hand end with theirs.
    ///
    /// # Errors
    /// If the audit log does not take it; then the server stays.
    pub fn replace(&self, server: Server) -> Result<(), AuditError> {
        recorder::model(&self.options, &server)?;
        *self.server.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(server);
        Ok(())
    }

    /// Serves the clients of a listener until [`Host::stop`], until its handle closes it, or until so many sessions have begun;
    /// returns when all of them have ended. How many there are at the same time, and who waits, is up to the
    /// listener's [`channel::Config`].
    ///
    /// # Errors
    /// Where [`HostOptions::entropy`] fails; the sessions at hand have ended then, too.
    #[expect(clippy::missing_panics_doc, reason = "32 bytes begin with 16")]
    pub fn run(&self, listener: &Listener, most: Option<u64>) -> Result<Ran, IoError> {
        let registered = self.sessions.listen(listener.handle());
        let failed = AtomicU64::new(0);
        let ran = std::thread::scope(|scope| {
            let (mut begun, failed) = (0, &failed);
            while most.is_none_or(|most| begun < most) {
                let fresh = (self.options.entropy)()?;
                let entropy = *fresh.first_chunk().expect("32 bytes");
                let server = RefCell::new(self.server());
                let terms = || {
                    let current = self.server();
                    let terms = current.terms().clone();
                    *server.borrow_mut() = current;
                    terms
                };
                let connection = match listener.receive_on(&terms, entropy) {
                    Ok(connection) => connection,
                    Err(turned_away) => {
                        if matches!(turned_away.error, ChannelError::ListenerClosed) {
                            break;
                        }
                        self.metrics.turned_away();
                        let turned_away = &turned_away;
                        self.tell(&Event::TurnedAway { turned_away });
                        continue;
                    }
                };
                begun += 1;
                let server = server.into_inner();
                let serve = move || {
                    let served = self.serve(&connection, &server);
                    let well = matches!(served, Ok(_) | Err(Error::OnlyMeasured));
                    failed.fetch_add(u64::from(!well), Ordering::Relaxed);
                    // This process may end next; the client is given time to take what was sent.
                    let _ = connection.close(HANG_UP);
                };
                let thread = Builder::new().name("session".to_owned());
                if let Err(error) = thread.spawn_scoped(scope, serve) {
                    // The system has no thread to spare; the client goes with its connection.
                    self.metrics.failed();
                    failed.fetch_add(1, Ordering::Relaxed);
                    self.tell(&Event::NoThread { error: &error });
                }
            }
            // Nobody else is served: those in line hear it now.
            listener.handle().close();
            Ok(begun)
        });
        drop(registered);
        let failed = failed.into_inner();
        ran.map(|begun| Ran { begun, failed })
    }

    /// Serves one client over a connection from elsewhere: in memory, or over a stream of the caller's.
    ///
    /// # Errors
    /// As [`Server::serve`]; [`Error::Refused`] also where the quota of the client or the stop of this host is the reason.
    ///
    /// # Panics
    /// As [`Server::serve`].
    pub fn session(&self, connection: &Connection) -> Result<Served, Error> {
        self.serve(connection, &self.server())
    }

    /// Takes no more clients: those in line are refused, and so are those who have not asked for anything yet. Sessions at hand
    /// go on to their end.
    pub fn stop(&self) {
        self.sessions.stop();
    }

    /// Cuts all sessions at hand, as after a stop that takes too long: their clients get an error, which says why where they listen, and no finding.
    /// Takes a second at most.
    pub fn cut(&self, why: Leave) {
        self.sessions.cut(why);
    }

    /// Whether [`Host::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.sessions.is_stopping()
    }

    /// Sessions at hand.
    #[must_use]
    pub fn running(&self) -> usize {
        self.sessions.count(None)
    }

    /// Deletes preparations that have expired, looks whether the store answers and can be written, and after a line of the audit log
    /// that could not be written, tries one that says which model is served. To be called every few seconds: what
    /// [`Host::ready`] and [`Host::metrics`] say of both is what they said here or to a client since, so that neither waits for them.
    ///
    /// # Errors
    /// What the store says.
    pub fn tend(&self) -> Result<(), StoreError> {
        if self.unrecorded().is_some() {
            self.recorded(&recorder::model(&self.options, &self.server()));
        }
        let stock = look(&self.options, &self.server());
        let said = stock.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.see(stock);
        said
    }

    fn see(&self, stock: Result<Stock, StoreError>) {
        let (good, now) = (stock.is_ok(), (Instant::now(), stock));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = std::mem::replace(&mut *seen, now);
        drop(seen);
        if good && before.is_err() {
            self.tell(&Event::StoreBack);
        }
    }

    /// Why the last line of the audit log could not be written, if so.
    fn unrecorded(&self) -> Option<String> {
        let unrecorded = self.unrecorded.lock();
        unrecorded.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what the audit log said.
    fn recorded<T>(&self, said: &Result<T, AuditError>) {
        let why = said.as_ref().err().map(ToString::to_string);
        *self
            .unrecorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// What the store said last.
    fn seen(&self) -> Result<Stock, StoreError> {
        let (at, said) = &*self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if at.elapsed() > FRESH {
            let what = format!("nothing was heard of it for {} s", at.elapsed().as_secs());
            return Err(StoreError::Unavailable { what });
        }
        said.clone()
    }

    /// Whether clients can be served: not while it stops, and not without its store or its audit log.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.is_stopping() {
            return Err(NotReady::Stopping);
        }
        self.seen().map_err(NotReady::Store)?;
        match self.unrecorded() {
            Some(what) => Err(NotReady::Audit { what }),
            None => Ok(()),
        }
    }

    /// What happened so far, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let waiting = self.sessions.waiting();
        let audit = self.options.audit.as_ref();
        let audited = audit.map(|_| self.unrecorded().is_none());
        self.metrics
            .text(self.running(), waiting, self.seen().ok(), audited)
    }

    /// What it does at the moment, by client.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        let server = self.server();
        let digest = server.model().digest();
        let seen = self.seen();
        HostStatus {
            model: server.model().name.clone(),
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            uptime_s: self.begun.elapsed().as_secs(),
            sessions: self.sessions.status(),
            waiting: self.sessions.waiting().0,
            totals: self.metrics.totals(),
            stock_fault: seen.as_ref().err().map(ToString::to_string),
            stock: seen.ok().map(|stock| StockStatus {
                preparations: stock.lots,
                bytes: stock.bytes,
            }),
        }
    }

    fn tell(&self, event: &Event<'_>) {
        (self.options.observer)(event);
    }

    fn serve(&self, connection: &Connection, server: &Server) -> Result<Served, Error> {
        let identity = connection.peer_identity();
        let client = ClientKey::of(identity);
        let entered = self.sessions.enter(client, connection);
        let peer = Peer {
            session: entered.number(),
            address: connection.peer(),
            identity,
            model: server.terms().model.unwrap_or_default(),
        };
        self.tell(&Event::Opened { peer });
        let (begin, moved) = (Instant::now(), connection.progress());
        let outcome = self.protocols(connection, server, peer);
        let seconds = begin.elapsed().as_secs_f64();
        self.metrics
            .ended(&outcome, seconds, moved.received(), moved.sent());
        let outcome = outcome.map_err(|(error, kind)| {
            self.tell(&Event::Ended {
                peer,
                outcome: Err((&error, kind)),
                seconds,
            });
            error
        })?;
        self.tell(&Event::Ended {
            peer,
            outcome: Ok(&outcome),
            seconds,
        });
        Ok(outcome)
    }

    /// A session; its error with the reason if this host refused.
    fn protocols(
        &self,
        connection: &Connection,
        server: &Server,
        peer: Peer<'_>,
    ) -> Result<Served, (Error, Option<RefusalKind>)> {
        let seed = (self.options.entropy)().map_err(|error| {
            let reason = format!("the server has no randomness: {error}");
            (Error::Refused { reason }, Some(RefusalKind::Server))
        })?;
        let mut refused = None;
        let note = |said: &Result<AuditLink, AuditError>| self.recorded(said);
        let recorder = Recorder::new(&self.options, connection, peer.model, &note);
        let recorder = RefCell::new(recorder);
        // None where preparations are made.
        let images = Cell::new(0);
        let mut admit = |asked: &Asked| {
            // No session begins.
            if asked.measured || asked.detour {
                let admitted = self.admit(peer, asked);
                return admitted.map_err(|(kind, reason)| {
                    refused = Some(kind);
                    reason
                });
            }
            let admitted = self.admit(peer, asked).and_then(|()| {
                let recorded = recorder.borrow_mut().open(asked);
                self.tell_unrecorded(&recorder.borrow());
                // What is the matter with the log is nothing for clients.
                let reason = "the server cannot record this session; come again later";
                let unrecorded = || (RefusalKind::Server, reason.to_owned());
                recorded.then_some(()).ok_or_else(unrecorded)
            });
            match admitted {
                Ok(()) => {
                    images.set(u64::from(asked.images));
                    self.tell(&Event::Granted { peer, asked });
                    Ok(())
                }
                Err((kind, reason)) => {
                    refused = Some(kind);
                    Err(reason)
                }
            }
        };
        let views = server.model().preprocessing.views() as u64;
        let mut number = 0;
        let mut tell = |progress: Progress<'_>| {
            while number < images.get() && number <= progress.image(views) {
                number += 1;
                if !recorder.borrow_mut().next_image() {
                    self.tell_unrecorded(&recorder.borrow());
                    // It goes no further.
                    let _ = connection.clone().close(Duration::ZERO);
                }
                self.sessions.image(peer.session, number);
                self.tell(&Event::Image { peer, number });
            }
        };
        let served = server.serve_if(connection, seed, &mut admit, &mut tell);
        let mut recorder = recorder.into_inner();
        if !recorder.close(served.as_ref()) {
            self.tell_unrecorded(&recorder);
        }
        served.map_err(|error| {
            let ours = matches!(error, Error::Refused { .. });
            let kind = refused.or(ours.then_some(RefusalKind::Request));
            (error, kind)
        })
    }

    fn tell_unrecorded(&self, recorder: &Recorder<'_>) {
        if let Some(error) = recorder.failed() {
            self.tell(&Event::Audit { error });
        }
    }

    /// Charges a client for what it asks, or says why it does not get it.
    fn admit(&self, peer: Peer<'_>, asked: &Asked) -> Result<(), (RefusalKind, String)> {
        // Those at hand go on.
        if self.is_stopping() && !asked.detour {
            let reason = "the server is stopping; come again".to_owned();
            return Err((RefusalKind::Stopping, reason));
        }
        let client = ClientKey::of(peer.identity);
        let Allowance {
            quota, parallel, ..
        } = (self.options.allowance)(peer.identity);
        // This session is counted.
        if let Some(most) = parallel
            && !asked.detour
            && self.sessions.count(Some(client)) > most as usize
        {
            let reason = format!(
                "this client has {} at the same time, and no more are allowed; come again when one has ended",
                counted(u64::from(most), "session")
            );
            return Err((RefusalKind::Parallel, reason));
        }
        // A look at the line is no session, nor is the rest of one; its first steps move no bytes, and are not worth a look at the store.
        let charge = Charge {
            images: u64::from(asked.images),
            sessions: u64::from(!asked.measured && !asked.detour),
            bytes: asked.bytes,
        };
        if charge == Charge::default() {
            return Ok(());
        }
        let now = (self.options.clock)();
        match self.options.store.charge(&client, &charge, &quota, now) {
            Ok(Verdict::Charged) => Ok(()),
            Ok(Verdict::Refused(refusal)) => {
                let what = match (asked.measured, asked.detour) {
                    (false, false) => None,
                    (true, _) => Some("to measure the line"),
                    (_, true) => Some("to go on without preparations"),
                };
                let reason = match what {
                    None => refusal.to_string(),
                    Some(what) => format!(
                        "{what} takes bytes of the quota, which is {}, and {} are used; ask the operator for more",
                        refusal.allowed, refusal.used
                    ),
                };
                Err((RefusalKind::Quota(refusal.kind), reason))
            }
            Err(error) => {
                self.tell(&Event::Store { error: &error });
                self.see(Err(error));
                // What is the matter with it is nothing for clients.
                let reason = "the server's store does not work now; come again later".to_owned();
                Err((RefusalKind::Store, reason))
            }
        }
    }
}

/// For [`channel::Config::admission`] of the listener: who is urgent, and who has as many sessions as he may and
/// waits for one of them to end. Quotas are another matter: they are charged when a client has said what it asks for.
impl Admission for Host {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<Admitted, Refused> {
        if self.is_stopping() {
            return Err(Refused::new("the server is stopping", None));
        }
        let allowance = (self.options.allowance)(applicant.identity);
        Ok(Admitted {
            urgent: applicant.urgent && allowance.urgent,
            sessions: allowance.parallel.map_or(usize::MAX, |most| most as usize),
        })
    }
}

/// Whether the store answers and can be written: a full medium can still be read. The charge is none, of nobody. Preparations may be
/// in another store: what there is of them.
fn look(options: &HostOptions, server: &Server) -> Result<Stock, StoreError> {
    const NOBODY: ClientKey = ClientKey([0xff; 32]);
    let (store, now) = (&options.store, (options.clock)());
    store.charge(&NOBODY, &Charge::default(), &Quota::default(), now)?;
    match server.shelf() {
        Some(shelf) => shelf.tend(),
        None => store.stock(now),
    }
}

impl ClientKey {
    /// Of a peer; all zero where nobody is asked who he is.
    #[must_use]
    pub fn of(identity: Option<&PeerIdentity>) -> Self {
        Self(identity.map_or([0; 32], |identity| identity.key))
    }
}

/// Why a host would serve nobody now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It stops.
    #[error("stopping")]
    Stopping,
    /// Its store does not answer, or cannot be written.
    #[error(transparent)]
    Store(StoreError),
    /// Its audit log could not be written.
    #[error("{what}")]
    Audit {
        /// What was the matter.
        what: String,
    },
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("model", &self.server().model().name)
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
