//! The clients that a server serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::{Error, Fingerprint, file, size};

/// A list of clients, one a line: `SHA256:... NAME`, with comments behind `#` at a line's start. Names are for people,
/// and each stands once, as do keys. Behind the name may stand what holds for this client alone ([`ClientRules`]):
///
/// ```text
/// SHA256:... St. Elsewhere urgent images-per-hour=40 bytes=50GB parallel=2
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientList(BTreeMap<Fingerprint, Listed>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Listed {
    name: String,
    rules: ClientRules,
}

/// What holds for one client in place of what holds for all: words behind its name. A number is `unlimited` where it is
/// [`u64::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ClientRules {
    /// `urgent`: it may ask to come before others.
    pub urgent: bool,
    /// `images-per-hour=N`.
    pub images_per_hour: Option<u64>,
    /// `images=N`: in all.
    pub images: Option<u64>,
    /// `sessions-per-hour=N`.
    pub sessions_per_hour: Option<u64>,
    /// `bytes=SIZE`: in all, in both directions; a size is what [`size`] reads.
    pub bytes: Option<u64>,
    /// `parallel=N`: sessions at the same time.
    pub parallel: Option<u64>,
}

impl ClientRules {
    /// Takes the rules off the end of a line, and leaves the name.
    fn take(line: &str) -> Result<(&str, Self), String> {
        let (mut name, mut rules) = (line.trim(), Self::default());
        loop {
            let (rest, word) = name.rsplit_once(char::is_whitespace).unwrap_or(("", name));
            if !rules.read(word)? {
                return Ok((name, rules));
            }
            name = rest.trim_end();
        }
    }

    /// Whether a word is a rule, which is noted then.
    fn read(&mut self, word: &str) -> Result<bool, String> {
        if word == "urgent" {
            if std::mem::replace(&mut self.urgent, true) {
                return Err("urgent stands there twice".to_owned());
            }
            return Ok(true);
        }
        let Some((key, value)) = word.split_once('=') else {
            return Ok(false);
        };
        let place = match key {
            "images-per-hour" => &mut self.images_per_hour,
            "images" => &mut self.images,
            "sessions-per-hour" => &mut self.sessions_per_hour,
            "bytes" => &mut self.bytes,
            "parallel" => &mut self.parallel,
            _ => {
                return Err(format!(
                    "{key} is no rule: there are urgent, images-per-hour=N, images=N, sessions-per-hour=N, bytes=SIZE and parallel=N"
                ));
            }
        };
        let number = match value {
            "unlimited" => u64::MAX,
            "0" if key == "parallel" => {
                return Err(format!(
                    "{word}: give 1 or more; who may have no session is taken off the list"
                ));
            }
            "0" => 0,
            bytes if key == "bytes" => {
                size(bytes).map_err(|what| format!("{word}: {what}, or unlimited"))?
            }
            number => number
                .parse()
                .map_err(|_| format!("{word}: give a whole number, or unlimited"))?,
        };
        if place.replace(number).is_some() {
            return Err(format!("{key} stands there twice"));
        }
        Ok(true)
    }

    /// Whether any of the numbers is given.
    #[must_use]
    pub const fn limits(&self) -> bool {
        self.images_per_hour.is_some()
            || self.images.is_some()
            || self.sessions_per_hour.is_some()
            || self.bytes.is_some()
            || self.parallel.is_some()
    }
}

impl ClientList {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Content`], or [`Error::Line`] for one that is no fingerprint and name, or one that stands
    /// there twice.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(path, &file::read(path)?)
    }

    /// Reads what such a file says; `path` is for messages.
    ///
    /// # Errors
    /// As [`ClientList::open`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut clients = BTreeMap::new();
        let mut names = std::collections::BTreeSet::new();
        for line in file::lines(path, text) {
            let (line, text) = line?;
            let bad = |what: String| Error::Line {
                path: path.to_owned(),
                line,
                what,
            };
            let (key, name) = text
                .split_once(char::is_whitespace)
                .ok_or_else(|| bad("not a fingerprint and a name".to_owned()))?;
            let key: Fingerprint = key.parse().map_err(|e: Error| bad(e.to_string()))?;
            let (name, rules) = ClientRules::take(name).map_err(bad)?;
            if name.is_empty() {
                return Err(bad("a client without a name".to_owned()));
            }
            if name.chars().any(char::is_control) {
                return Err(bad("a name with control characters".to_owned()));
            }
            if !names.insert(name) {
                return Err(bad(format!("a second client of the name {name}")));
            }
            let name = name.to_owned();
            if clients.insert(key, Listed { name, rules }).is_some() {
                return Err(bad(format!("{key} stands further up already")));
            }
        }
        Ok(Self(clients))
    }

    /// The name of a client, if it is on the list.
    #[must_use]
    pub fn name(&self, key: &Fingerprint) -> Option<&str> {
        self.0.get(key).map(|listed| listed.name.as_str())
    }

    /// What holds for a client alone, if it is on the list, by the bytes of its fingerprint: the key of its
    /// [`channel::PeerIdentity`].
    #[must_use]
    pub fn rules(&self, key: &[u8; 32]) -> Option<ClientRules> {
        self.0
            .get(&Fingerprint::from_bytes(*key))
            .map(|listed| listed.rules)
    }

    /// Whether any client has limits of its own.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        self.0.values().any(|listed| listed.rules.limits())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A list of clients that can be read again while a server runs. It holds from the next connection on; sessions at hand
/// go on.
#[derive(Debug)]
pub struct Clients {
    path: PathBuf,
    list: RwLock<ClientList>,
}

impl Clients {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`ClientList::open`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            list: RwLock::new(ClientList::open(path)?),
        })
    }

    /// Reads the file again, and returns how many clients are on the list. If it is wrong, the list stays as it was.
    ///
    /// # Errors
    /// As [`ClientList::open`].
    pub fn reload(&self) -> Result<usize, Error> {
        let list = ClientList::open(&self.path)?;
        let count = list.len();
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(count)
    }

    /// Whether there are none, so that nobody is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.is_empty()
    }

    /// The name of a client, if it is on the list.
    #[must_use]
    pub fn name(&self, key: &Fingerprint) -> Option<String> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.name(key).map(str::to_owned)
    }

    /// As [`ClientList::rules`].
    #[must_use]
    pub fn rules(&self, key: &[u8; 32]) -> Option<ClientRules> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.rules(key)
    }

    /// Whether any client has limits of its own.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.has_limits()
    }
}
