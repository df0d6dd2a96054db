//! The comparison of terms on a channel, for connections that have no handshake of their own.

use crate::handshake::{Hello, PREFIX, Prefix, compare};
use crate::{Channel, Error, Role, SessionId, Terms};

impl Channel {
    /// Compares the session id and the terms of both parties where no handshake did it: on a connection over
    /// streams from outside, or in memory. Returns the peer's terms; both parties come to the same verdict.
    ///
    /// The greetings are those of the handshake with the session id in place of the entropy, 98 bytes each way,
    /// the client's first. The id is compared before the terms, as protocols under different ids would run to
    /// their end and give wrong results.
    ///
    /// # Errors
    ///
    /// [`Error::NotBlindray`] or [`Error::BadHello`] if the peer says something else,
    /// [`Error::VersionMismatch`], [`Error::SessionMismatch`], [`Error::ParametersMismatch`] or
    /// [`Error::ModelMismatch`] if the parties do not agree, otherwise as [`Channel::recv`].
    pub fn agree(&mut self, ours: &Terms) -> Result<Terms, Error> {
        let greeting = Hello::Session {
            parameters: ours.parameters,
            model: ours.model,
            entropy: self.session,
            lanes: 1,
            urgent: false,
        };
        let greeting = greeting.encode(ours.version);
        let role = self.role();
        if role == Role::Client {
            self.send(&greeting)?;
        }
        let heard = self.hear_terms(ours.version);
        let said = match heard {
            // Whatever the client wants, it hears our terms and can tell for itself.
            Ok(_) | Err(Error::VersionMismatch { .. }) if role == Role::Server => {
                self.send(&greeting).and_then(|()| self.flush())
            }
            _ => Ok(()),
        };
        let (theirs, session) = heard?;
        if session != self.session {
            return Err(Error::SessionMismatch {
                ours: self.session,
                theirs: session,
            });
        }
        compare(role, ours, &theirs)?;
        said?;
        Ok(theirs)
    }

    fn hear_terms(&mut self, ours: u32) -> Result<(Terms, SessionId), Error> {
        let mut prefix = [0; PREFIX];
        self.recv(&mut prefix)?;
        let Prefix {
            version: theirs,
            kind,
            length,
        } = Prefix::parse(&prefix)?;
        let mut body = vec![0; length];
        self.recv(&mut body)?;
        if theirs != ours {
            return Err(Error::VersionMismatch { ours, theirs });
        }
        match Hello::decode(kind, &body)? {
            Hello::Session {
                parameters,
                model,
                entropy: session,
                lanes: _,
                urgent: _,
            } => Ok((
                Terms {
                    version: theirs,
                    parameters,
                    model,
                },
                session,
            )),
            Hello::Lane { .. } | Hello::Answer(_) | Hello::Waiting(_) | Hello::Refusal(_) => {
                Err(Error::BadHello {
                    reason: "not a session's",
                })
            }
        }
    }
}
