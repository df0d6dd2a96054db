//! What the two parties say to each other before the protocols, on a stream of its own.
//!
//! Over a connection without a handshake they compare their session id and their terms first. Then:
//!
//! | from | message | at most |
//! |---|---|---|
//! | server | the public part of its model | 16 MiB |
//! | server | `{"extension": its name, "parameters": {name: number, …}}` | 4096 bytes |
//! | client | `{"mode": "faithful" or "fast", "images": n, "ahead": true or false}` | 4096 bytes |
//! | server | `"accepted"` or `{"refused": why}` | 4096 bytes |
//!
//! Before its request a client may measure the line (`measure`). Each message is JSON, its length in eight bytes before it. All of it together has to be over within the time-out of
//! the connection, so that a client whose bytes drip does not hold its place for long.

use std::collections::BTreeMap;

use channel::{Channel, Connection, Digest, Terms};
use nets::{MAX_PUBLIC_BYTES, PublicModel};
use ot::Extension;
use secure::Mode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Error;
use crate::error::cleaned;

/// The stream of these messages.
pub(crate) const CONTROL: u32 = 3;
/// The longest message other than the public part.
const MAX_MESSAGE: usize = 4096;

/// Which OT extension makes the correlations.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    extension: String,
    parameters: BTreeMap<String, u64>,
}

impl Offer {
    pub(crate) fn of(extension: &dyn Extension) -> Self {
        let parameters = extension.agreement().into_iter();
        Self {
            extension: extension.name().to_owned(),
            parameters: parameters.map(|(name, n)| (name.to_owned(), n)).collect(),
        }
    }
}

/// What the client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) mode: Mode,
    pub(crate) images: u32,
    /// Whether linear layers run ahead of the images where they can.
    pub(crate) ahead: bool,
}

/// What the server says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Accepted,
    Refused(String),
}

/// The stream of these messages, between parties that agree.
pub(crate) struct Control {
    pub(crate) channel: Channel,
    /// What the peer said it serves, or insists on.
    peer_model: Option<Digest>,
}

impl Control {
    /// Opens the stream, and sees to it that the parties agree.
    pub(crate) fn open(connection: &Connection, ours: &Terms) -> Result<Self, Error> {
        let mut channel = connection.open(CONTROL)?;
        channel.enter_phase("greeting");
        channel.set_total(Some(connection.timeout()));
        let theirs = match connection.peer_terms() {
            // The handshake compared what it was given, which may have been something else.
            Some(theirs) if theirs.parameters != ours.parameters => {
                let (ours, theirs) = (ours.parameters, theirs.parameters);
                let mismatch = channel::Error::ParametersMismatch { ours, theirs };
                return Err(mismatch.into());
            }
            Some(theirs) => theirs.clone(),
            None => channel.agree(ours)?,
        };
        Ok(Self {
            channel,
            peer_model: theirs.model,
        })
    }

    /// Server: presents the model and the extension, hears what the client wants, and answers. `grant` says what it gets, or
    /// why it gets nothing.
    pub(crate) fn present<T>(
        &mut self,
        model: &[u8],
        offer: &Offer,
        grant: impl FnOnce(Wish) -> Result<T, String>,
    ) -> Result<(Wish, T), Error> {
        self.channel.send_frame(model)?;
        self.say(offer)?;
        let wish: Wish = self.wish()?;
        match grant(wish) {
            Ok(granted) => {
                self.say(&Answer::Accepted)?;
                Ok((wish, granted))
            }
            Err(reason) => {
                self.say(&Answer::Refused(reason.clone()))?;
                Err(Error::Refused { reason })
            }
        }
    }

    /// Client: hears what the model is, and checks it against what the server said it was and what this
    /// client insists on.
    pub(crate) fn meet(&mut self, expect: Option<Digest>) -> Result<PublicModel, Error> {
        let json = self.channel.recv_frame(MAX_PUBLIC_BYTES)?;
        let model = PublicModel::from_json(&json)
            .map_err(|e| Error::peer(&format!("the server's model is unusable: {e}")))?;
        let digest = model.digest();
        if self.peer_model != Some(digest) {
            let what = "the server presented another model than it had announced";
            return Err(Error::peer(what));
        }
        match expect {
            Some(expected) if expected != digest => {
                let offered = Some(digest);
                Err(channel::Error::ModelMismatch { expected, offered }.into())
            }
            _ => Ok(model),
        }
    }

    /// Client: hears which extension the server uses, and finds it among those that it takes part in.
    pub(crate) fn extension(
        &mut self,
        ours: &[&'static dyn Extension],
    ) -> Result<&'static dyn Extension, Error> {
        let offer: Offer = self.receive("extension")?;
        let same = ours.iter().find(|one| Offer::of(**one) == offer);
        same.copied().ok_or_else(|| Error::OtherExtension {
            offered: cleaned(&offer.extension),
            accepted: ours.iter().map(|one| one.name()).collect(),
        })
    }

    /// Client: says what it wants and hears whether it gets it.
    pub(crate) fn ask(&mut self, wish: Wish) -> Result<(), Error> {
        self.say(&wish)?;
        match self.receive("answer")? {
            Answer::Accepted => Ok(()),
            Answer::Refused(reason) => Err(Error::Refused {
                reason: cleaned(&reason),
            }),
        }
    }

    pub(crate) fn say(&mut self, message: &impl Serialize) -> Result<(), Error> {
        let json = serde_json::to_vec(message).expect("these messages have a JSON form");
        self.channel.send_frame(&json)?;
        Ok(self.channel.flush()?)
    }

    fn receive<T: DeserializeOwned>(&mut self, what: &str) -> Result<T, Error> {
        Self::parsed(&self.message()?, what)
    }

    pub(crate) fn message(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.channel.recv_frame(MAX_MESSAGE)?)
    }

    pub(crate) fn parsed<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T, Error> {
        serde_json::from_slice(json)
            .map_err(|e| Error::peer(&format!("the peer sent a malformed {what}: {e}")))
    }
}
