//! Where this machine keeps preparations, and the key that they are sealed with.

mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use channel::Role;
use clap::Args;
use identity::{Fingerprint, create_private};
use sealed::Key;
use service::{Audit, AuditedStore, ClientKey, Shelf, Store};

use crate::failure::{Failure, Outcome};
use crate::{audit, entropy, identity as own, sealing};
use folder::Folder;

/// Where preparations are.
#[derive(Debug, Args)]
pub(crate) struct ShelfArgs {
    /// The folder with this party's preparations; default: blindray/preparations/client or /server in the folder of your programs' state (XDG_STATE_HOME, or
    /// .local/state).
    #[arg(long, value_name = "FOLDER")]
    preparations: Option<PathBuf>,
    /// The key that encrypts them: a file that you alone can read, as `seal key` makes it; default: blindray/preparations.key in your
    /// configuration folder, made at first use. Servers that share a store need the same.
    #[arg(long, value_name = "FILE")]
    preparations_key: Option<PathBuf>,
}

impl ShelfArgs {
    fn place(&self, role: Role) -> Outcome<PathBuf> {
        let usual = || {
            usual(role).ok_or_else(|| {
                Failure::input(
                    "neither XDG_STATE_HOME nor HOME is set: say where with --preparations FOLDER",
                )
            })
        };
        self.preparations.clone().map_or_else(usual, Ok)
    }

    /// Where a client's preparations are, for people.
    pub(crate) fn of_client(&self) -> String {
        let place = self.place(Role::Client);
        place.map_or_else(|_| String::new(), |place| place.display().to_string())
    }

    /// The shelf of a client with this key, if it has one. What is made and used is recorded in the log, if there is one.
    pub(crate) fn open(
        &self,
        own: Option<Fingerprint>,
        log: Option<&Arc<Audit>>,
    ) -> Outcome<Shelf> {
        let folder = Folder::at(self.place(Role::Client)?);
        let own = own.map_or_else(ClientKey::default, |own| ClientKey(*own.as_bytes()));
        Ok(self.on(Arc::new(folder), log)?.of(own))
    }

    /// The same, if there is anything on it.
    pub(crate) fn find(
        &self,
        own: Option<Fingerprint>,
        log: Option<&Arc<Audit>>,
    ) -> Outcome<Option<Shelf>> {
        let there = self.place(Role::Client).is_ok_and(|place| place.exists());
        there.then(|| self.open(own, log)).transpose()
    }

    /// A server's shelf, in a folder; none where nobody says where and there is no usual place.
    pub(crate) fn serve(&self, log: Option<&Arc<Audit>>) -> Outcome<Option<Shelf>> {
        if self.preparations.is_none() && usual(Role::Server).is_none() {
            return Ok(None);
        }
        let place = self.place(Role::Server)?;
        if place.exists() && !place.is_dir() {
            let place = place.display();
            return Err(Failure::input(format!(
                "--preparations {place}: it is no folder"
            )));
        }
        let folder = Folder::at(place);
        self.on(Arc::new(folder), log).map(Some)
    }

    /// A shelf in a store.
    pub(crate) fn on(&self, store: Arc<dyn Store>, log: Option<&Arc<Audit>>) -> Outcome<Shelf> {
        let key = match &self.preparations_key {
            Some(path) => sealing::from_file(path)?,
            None => usual_key(&own::beside("preparations.key")?)?,
        };
        let store = match log {
            Some(log) => Arc::new(AuditedStore::new(store, Arc::clone(log), audit::now)),
            None => store,
        };
        Ok(Shelf::new(store, key))
    }
}

/// The two parties of one machine have a place each.
fn usual(role: Role) -> Option<PathBuf> {
    let folder = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let state = folder("XDG_STATE_HOME");
    let state = state.or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    let role = match role {
        Role::Server => "server",
        Role::Client => "client",
    };
    Some(state.join("blindray/preparations").join(role))
}

/// The key in a file, made where there is none.
fn usual_key(path: &Path) -> Outcome<Key> {
    if !path.exists() {
        let text = Key::new(entropy::bytes()?).to_text();
        match create_private(path, &text) {
            // Another process has been faster.
            Err(identity::Error::File { cause, .. })
                if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    sealing::from_file(path)
}
