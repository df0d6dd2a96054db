//! The greetings: what they look like on the wire and what follows from them.
//!
//! Every greeting starts with the magic word, the version, its kind and the length of its body, so
//! that parties of different versions can still tell each other which they are. Numbers are
//! little-endian.
//!
//! | greeting | from | body |
//! |---|---|---|
//! | `Session` | client, answered in kind by the server | parameters 32, model present 1, model 32, entropy 16, connections 1, urgent 1 |
//! | `Lane` | client, on a further connection of its session | session id 16, number of the connection 1 |
//! | `Answer` | server, to a `Lane` | code 1 |
//! | `Waiting` | server, to a client in line, again and again | clients ahead of it 4, seconds until its turn 4, urgent 1 |
//! | `Refusal` | server, to a client that it does not serve | seconds until it may come again 4, reason in UTF-8 |
//!
//! Seconds that nobody knows are all ones.
//!
//! A connection over streams from outside has no handshake; there `Session` is the first thing said on a channel,
//! and has the session id in place of the entropy.

use std::time::Duration;

use crate::admission::Refusal;
use crate::connection::SessionId;
use crate::terms::MAX_CONNECTIONS;
use crate::words::MAX_WORDS;
use crate::{Digest, Error, Role, Terms, Waiting};

const MAGIC: [u8; 8] = *b"BLINDRAY";
/// Magic, version, kind, length.
pub(crate) const PREFIX: usize = 8 + 4 + 1 + 2;
/// No greeting of any version is longer.
const MAX_BODY: usize = 1024;
const SESSION_BODY: usize = 32 + 1 + 32 + 16 + 1 + 1;
/// All bytes of a session greeting.
pub(crate) const SESSION_HELLO: usize = PREFIX + SESSION_BODY;

const KIND_SESSION: u8 = 1;
pub(crate) const KIND_LANE: u8 = 2;
const KIND_ANSWER: u8 = 3;
const KIND_WAITING: u8 = 4;
const KIND_REFUSAL: u8 = 5;

/// The fixed start of a greeting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix {
    pub(crate) version: u32,
    pub(crate) kind: u8,
    pub(crate) length: usize,
}

/// What a greeting says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hello {
    Session {
        parameters: Digest,
        model: Option<Digest>,
        entropy: [u8; 16],
        /// How many connections the session runs over; 1 where nothing but the terms is compared.
        lanes: u8,
        /// The client asks to come before others.
        urgent: bool,
    },
    Lane {
        session: SessionId,
        lane: u8,
    },
    Answer(Answer),
    Waiting(Waiting),
    Refusal(Refusal),
}

/// What the server says to a further connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Answer {
    Welcome = 0,
    UnknownSession = 1,
    UnexpectedLane = 2,
}

/// How many bytes of a peer tell whether it speaks TLS, which answers strangers with fewer than a greeting has.
pub(crate) const START: usize = 3;

/// Every record of TLS begins with its kind, of which there are a few, and a version.
pub(crate) fn is_tls(start: [u8; START]) -> bool {
    matches!(start, [0x14..=0x17, 3, 0..=4])
}

impl Prefix {
    /// # Errors
    ///
    /// [`Error::NotBlindray`] or [`Error::BadHello`].
    pub(crate) fn parse(bytes: &[u8; PREFIX]) -> Result<Self, Error> {
        let (magic, rest) = bytes.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(Error::NotBlindray);
        }
        let mut rest = Cut(rest);
        let version = u32::from_le_bytes(rest.take()?);
        let [kind] = rest.take()?;
        let length = usize::from(u16::from_le_bytes(rest.take()?));
        if length > MAX_BODY {
            return Err(Error::BadHello { reason: "too long" });
        }
        Ok(Self {
            version,
            kind,
            length,
        })
    }
}

impl Hello {
    pub(crate) fn encode(&self, version: u32) -> Vec<u8> {
        let mut body = Vec::with_capacity(SESSION_BODY);
        let kind = match self {
            Self::Session {
                parameters,
                model,
                entropy,
                lanes,
                urgent,
            } => {
                body.extend(parameters);
                body.push(u8::from(model.is_some()));
                body.extend(model.unwrap_or_default());
                body.extend(entropy);
                body.push(*lanes);
                body.push(u8::from(*urgent));
                KIND_SESSION
            }
            Self::Lane { session, lane } => {
                body.extend(session);
                body.push(*lane);
                KIND_LANE
            }
            Self::Answer(answer) => {
                body.push(*answer as u8);
                KIND_ANSWER
            }
            Self::Waiting(waiting) => {
                body.extend(waiting.ahead.to_le_bytes());
                body.extend(seconds(waiting.wait));
                body.push(u8::from(waiting.urgent));
                KIND_WAITING
            }
            Self::Refusal(refusal) => {
                body.extend(seconds(refusal.again()));
                body.extend(refusal.reason().bytes());
                KIND_REFUSAL
            }
        };
        let length = u16::try_from(body.len()).expect("greetings are short");
        let mut bytes = Vec::with_capacity(PREFIX + body.len());
        bytes.extend(MAGIC);
        bytes.extend(version.to_le_bytes());
        bytes.push(kind);
        bytes.extend(length.to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// # Errors
    ///
    /// [`Error::BadHello`].
    pub(crate) fn decode(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let mut rest = Cut(body);
        let hello = match kind {
            KIND_SESSION => {
                let parameters = rest.take()?;
                let [flag] = rest.take()?;
                let digest = rest.take()?;
                let model = match flag {
                    0 if digest == [0; 32] => None,
                    1 => Some(digest),
                    _ => {
                        return Err(Error::BadHello {
                            reason: "bad model digest",
                        });
                    }
                };
                let entropy = rest.take()?;
                let [lanes] = rest.take()?;
                if !(1..=MAX_CONNECTIONS).contains(&lanes) {
                    return Err(Error::BadHello {
                        reason: "no allowed number of connections",
                    });
                }
                let urgent = rest.flag()?;
                Self::Session {
                    parameters,
                    model,
                    entropy,
                    lanes,
                    urgent,
                }
            }
            KIND_LANE => {
                let session = rest.take()?;
                let [lane] = rest.take()?;
                Self::Lane { session, lane }
            }
            KIND_WAITING => Self::Waiting(Waiting {
                ahead: u32::from_le_bytes(rest.take()?),
                wait: rest.seconds()?,
                urgent: rest.flag()?,
            }),
            KIND_REFUSAL => {
                let again = rest.seconds()?;
                let reason = std::mem::take(&mut rest.0);
                let reason = str::from_utf8(reason).ok();
                let reason = reason.filter(|reason| reason.len() <= MAX_WORDS);
                let reason = reason.ok_or(Error::BadHello {
                    reason: "a bad reason",
                })?;
                Self::Refusal(Refusal::new(reason, again))
            }
            KIND_ANSWER => {
                let [code] = rest.take()?;
                let answer = Answer::decode(code).ok_or(Error::BadHello {
                    reason: "bad answer",
                })?;
                Self::Answer(answer)
            }
            _ => {
                return Err(Error::BadHello {
                    reason: "unknown kind",
                });
            }
        };
        if rest.0.is_empty() {
            Ok(hello)
        } else {
            Err(Error::BadHello {
                reason: "wrong length",
            })
        }
    }
}

impl Answer {
    fn decode(code: u8) -> Option<Self> {
        [Self::Welcome, Self::UnknownSession, Self::UnexpectedLane]
            .into_iter()
            .find(|answer| *answer as u8 == code)
    }

    /// The error this means for the client, on its connection of this number.
    pub(crate) fn into_result(self, lane: usize) -> Result<(), Error> {
        match self {
            Self::Welcome => Ok(()),
            Self::UnknownSession => Err(Error::UnknownSession),
            Self::UnexpectedLane => Err(Error::UnexpectedConnection { connection: lane }),
        }
    }
}

/// Compares what both parties said; both come to the same verdict. The version is compared before,
/// as bodies of another version mean nothing.
///
/// # Errors
///
/// [`Error::ParametersMismatch`] or [`Error::ModelMismatch`].
pub(crate) fn compare(role: Role, ours: &Terms, theirs: &Terms) -> Result<(), Error> {
    if ours.parameters != theirs.parameters {
        let (ours, theirs) = (ours.parameters, theirs.parameters);
        return Err(Error::ParametersMismatch { ours, theirs });
    }
    let (server, client) = if role.is_server() {
        (ours, theirs)
    } else {
        (theirs, ours)
    };
    match client.model {
        Some(expected) if server.model != Some(expected) => Err(Error::ModelMismatch {
            expected,
            offered: server.model,
        }),
        _ => Ok(()),
    }
}

/// The session id both parties compute; `binding` is what the line has that no other has, where a guard knows it.
pub(crate) fn session_id(
    agreed: &Terms,
    client: &[u8; 16],
    server: &[u8; 16],
    binding: Option<&[u8; 32]>,
) -> SessionId {
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026 channel session id");
    hasher.update(client);
    hasher.update(server);
    hasher.update(&agreed.version.to_le_bytes());
    hasher.update(&agreed.parameters);
    hasher.update(&[u8::from(agreed.model.is_some())]);
    hasher.update(&agreed.model.unwrap_or_default());
    // All before is of one length, so that nothing else hashes the same.
    if let Some(binding) = binding {
        hasher.update(binding);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// Takes fixed-size fields off the front of a body.
struct Cut<'a>(&'a [u8]);

impl Cut<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (front, rest) = self.0.split_first_chunk().ok_or(Error::BadHello {
            reason: "too short",
        })?;
        self.0 = rest;
        Ok(*front)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Error::BadHello {
                reason: "neither yes nor no",
            }),
        }
    }

    fn seconds(&mut self) -> Result<Option<Duration>, Error> {
        let seconds = u32::from_le_bytes(self.take()?);
        Ok((seconds != UNKNOWN).then(|| Duration::from_secs(seconds.into())))
    }
}

/// Seconds that nobody knows.
const UNKNOWN: u32 = u32::MAX;

/// Whole seconds, rather too many than too few.
fn seconds(time: Option<Duration>) -> [u8; 4] {
    let whole = |time: Duration| {
        let more = u64::from(time.subsec_nanos() > 0);
        time.as_secs().saturating_add(more)
    };
    let known = |time| {
        u32::try_from(whole(time))
            .unwrap_or(UNKNOWN)
            .min(UNKNOWN - 1)
    };
    time.map_or(UNKNOWN, known).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_survive_the_wire() {
        let hellos = [
            Hello::Session {
                parameters: [3; 32],
                model: Some([5; 32]),
                entropy: [7; 16],
                lanes: 3,
                urgent: true,
            },
            Hello::Session {
                parameters: [3; 32],
                model: None,
                entropy: [7; 16],
                lanes: 3,
                urgent: false,
            },
            Hello::Lane {
                session: [9; 16],
                lane: u8::MAX,
            },
            Hello::Waiting(Waiting {
                ahead: u32::MAX,
                wait: None,
                urgent: true,
            }),
            Hello::Waiting(Waiting {
                ahead: 0,
                wait: Some(Duration::from_secs(7)),
                urgent: false,
            }),
            Hello::Answer(Answer::UnexpectedLane),
        ];
        for hello in hellos {
            let bytes = hello.encode(77);
            let prefix = Prefix::parse(bytes.first_chunk().unwrap()).unwrap();
            assert_eq!((prefix.version, prefix.length), (77, bytes.len() - PREFIX));
            assert_eq!(Hello::decode(prefix.kind, &bytes[PREFIX..]).unwrap(), hello);
            for cut in PREFIX..bytes.len() {
                assert!(Hello::decode(prefix.kind, &bytes[PREFIX..cut]).is_err());
            }
            let longer = [&bytes[PREFIX..], &[0]].concat();
            assert!(Hello::decode(prefix.kind, &longer).is_err());
        }
    }

    #[test]
    fn a_session_has_its_size_and_some_connections() {
        let session = Hello::Session {
            parameters: [0; 32],
            model: None,
            entropy: [0; 16],
            lanes: 8,
            urgent: false,
        };
        assert_eq!(session.encode(1).len(), SESSION_HELLO);
        for lanes in [0, 9, u8::MAX] {
            let mut bytes = session.encode(1);
            bytes[SESSION_HELLO - 2] = lanes;
            assert!(Hello::decode(KIND_SESSION, &bytes[PREFIX..]).is_err());
        }
    }

    #[test]
    fn a_refusal_is_short_clean_and_may_say_nothing() {
        let refusal = |bytes: &[u8]| Hello::decode(KIND_REFUSAL, bytes);
        let said = |reason: &str, again| {
            let bytes = Hello::Refusal(Refusal::new(reason, again)).encode(1);
            match refusal(&bytes[PREFIX..]) {
                Ok(Hello::Refusal(refusal)) => refusal,
                other => panic!("{other:?}"),
            }
        };
        let soon = Some(Duration::from_millis(1001));
        let heard = said("the images of this hour are used up", soon);
        assert_eq!(heard.reason(), "the images of this hour are used up");
        assert_eq!(heard.again(), Some(Duration::from_secs(2)));
        let heard = said(&"é".repeat(500), None);
        assert_eq!((heard.reason().len(), heard.again()), (MAX_WORDS, None));
        assert_eq!(
            said("", Some(Duration::MAX)).again(),
            Some(Duration::from_secs(u64::from(UNKNOWN) - 1))
        );
        // What a peer says is not taken as it is.
        let hostile = [&[0; 4][..], b"red \x1b[31m alert\n"].concat();
        match refusal(&hostile) {
            Ok(Hello::Refusal(refusal)) => assert_eq!(refusal.reason(), "red [31m alert"),
            other => panic!("{other:?}"),
        }
        assert!(refusal(&[0; 3]).is_err());
        assert!(refusal(&[0, 0, 0, 0, 0xff]).is_err());
        assert!(refusal(&[b'a'; 4 + MAX_WORDS]).is_ok());
        assert!(refusal(&[b'a'; 4 + MAX_WORDS + 1]).is_err());
    }

    #[test]
    fn yes_and_no_are_one_and_zero() {
        let waiting = |urgent| Hello::decode(KIND_WAITING, &[0, 0, 0, 0, 0, 0, 0, 0, urgent]);
        assert!(waiting(0).is_ok() && waiting(1).is_ok() && waiting(2).is_err());
    }

    #[test]
    fn the_session_id_depends_on_everything() {
        let terms = Terms {
            version: 1,
            parameters: [2; 32],
            model: None,
        };
        let ids = [
            session_id(&terms, &[1; 16], &[2; 16], None),
            session_id(&terms, &[1; 16], &[2; 16], Some(&[0; 32])),
            session_id(&terms, &[1; 16], &[2; 16], Some(&[1; 32])),
            session_id(&terms, &[2; 16], &[1; 16], None),
            session_id(&terms, &[1; 16], &[3; 16], None),
            session_id(
                &Terms {
                    version: 2,
                    ..terms.clone()
                },
                &[1; 16],
                &[2; 16],
                None,
            ),
            session_id(
                &Terms {
                    parameters: [3; 32],
                    ..terms.clone()
                },
                &[1; 16],
                &[2; 16],
                None,
            ),
            session_id(
                &Terms {
                    model: Some([0; 32]),
                    ..terms
                },
                &[1; 16],
                &[2; 16],
                None,
            ),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id));
        }
    }
}
