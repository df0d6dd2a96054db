//! What is recorded.

use base64ct::{Base64Unpadded, Encoding as _};
use channel::Connection;
#[cfg(doc)]
use channel::PeerIdentity;
use serde::{Serialize, Serializer};

use crate::store::Token;

/// The most characters of a text: with the six bytes that JSON may take for one, all of an event fit in a line.
const MAX_TEXT: usize = 1000;

/// One end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "callers write it out")]
pub struct Party<'a> {
    /// What it is known by, written as fingerprints are: its key's fingerprint, or, where an authority answers for its name,
    /// [`PeerIdentity::key`]. `None` where nobody is asked who he is.
    #[serde(
        serialize_with = "fingerprint",
        skip_serializing_if = "Option::is_none"
    )]
    pub key: Option<&'a [u8; 32]>,
    /// What it is called, by name or address; empty where that is not known.
    #[serde(serialize_with = "clipped", skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
}

impl<'a> Party<'a> {
    /// The other end of a connection; its address is its name where nobody is asked who he is.
    #[must_use]
    pub fn peer(connection: &'a Connection) -> Self {
        match connection.peer_identity() {
            Some(identity) => Self {
                key: Some(&identity.key),
                name: &identity.name,
            },
            None => Self {
                key: None,
                name: connection.peer(),
            },
        }
    }
}

/// How something ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
#[expect(clippy::exhaustive_enums, reason = "there are no other ends")]
pub enum Ended<'a> {
    /// As it should.
    Done,
    /// One of the two did not want it.
    #[serde(serialize_with = "clipped")]
    Refused(&'a str),
    /// It could not be done.
    #[serde(serialize_with = "clipped")]
    Failed(&'a str),
}

/// What is recorded. Digests, session ids and tokens are written in hexadecimal digits, texts up to 1000 characters.
///
/// The id of a session is the same at both ends, so that their logs can be laid side by side. An image's digest is known to the client alone,
/// and only its log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum AuditEvent<'a> {
    /// A program began to write the log. [`Audit::open`](super::Audit::open) records it.
    Begun {
        /// Its name and version.
        #[serde(serialize_with = "clipped")]
        program: &'a str,
    },
    /// The last line had no end: a crash, or a full disk. [`Audit::open`](super::Audit::open) records it.
    Torn {
        /// Bytes that there were of it.
        bytes: u64,
        /// Their SHA-256.
        #[serde(serialize_with = "hex")]
        sha256: &'a [u8; 32],
        /// The file in which they are kept, beside the log.
        #[serde(serialize_with = "clipped")]
        kept: &'a str,
    },
    /// A model is served from now on.
    Model {
        /// Its name.
        #[serde(serialize_with = "clipped")]
        name: &'a str,
        /// Its digest.
        #[serde(serialize_with = "hex")]
        model: &'a [u8; 32],
    },
    /// A session began.
    Opened {
        /// Its id.
        #[serde(serialize_with = "hex")]
        session: &'a [u8],
        /// Who asks.
        client: Party<'a>,
        /// Who is asked.
        server: Party<'a>,
        /// The digest of the model.
        #[serde(serialize_with = "hex")]
        model: &'a [u8; 32],
    },
    /// A session did not begin.
    Refused {
        /// Who asked.
        client: Party<'a>,
        /// Who was asked.
        server: Party<'a>,
        /// Why not.
        #[serde(serialize_with = "clipped")]
        why: &'a str,
    },
    /// An image is about to be asked about: recorded before anything of it is sent.
    Asked {
        /// The session's id.
        #[serde(serialize_with = "hex")]
        session: &'a [u8],
        /// Which of the session's images it is, counted from 1.
        image: u32,
        /// The SHA-256 of its file, at the client.
        #[serde(serialize_with = "maybe_hex", skip_serializing_if = "Option::is_none")]
        sha256: Option<&'a [u8; 32]>,
        /// How exact the answer is to be: `faithful` or `fast`.
        #[serde(serialize_with = "clipped")]
        mode: &'a str,
    },
    /// What came of it.
    Answered {
        /// The session's id.
        #[serde(serialize_with = "hex")]
        session: &'a [u8],
        /// Which image.
        image: u32,
        /// Bytes in both directions.
        bytes: u64,
        /// How it ended.
        #[serde(flatten)]
        ended: Ended<'a>,
    },
    /// A preparation was made, and is kept for a run. [`AuditedStore`](super::AuditedStore) records it.
    Prepared {
        /// The other party, by its key.
        #[serde(serialize_with = "peer_key")]
        peer: &'a [u8; 32],
        /// The digest of the model.
        #[serde(serialize_with = "hex")]
        model: &'a [u8; 32],
        /// Its name, the same at both ends.
        #[serde(serialize_with = "token_hex")]
        token: Token,
        /// Until when it is of use, in Unix seconds.
        expires: u64,
    },
    /// A run draws from a preparation, which was deleted before: recorded before anything of the run is sent.
    /// [`AuditedStore`](super::AuditedStore) records it.
    Used {
        /// The other party, by its key.
        #[serde(serialize_with = "peer_key")]
        peer: &'a [u8; 32],
        /// The digest of the model.
        #[serde(serialize_with = "hex")]
        model: &'a [u8; 32],
        /// Its name.
        #[serde(serialize_with = "token_hex")]
        token: Token,
    },
    /// A preparation was deleted, and no run draws from it. [`AuditedStore`](super::AuditedStore) records it.
    Discarded {
        /// The other party, by its key; missing where it has expired, and the store says its name alone.
        #[serde(
            serialize_with = "fingerprint",
            skip_serializing_if = "Option::is_none"
        )]
        peer: Option<&'a [u8; 32]>,
        /// The digest of the model; missing as the other party is.
        #[serde(serialize_with = "maybe_hex", skip_serializing_if = "Option::is_none")]
        model: Option<&'a [u8; 32]>,
        /// Its name.
        #[serde(serialize_with = "token_hex")]
        token: Token,
        /// Why, in one word: [`Discard::word`](crate::Discard::word).
        #[serde(serialize_with = "clipped")]
        reason: &'a str,
        /// What was damaged.
        #[serde(serialize_with = "clipped", skip_serializing_if = "str::is_empty")]
        why: &'a str,
    },
    /// A session ended.
    Closed {
        /// Its id.
        #[serde(serialize_with = "hex")]
        session: &'a [u8],
        /// Images that were answered.
        images: u32,
        /// Bytes in both directions.
        bytes: u64,
        /// How it ended.
        #[serde(flatten)]
        ended: Ended<'a>,
    },
}

pub(super) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of ids, digests and tokens, which are all short.
pub(super) fn hex<S: Serializer>(
    bytes: &(impl AsRef<[u8]> + ?Sized),
    to: S,
) -> Result<S::Ok, S::Error> {
    to.serialize_str(&digits(bytes.as_ref()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn maybe_hex<S: Serializer>(bytes: &Option<&[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
    bytes.map(|bytes| digits(bytes)).serialize(to)
}

fn peer_key<S: Serializer>(key: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    fingerprint(&Some(key), to)
}

/// As `identity::Fingerprint` writes it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn fingerprint<S: Serializer>(key: &Option<&[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
    let text = key.map(|key| format!("SHA256:{}", Base64Unpadded::encode_string(key)));
    text.serialize(to)
}

fn token_hex<S: Serializer>(token: &Token, to: S) -> Result<S::Ok, S::Error> {
    hex(&token.0, to)
}

/// A text, without what goes beyond [`MAX_TEXT`] characters.
fn clipped<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    let end = text
        .char_indices()
        .nth(MAX_TEXT)
        .map_or(text.len(), |(at, _)| at);
    to.serialize_str(&text[..end])
}
