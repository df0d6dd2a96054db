//! What the two parties say to each other before the protocols, on a stream of its own.
//!
//! Over a connection without a handshake they compare their session id and their terms first. Then:
//!
//! | from | message | at most |
//! |---|---|---|
//! | server | the public part of its model | 16 MiB |
//! | server | `{"extension": its name, "parameters": {name: number, …}}` | 4096 bytes |
//! | client | `{"mode": "faithful" or "fast", "images": n, "ahead": true or false, "work": "infer", "prepare" or "stocked"}` | 4096 bytes |
//! | server | `"accepted"` or `{"refused": why}` | 4096 bytes |
//!
//! Where the work is to prepare, for each preparation that the server has put aside:
//!
//! | server | `{"token": 32 hexadecimal digits, "lifetime": seconds}`, or `{"refused": why}` | 4096 bytes |
//! | client | `{"token": the same, which it has put aside as well}` | 4096 bytes |
//!
//! Where the work is with preparations, before each run:
//!
//! | client | `{"token": that of a preparation which it has deleted}` | 4096 bytes |
//! | server | `"accepted"`, after it has deleted its own, or `{"refused": why}` | 4096 bytes |
//!
//! After a refusal, of which there are 16 at most in a session, the client names another one. If it has none any more, it says so, and that run and all that
//! follow are as where the work is to infer:
//!
//! | client | `"without"` | 4096 bytes |
//! | server | `"accepted"` or `{"refused": why}` | 4096 bytes |
//!
//! Before its request a client may measure the line (`measure`), and ask which of its preparations the server still has, at most 64 at a time:
//!
//! | client | `{"held": {"mode": as above, "tokens": [32 hexadecimal digits, …], "all": true or false}}` | 4096 bytes |
//! | server | `{"kept": [true or false for each]}`, or `{"kept": null}` if it keeps none now | 4096 bytes |
//!
//! With `all`, it has said which it has, in any mode: if it then wants others made and there is no room, the server may delete what it has missed
//! before. Nothing is charged for asking. Each message is JSON, its length in eight bytes before it. All that comes before the work has to be over within the time-out of
//! the connection, so that a client whose bytes drip does not hold its place for long.

use std::collections::BTreeMap;
use std::convert::Infallible;

use channel::{Channel, Connection, Digest, Terms};
use nets::{MAX_PUBLIC_BYTES, PublicModel};
use ot::Extension;
use secure::Mode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::cleaned;
use crate::prepare::{token_of, token_text};
use crate::{Error, Token};

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
    pub(crate) work: Work,
}

/// Preparations that the client has.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    held: Held,
}

/// Preparations for runs in a mode.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    mode: Mode,
    tokens: Vec<String>,
    /// Whether it has said all it has, in any mode.
    all: bool,
}

/// Which of them the server has as well; `None` if it keeps none now.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    kept: Option<Vec<bool>>,
}

/// The most tokens that are asked about at once, which fit into a message.
pub(crate) const AT_ONCE: usize = 64;

/// What the session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Runs, with all that belongs to them.
    Infer,
    /// Preparations.
    Prepare,
    /// Runs from preparations.
    Stocked,
}

/// A preparation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    token: String,
    /// For how many seconds the server keeps it; said where it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<u64>,
}

/// The client has no preparation any more.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoMore {
    Without,
}

/// What the server says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Accepted,
    Refused(String),
}

/// What a server does for a client that has not said yet what it wants.
pub(crate) trait Reception {
    /// Which of some preparations that the client has the server has as well; `None` if it keeps none now. With `all`, those that were
    /// asked about in this session are all that the client has.
    fn kept(&mut self, mode: Mode, held: &[Option<Token>], all: bool) -> Option<Vec<bool>>;

    /// Whether so many bytes may pass to measure the line, or why not.
    fn measure(&mut self, bytes: u64) -> Result<(), String>;
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
    pub(crate) fn present<R: Reception, T>(
        &mut self,
        model: &[u8],
        offer: &Offer,
        reception: &mut R,
        grant: impl FnOnce(&mut R, Wish) -> Result<T, String>,
    ) -> Result<(Wish, T), Error> {
        self.channel.send_frame(model)?;
        self.say(offer)?;
        let wish: Wish = self.wish(reception)?;
        match grant(reception, wish) {
            Ok(granted) => {
                self.grant()?;
                // From here on each message has the time-out for itself.
                self.channel.set_total(None);
                Ok((wish, granted))
            }
            Err(reason) => self.refuse(reason).map(|never| match never {}),
        }
    }

    /// Server: says yes.
    pub(crate) fn grant(&mut self) -> Result<(), Error> {
        self.say(&Answer::Accepted)
    }

    /// Server: says no, and why, and goes on.
    pub(crate) fn deny(&mut self, reason: String) -> Result<(), Error> {
        self.say(&Answer::Refused(reason))
    }

    /// Server: the same, and gives the error of this end.
    pub(crate) fn refuse(&mut self, reason: String) -> Result<Infallible, Error> {
        self.deny(reason.clone())?;
        Err(Error::Refused { reason })
    }

    /// Server: tells of a preparation that it has put aside, and hears that the client has put its own aside.
    pub(crate) fn tell(&mut self, token: Token, lifetime: u64) -> Result<(), Error> {
        let (lifetime, text) = (Some(lifetime), token_text(token));
        self.say(&Named {
            token: text,
            lifetime,
        })?;
        match self.named()? == token {
            true => Ok(()),
            false => Err(Error::peer("the client confirmed another preparation")),
        }
    }

    /// Client: hears of a preparation that the server has put aside, and for how many seconds.
    pub(crate) fn made(&mut self) -> Result<(Token, u64), Error> {
        let Named { token, lifetime } = self.unless_refused("preparation")?;
        let made = token_of(&token).zip(lifetime);
        made.ok_or_else(|| Error::peer("the server named no preparation"))
    }

    /// Client: names a preparation.
    pub(crate) fn name(&mut self, token: Token) -> Result<(), Error> {
        let (token, lifetime) = (token_text(token), None);
        self.say(&Named { token, lifetime })
    }

    /// Server: hears which preparation the client names.
    pub(crate) fn named(&mut self) -> Result<Token, Error> {
        let json = self.message()?;
        Self::token_in(&json)
    }

    fn token_in(json: &[u8]) -> Result<Token, Error> {
        let Named { token, .. } = Self::parsed(json, "preparation")?;
        token_of(&token).ok_or_else(|| Error::peer("the client named no preparation"))
    }

    /// Client: has no preparation any more.
    pub(crate) fn without(&mut self) -> Result<(), Error> {
        self.say(&NoMore::Without)
    }

    /// Server: hears which preparation the client names for a run; `None` if it has none any more.
    pub(crate) fn named_or_without(&mut self) -> Result<Option<Token>, Error> {
        let json = self.message()?;
        match serde_json::from_slice(&json) {
            Ok(NoMore::Without) => Ok(None),
            Err(_) => Self::token_in(&json).map(Some),
        }
    }

    /// Client: asks which of some preparations the server has as well. With `all`, it has none that it has not asked about.
    pub(crate) fn ask_held(
        &mut self,
        mode: Mode,
        tokens: &[Token],
        all: bool,
    ) -> Result<Option<Vec<bool>>, Error> {
        let texts = tokens.iter().copied().map(token_text).collect();
        let held = Held {
            mode,
            tokens: texts,
            all,
        };
        self.say(&Ask { held })?;
        let Kept { kept } = self.receive("list of preparations")?;
        match kept {
            Some(kept) if kept.len() != tokens.len() => {
                Err(Error::peer("the server told of other preparations"))
            }
            kept => Ok(kept),
        }
    }

    /// Server: says which of them it has as well.
    pub(crate) fn tell_kept(
        &mut self,
        Ask { held }: Ask,
        reception: &mut impl Reception,
    ) -> Result<(), Error> {
        let tokens: Vec<_> = held.tokens.iter().map(|text| token_of(text)).collect();
        let kept = reception.kept(held.mode, &tokens, held.all);
        self.say(&Kept { kept })
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

    /// Client: says what it wants.
    pub(crate) fn want(&mut self, wish: Wish) -> Result<(), Error> {
        self.say(&wish)
    }

    /// Client: hears whether it gets what it wants.
    pub(crate) fn hear(&mut self) -> Result<(), Error> {
        let answer = self.answer()?;
        answer.map_err(|reason| Error::Refused { reason })
    }

    /// Client: the same, or why not, which need not be the end.
    pub(crate) fn answer(&mut self) -> Result<Result<(), String>, Error> {
        match self.receive("answer")? {
            Answer::Accepted => {
                self.channel.set_total(None);
                Ok(Ok(()))
            }
            Answer::Refused(reason) => Ok(Err(cleaned(&reason))),
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

    /// Client: a message, in place of which the server may refuse.
    pub(crate) fn unless_refused<T: DeserializeOwned>(&mut self, what: &str) -> Result<T, Error> {
        let json = self.message()?;
        if let Ok(Answer::Refused(reason)) = serde_json::from_slice(&json) {
            let reason = cleaned(&reason);
            return Err(Error::Refused { reason });
        }
        Self::parsed(&json, what)
    }

    pub(crate) fn message(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.channel.recv_frame(MAX_MESSAGE)?)
    }

    pub(crate) fn parsed<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T, Error> {
        serde_json::from_slice(json)
            .map_err(|e| Error::peer(&format!("the peer sent a malformed {what}: {e}")))
    }
}
