//! The audit log: who asked whom for what, in lines that hold each other.

mod chain;
mod event;
mod files;
mod store;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use files::{Folder, Tail};
use thiserror::Error as ThisError;

pub use chain::{AuditLink, Broken, Chain};
pub use event::{AuditEvent, Ended, Party};
pub use store::AuditedStore;

/// The least size at which a file is full: room for any line.
const LEAST_SIZE: u64 = 1 << 20;

/// An append-only log of who asked whom for what, in a file of its own.
///
/// **Functionality.** A line is a JSON object with a number, the SHA-256 of the line before it (its line feed included), the time, and an [`AuditEvent`]. So nobody can change,
/// remove, insert or move a line without changing all that follow it; [`Chain`] finds the first that does not fit, and whether the log is there from its first line
/// on ([`Chain::from_start`]) or goes on from another one ([`Chain::after`]). Nothing in the file shows that lines at its end are missing, or that all of it was
/// written anew: that takes a hash which was noted elsewhere ([`Audit::last`]).
///
/// **Durability.** [`Audit::record`] returns when the line is on the medium (`fdatasync`). After a crash, what there is of a last line without an end is put aside, in a file
/// of its own, and the log goes on with an [`AuditEvent::Torn`].
///
/// **One writer.** A lock on `FILE.lock` keeps other processes away as long as the value lives; the system takes it from processes that are
/// killed.
///
/// **Rotation.** A file that is full is renamed to `FILE.N`, with the twelve digits of the number of its last line, and the new one begins with the hash of
/// that line.
#[derive(Debug)]
pub struct Audit {
    folder: Folder,
    full: Option<u64>,
    state: Mutex<State>,
    /// Locked while it is open.
    _lock: File,
}

/// Where the log is at.
#[derive(Debug)]
struct State {
    file: File,
    length: u64,
    last: Option<AuditLink>,
    /// Whether the file is no longer what this program believes it to be.
    lost: bool,
}

/// Why something was not recorded.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum AuditError {
    /// The operating system refused.
    #[error("the audit log {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another process writes it.
    #[error("the audit log {} is being written by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file is not an audit log, or was changed: its last line is none.
    #[error("{} is no audit log, or was changed: {what}; nothing is written to it", path.display())]
    NoLog {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// An earlier line may not have reached the medium, and nothing can be written after it.
    #[error("the audit log {} could not be written before; it goes on when the program is started again", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
    },
}

impl Audit {
    /// Opens a log, or begins one, and records that this program writes it from now on. `program` is its name and version; `now`
    /// is in Unix seconds.
    ///
    /// # Errors
    /// [`AuditError`]: among others, [`AuditError::Busy`] if another process writes it.
    pub fn open(path: &Path, program: &str, now: u64) -> Result<Self, AuditError> {
        let folder = Folder::new(path)?;
        let lock = folder.lock()?;
        let mut before = folder.before()?;
        let mut file = folder.open()?;
        let tail = Tail::read(&folder, &mut file)?;
        if let Some(last) = tail.last {
            before = Some(last);
        }
        let next = before.map_or(0, |last| last.number + 1);
        let aside = folder.put_aside(&file, &tail, next)?;
        let audit = Self {
            full: None,
            state: Mutex::new(State {
                file,
                length: tail.length,
                last: before,
                lost: false,
            }),
            folder,
            _lock: lock,
        };
        if let Some(aside) = aside {
            audit.record(
                now,
                &AuditEvent::Torn {
                    bytes: aside.bytes,
                    sha256: &aside.sha256,
                    kept: &aside.name,
                },
            )?;
        }
        audit.record(now, &AuditEvent::Begun { program })?;
        Ok(audit)
    }

    /// The same log, which begins a new file when one has reached this size (at least 1 MiB).
    #[must_use]
    pub fn rotating(self, bytes: u64) -> Self {
        Self {
            full: Some(bytes.max(LEAST_SIZE)),
            ..self
        }
    }

    /// Appends a line, and returns when it is on the medium. `now` is in Unix seconds; times may go back where a clock does.
    ///
    /// What must not happen without being recorded is recorded before it happens, and does not happen if this fails.
    ///
    /// # Errors
    /// [`AuditError::File`], and [`AuditError::Lost`] for all that come after one whose consequences could not be undone.
    pub fn record(&self, now: u64, event: &AuditEvent<'_>) -> Result<AuditLink, AuditError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost {
            return Err(AuditError::Lost {
                path: self.folder.path.clone(),
            });
        }
        if self.full.is_some_and(|full| state.length >= full)
            && let Some(last) = state.last
        {
            // A half-done rotation is found when the log is opened, not by this value.
            state.lost = true;
            state.file = self.folder.rotate(last.number)?;
            (state.length, state.lost) = (0, false);
        }
        let (line, link) = chain::line(state.last, now, event);
        state
            .append(&line)
            .map_err(|cause| self.folder.failed(cause))?;
        state.last = Some(link);
        Ok(link)
    }

    /// Number and hash of the last line: noted elsewhere, they show later that nothing up to it was changed or cut off. `None` only if
    /// [`Audit::open`] could not write.
    #[must_use]
    pub fn last(&self) -> Option<AuditLink> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last
    }
}

impl State {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // What is true until the opposite is known.
        self.lost = true;
        if let Err(cause) = self.file.write_all(line) {
            // No part of a line may stay before the next one. If it cannot be taken back, it is torn for whoever opens the log again.
            self.lost = self.file.set_len(self.length).is_err();
            return Err(cause);
        }
        // After an error here nobody knows what is on the medium.
        self.file.sync_data()?;
        self.length += line.len() as u64;
        self.lost = false;
        Ok(())
    }
}
