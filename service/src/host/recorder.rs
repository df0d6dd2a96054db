//! What of a session goes into the audit log.

use std::sync::Arc;

use channel::{Connection, Digest};

use crate::server::Asked;
use crate::{
    Audit, AuditError, AuditEvent, AuditLink, Ended, Error, HostOptions, Mode, Party, Served,
    Server,
};

/// Where a host records what it serves, and under which name.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct AuditTo {
    /// The log.
    pub log: Arc<Audit>,
    /// The fingerprint of this server's key, if it has one.
    pub key: Option<[u8; 32]>,
    /// What this server is called.
    pub name: String,
}

impl AuditTo {
    const fn party(&self) -> Party<'_> {
        Party {
            key: self.key.as_ref(),
            name: self.name.as_str(),
        }
    }
}

/// That a model is served from now on.
pub(super) fn model(options: &HostOptions, server: &Server) -> Result<(), AuditError> {
    let Some(to) = &options.audit else {
        return Ok(());
    };
    let model = server.model();
    let (name, digest) = (model.name.as_str(), model.digest());
    let event = AuditEvent::Model {
        name,
        model: &digest,
    };
    to.log.record((options.clock)(), &event).map(drop)
}

/// One session in the log. Lines of what is about to happen come before it, and it does not happen if they cannot be written.
pub(super) struct Recorder<'a> {
    options: &'a HostOptions,
    connection: &'a Connection,
    session: [u8; 16],
    model: Digest,
    mode: &'static str,
    opened: bool,
    /// The image at hand, from 1; 0 before the first.
    image: u32,
    /// The bytes of the session before it.
    before: u64,
    /// Why a line could not be written.
    failed: Option<AuditError>,
    /// Hears what the log says of each line.
    note: &'a dyn Fn(&Result<AuditLink, AuditError>),
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        options: &'a HostOptions,
        connection: &'a Connection,
        model: Digest,
        note: &'a dyn Fn(&Result<AuditLink, AuditError>),
    ) -> Self {
        Self {
            options,
            connection,
            session: connection.session_id(),
            model,
            mode: "",
            opened: false,
            image: 0,
            before: 0,
            failed: None,
            note,
        }
    }

    /// Whether a line was written, if there is a log.
    fn record(&mut self, event: &AuditEvent<'_>) -> bool {
        let Some(to) = &self.options.audit else {
            return true;
        };
        let said = to.log.record((self.options.clock)(), event);
        (self.note)(&said);
        self.failed = said.err();
        self.failed.is_none()
    }

    /// This party, as the log names it.
    fn ours(&self) -> Party<'a> {
        let to = self.options.audit.as_ref();
        to.map(AuditTo::party).unwrap_or_default()
    }

    /// Why the last line could not be written.
    pub(super) const fn failed(&self) -> Option<&AuditError> {
        self.failed.as_ref()
    }

    fn bytes(&self) -> u64 {
        let moved = self.connection.progress();
        moved.received() + moved.sent()
    }

    /// The client is to get what it asked for; whether that was recorded.
    pub(super) fn open(&mut self, asked: &Asked) -> bool {
        self.mode = match asked.mode {
            Mode::Faithful => "faithful",
            Mode::Fast => "fast",
        };
        let (session, model) = (self.session, self.model);
        self.opened = self.record(&AuditEvent::Opened {
            session: &session,
            client: Party::peer(self.connection),
            server: self.ours(),
            model: &model,
        });
        self.opened
    }

    /// The protocols of the next image are about to begin; whether that was recorded.
    pub(super) fn next_image(&mut self) -> bool {
        if !self.answered(Ended::Done) {
            return false;
        }
        self.image += 1;
        self.before = self.bytes();
        let (session, image, mode) = (self.session, self.image, self.mode);
        self.record(&AuditEvent::Asked {
            session: &session,
            image,
            sha256: None,
            mode,
        })
    }

    /// What came of the image at hand.
    fn answered(&mut self, ended: Ended<'_>) -> bool {
        if self.image == 0 {
            return true;
        }
        let bytes = self.bytes() - self.before;
        let (session, image) = (self.session, self.image);
        self.record(&AuditEvent::Answered {
            session: &session,
            image,
            bytes,
            ended,
        })
    }

    /// The session is over; whether that was recorded.
    pub(super) fn close(&mut self, outcome: Result<&Served, &Error>) -> bool {
        let why = outcome.err().map(ToString::to_string);
        if !self.opened {
            return self.record(&AuditEvent::Refused {
                client: Party::peer(self.connection),
                server: self.ours(),
                why: why.as_deref().unwrap_or_default(),
            });
        }
        let ended = why.as_deref().map_or(Ended::Done, Ended::Failed);
        let images = self.image - u32::from(outcome.is_err() && self.image > 0);
        let (session, bytes) = (self.session, self.bytes());
        self.answered(ended)
            && self.record(&AuditEvent::Closed {
                session: &session,
                images,
                bytes,
                ended,
            })
    }
}
