//! The clients that a server serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::{Error, Fingerprint, file};

/// A list of clients, one a line: `SHA256:... NAME`, with comments behind `#` at a line's start. Names are for people,
/// and each stands once, as do keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientList(BTreeMap<Fingerprint, String>);

impl ClientList {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Content`], or [`Error::Line`] for one that is no fingerprint and name, or one that stands
    /// there twice.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(path, &file::read(path, false)?)
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
            let name = name.trim();
            if name.chars().any(char::is_control) {
                return Err(bad("a name with control characters".to_owned()));
            }
            if !names.insert(name) {
                return Err(bad(format!("a second client of the name {name}")));
            }
            if clients.insert(key, name.to_owned()).is_some() {
                return Err(bad(format!("{key} stands further up already")));
            }
        }
        Ok(Self(clients))
    }

    /// The name of a client, if it is on the list.
    #[must_use]
    pub fn name(&self, key: &Fingerprint) -> Option<&str> {
        self.0.get(key).map(String::as_str)
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
}
