//! The audit log of this process: where it is, and what a client's session leaves in it.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use channel::Connection;
use identity::Fingerprint;
use images::Image;
use nets::PublicModel;
use service::{Audit, AuditError, AuditEvent, Client, Ended, Party};

use crate::failure::{Failure, Outcome};
use crate::text::unhex;

/// A file of this size is full, and another one is begun.
const FULL: u64 = 64 << 20;

/// A log that is no log, or that another process writes, is an error of the input; one that cannot be written is one of the run.
impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Busy { .. } | AuditError::NoLog { .. } => Self::input(error),
            _ => Self::run(error),
        }
    }
}

/// Opens the log of a command.
pub(crate) fn open(path: &Path, command: &str) -> Outcome<Audit> {
    let program = format!("blindray {} {command}", env!("CARGO_PKG_VERSION"));
    Ok(Audit::open(path, &program, now())?.rotating(FULL))
}

/// Unix seconds, by this machine's clock.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// What a client's session leaves in its log, if there is one. Nothing is sent of an image that could not be recorded.
pub(crate) struct Trail {
    audit: Option<Arc<Audit>>,
    key: Option<Fingerprint>,
    /// How the server is called.
    server: String,
    images: u32,
    /// Bytes of the session when the image at hand was asked about.
    before: u64,
}

impl Trail {
    pub(crate) fn open(
        path: Option<&Path>,
        command: &str,
        server: &str,
        key: Option<Fingerprint>,
    ) -> Outcome<Self> {
        Ok(Self {
            audit: path
                .map(|path| open(path, command).map(Arc::new))
                .transpose()?,
            key,
            server: server.to_owned(),
            images: 0,
            before: 0,
        })
    }

    /// The log, for what else is recorded.
    pub(crate) const fn log(&self) -> Option<&Arc<Audit>> {
        self.audit.as_ref()
    }

    fn record(&self, event: &AuditEvent<'_>) -> Outcome<()> {
        if let Some(audit) = &self.audit {
            audit.record(now(), event)?;
        }
        Ok(())
    }

    fn own(&self) -> Party<'_> {
        Party {
            key: self.key.as_ref().map(Fingerprint::as_bytes),
            name: "",
        }
    }

    /// Why there is no session, if there is none.
    pub(crate) fn begun<T>(&self, begun: Outcome<T>) -> Outcome<T> {
        if let Err(failure) = &begun {
            self.record(&AuditEvent::Refused {
                client: self.own(),
                server: Party {
                    key: None,
                    name: &self.server,
                },
                why: &failure.to_string(),
            })?;
        }
        begun
    }

    /// A session with a server that has this model.
    pub(crate) fn opened(&self, connection: &Connection, model: &PublicModel) -> Outcome<()> {
        let server = Party {
            name: &self.server,
            ..Party::peer(connection)
        };
        self.record(&AuditEvent::Opened {
            session: &connection.session_id(),
            client: self.own(),
            server,
            model: &model.digest(),
        })
    }

    /// Before anything of an image is sent.
    pub(crate) fn asked(&mut self, session: &Client, image: &Image) -> Outcome<()> {
        self.before = bytes(session.connection());
        self.record(&AuditEvent::Asked {
            session: &session.connection().session_id(),
            image: self.images + 1,
            sha256: unhex(&image.sha256).as_ref(),
            mode: &session.request().mode.to_string(),
        })
    }

    /// What came of it.
    pub(crate) fn answered<T>(&mut self, session: &Client, answer: Outcome<T>) -> Outcome<T> {
        let why = answer.as_ref().err().map(ToString::to_string);
        self.record(&AuditEvent::Answered {
            session: &session.connection().session_id(),
            image: self.images + 1,
            bytes: bytes(session.connection()) - self.before,
            ended: ended(why.as_deref()),
        })?;
        self.images += u32::from(answer.is_ok());
        answer
    }

    /// The session is over.
    pub(crate) fn closed<T>(&self, connection: &Connection, ended_with: Outcome<T>) -> Outcome<T> {
        let why = ended_with.as_ref().err().map(ToString::to_string);
        self.record(&AuditEvent::Closed {
            session: &connection.session_id(),
            images: self.images,
            bytes: bytes(connection),
            ended: ended(why.as_deref()),
        })?;
        ended_with
    }
}

fn ended(why: Option<&str>) -> Ended<'_> {
    why.map_or(Ended::Done, Ended::Failed)
}

/// Bytes of a session so far, in both directions.
fn bytes(connection: &Connection) -> u64 {
    let traffic = connection.progress();
    traffic.sent() + traffic.received()
}
