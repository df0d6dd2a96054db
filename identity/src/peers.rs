//! The servers that this party knows, each by its address and its key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Fingerprint, file};

/// A file of servers, one a line: `HOST:PORT SHA256:...`, with comments behind `#` at a line's start. As SSH's `known_hosts`.
///
/// ```
/// use identity::{Identity, KnownPeers};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("known_servers");
/// let server = Identity::generate("a server")?.fingerprint();
/// let mut known = KnownPeers::open(&file)?; // Not there yet: nobody is known.
/// assert_eq!(known.find("x.example:7700"), None);
/// known.add("x.example:7700", server)?;
/// assert_eq!(KnownPeers::open(&file)?.find("x.example:7700"), Some(server));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KnownPeers {
    path: PathBuf,
    peers: BTreeMap<String, Fingerprint>,
}

impl KnownPeers {
    /// Reads the file; one that does not exist has nobody in it.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Content`], or [`Error::Line`] for one that is no address and fingerprint, or gives an
    /// address a second key.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = match file::read(path) {
            Err(Error::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    path: path.to_owned(),
                    peers: BTreeMap::new(),
                });
            }
            text => text?,
        };
        Self::parse(path, &text)
    }

    /// Reads what such a file says; `path` is for messages, and for [`KnownPeers::add`].
    ///
    /// # Errors
    /// As [`KnownPeers::open`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut peers = BTreeMap::new();
        for line in file::lines(path, text) {
            let (line, text) = line?;
            let bad = |what: String| Error::Line {
                path: path.to_owned(),
                line,
                what,
            };
            let mut words = text.split_whitespace();
            let (Some(address), Some(key), None) = (words.next(), words.next(), words.next())
            else {
                return Err(bad("not HOST:PORT and a fingerprint".to_owned()));
            };
            let key: Fingerprint = key.parse().map_err(|e: Error| bad(e.to_string()))?;
            match peers.insert(address.to_owned(), key) {
                Some(before) if before != key => {
                    return Err(bad(format!("{address} has another key further up")));
                }
                _ => {}
            }
        }
        let path = path.to_owned();
        Ok(Self { path, peers })
    }

    /// The key of a server, by what it is called on the command line.
    #[must_use]
    pub fn find(&self, address: &str) -> Option<Fingerprint> {
        self.peers.get(address).copied()
    }

    /// Remembers a server, here and in the file, to which one line is appended. What is known already stays as it is.
    ///
    /// # Errors
    /// [`Error::WrongServer`] if it has another key, [`Error::BadName`] if the address has spaces or is too long,
    /// [`Error::File`].
    pub fn add(&mut self, address: &str, key: Fingerprint) -> Result<(), Error> {
        match self.find(address) {
            Some(known) if known == key => return Ok(()),
            Some(expected) => {
                return Err(Error::WrongServer {
                    expected,
                    found: key,
                });
            }
            None => {}
        }
        let spaced = |c: char| c.is_whitespace() || c.is_control();
        let odd = address.is_empty() || address.contains(spaced) || address.starts_with('#');
        if odd || address.len() > file::MAX_LINE / 2 {
            return Err(Error::BadName {
                name: address.chars().take(64).collect(),
                what: "an address is short and has no spaces",
            });
        }
        file::append_line(&self.path, &format!("{address} {key}"))?;
        self.peers.insert(address.to_owned(), key);
        Ok(())
    }
}
