//! The audit log of this process: where it is, and what a client's session leaves in it.

use std::path::Path;
use std::time::SystemTime;

use identity::Fingerprint;
use images::Image;
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
    audit: Option<Audit>,
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
        server: &str,
        key: Option<Fingerprint>,
    ) -> Outcome<Self> {
        Ok(Self {
            audit: path.map(|path| open(path, "infer")).transpose()?,
            key,
            server: server.to_owned(),
            images: 0,
            before: 0,
        })
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

    /// A session, or none.
    pub(crate) fn dialed(&self, dialed: Outcome<Client>) -> Outcome<Client> {
        match &dialed {
            Ok(session) => {
                let connection = session.connection();
                let server = Party {
                    name: &self.server,
                    ..Party::peer(connection)
                };
                self.record(&AuditEvent::Opened {
                    session: &connection.session_id(),
                    client: self.own(),
                    server,
                    model: &session.model().digest(),
                })?;
            }
            Err(failure) => self.record(&AuditEvent::Refused {
                client: self.own(),
                server: Party {
                    key: None,
                    name: &self.server,
                },
                why: &failure.to_string(),
            })?,
        }
        dialed
    }

    /// Before anything of an image is sent.
    pub(crate) fn asked(&mut self, session: &Client, image: &Image) -> Outcome<()> {
        self.before = bytes(session);
        self.record(&AuditEvent::Asked {
            session: &session.connection().session_id(),
            image: self.images + 1,
            sha256: unhex(&image.sha256).as_ref(),
            mode: &session.request().mode.to_string(),
            token: None,
        })
    }

    /// What came of it.
    pub(crate) fn answered<T>(&mut self, session: &Client, answer: Outcome<T>) -> Outcome<T> {
        let why = answer.as_ref().err().map(ToString::to_string);
        self.record(&AuditEvent::Answered {
            session: &session.connection().session_id(),
            image: self.images + 1,
            bytes: bytes(session) - self.before,
            ended: ended(why.as_deref()),
        })?;
        self.images += u32::from(answer.is_ok());
        answer
    }

    /// The session is over.
    pub(crate) fn closed(&self, session: &Client, ended_with: Outcome<()>) -> Outcome<()> {
        let why = ended_with.as_ref().err().map(ToString::to_string);
        self.record(&AuditEvent::Closed {
            session: &session.connection().session_id(),
            images: self.images,
            bytes: bytes(session),
            ended: ended(why.as_deref()),
        })?;
        ended_with
    }
}

fn ended(why: Option<&str>) -> Ended<'_> {
    why.map_or(Ended::Done, Ended::Failed)
}

/// Bytes of a session so far, in both directions.
fn bytes(session: &Client) -> u64 {
    let traffic = session.connection().progress();
    traffic.sent() + traffic.received()
}
