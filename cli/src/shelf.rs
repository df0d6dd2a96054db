//! Where this machine keeps preparations, and the key that they are sealed with.

mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use channel::Role;
use clap::Args;
use identity::{create_private, read_private};
use sealed::Key;
use service::{Shelf, Store};

use crate::failure::{Failure, Outcome};
use crate::{entropy, identity as own};
use folder::Folder;

/// Where preparations are.
#[derive(Debug, Args)]
pub(crate) struct ShelfArgs {
    /// The folder with this party's preparations; default: blindray/preparations/client or /server in the folder of your programs' state (XDG_STATE_HOME, or
    /// .local/state). They are encrypted by the key in blindray/preparations.key in your configuration folder, which is made at first use.
    #[arg(long, value_name = "FOLDER")]
    preparations: Option<PathBuf>,
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

    /// A client's shelf.
    pub(crate) fn open(&self) -> Outcome<Shelf> {
        on(Arc::new(Folder::at(self.place(Role::Client)?)))
    }

    /// A client's shelf, if there is anything on it.
    pub(crate) fn find(&self) -> Outcome<Option<Shelf>> {
        let there = self.place(Role::Client).is_ok_and(|place| place.is_dir());
        there.then(|| self.open()).transpose()
    }

    /// A server's shelf; none where nobody says where and there is no usual place.
    pub(crate) fn serve(&self) -> Outcome<Option<Shelf>> {
        if self.preparations.is_none() && usual(Role::Server).is_none() {
            return Ok(None);
        }
        on(Arc::new(Folder::at(self.place(Role::Server)?))).map(Some)
    }
}

/// A shelf in a store, sealed with the key of this machine.
pub(crate) fn on(store: Arc<dyn Store>) -> Outcome<Shelf> {
    Ok(Shelf::new(store, key(&own::beside("preparations.key")?)?))
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
fn key(path: &Path) -> Outcome<Key> {
    if !path.exists() {
        if let Some(folder) = path.parent() {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| Failure::input(format!("cannot make {}: {e}", folder.display())))?;
        }
        let text = Key::new(entropy::bytes()?).to_text();
        match create_private(path, &text) {
            // Another process has been faster.
            Err(identity::Error::File { cause, .. })
                if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    let text = read_private(path)?;
    Key::from_text(text.as_bytes())
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}
