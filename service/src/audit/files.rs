//! The files of a log: the one that is written, those that are full, and what was torn.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use channel::Digest;
use sha2::{Digest as _, Sha256};

use super::chain::{self, MAX_LINE};
use super::{AuditError, AuditLink};

/// Digits of the number in the name of a full file.
const DIGITS: usize = 12;

/// Where a log is.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    name: String,
}

/// What there was of a line that has no end.
pub(super) struct Aside {
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
    pub(super) name: String,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Result<Self, AuditError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| AuditError::NoLog {
            path: path.to_owned(),
            what: "its name is none of a file, or is no text",
        })?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
        })
    }

    pub(super) fn failed(&self, cause: io::Error) -> AuditError {
        AuditError::File {
            path: self.path.clone(),
            cause,
        }
    }

    /// A file beside the log, whose name begins with that of the log.
    fn beside(&self, end: &str) -> PathBuf {
        self.path.with_file_name(format!("{}.{end}", self.name))
    }

    /// The folder itself.
    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Keeps other processes away until it is closed.
    pub(super) fn lock(&self) -> Result<File, AuditError> {
        let path = self.beside("lock");
        let lock = private(OpenOptions::new().write(true).create(true)).open(&path);
        let lock = lock.map_err(|cause| AuditError::File { path, cause })?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(AuditError::Busy {
                path: self.path.clone(),
            }),
            Err(TryLockError::Error(cause)) => Err(self.failed(cause)),
        }
    }

    /// The file that is written; an empty one if there is none.
    pub(super) fn open(&self) -> Result<File, AuditError> {
        let opened =
            private(OpenOptions::new().read(true).append(true).create(true)).open(&self.path);
        let synced = opened.and_then(|file| {
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(ErrorKind::InvalidInput, "this is no file"));
            }
            self.sync()?;
            Ok(file)
        });
        synced.map_err(|cause| self.failed(cause))
    }

    /// Makes names durable.
    fn sync(&self) -> io::Result<()> {
        match cfg!(unix) {
            true => File::open(self.folder())?.sync_all(),
            false => Ok(()),
        }
    }

    /// The last line of the newest full file.
    pub(super) fn before(&self) -> Result<Option<AuditLink>, AuditError> {
        let newest = self.newest().map_err(|cause| self.failed(cause))?;
        let Some(path) = newest else { return Ok(None) };
        let full = Self::new(&path)?;
        let mut file = File::open(&path).map_err(|cause| full.failed(cause))?;
        Ok(Tail::read(&full, &mut file)?.last)
    }

    fn newest(&self) -> io::Result<Option<PathBuf>> {
        let mut newest: Option<String> = None;
        for entry in std::fs::read_dir(self.folder())? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(&*self.name)?.strip_prefix('.'));
            let number = number.filter(|number| {
                number.len() == DIGITS && number.bytes().all(|c| c.is_ascii_digit())
            });
            newest = newest.max(number.map(str::to_owned));
        }
        Ok(newest.map(|number| self.beside(&number)))
    }

    /// Gives the file that is written the name of a full one, and begins another.
    pub(super) fn rotate(&self, last: u64) -> Result<File, AuditError> {
        let full = self.beside(&format!("{last:0DIGITS$}"));
        let rename = || match full.try_exists()? {
            true => Err(io::Error::new(
                ErrorKind::AlreadyExists,
                format!("{} is there already", full.display()),
            )),
            false => std::fs::rename(&self.path, &full),
        };
        rename().map_err(|cause| self.failed(cause))?;
        self.open()
    }

    /// Puts what is torn into a file of its own, and takes it out of the log. What was put aside before a crash that kept it from being recorded
    /// is found again: its name has the number of the line to come.
    pub(super) fn put_aside(
        &self,
        file: &File,
        tail: &Tail,
        next: u64,
    ) -> Result<Option<Aside>, AuditError> {
        let path = self.beside(&format!("torn-{next}"));
        let put = || -> io::Result<Option<Aside>> {
            if !tail.torn.is_empty() {
                let mut aside = private(OpenOptions::new().write(true).create(true).truncate(true))
                    .open(&path)?;
                aside.write_all(&tail.torn)?;
                aside.sync_all()?;
                self.sync()?;
                file.set_len(tail.length)?;
                file.sync_all()?;
            } else if !path.try_exists()? {
                return Ok(None);
            }
            let mut torn = Vec::new();
            File::open(&path)?
                .take(MAX_LINE as u64)
                .read_to_end(&mut torn)?;
            Ok(Some(Aside {
                bytes: torn.len() as u64,
                sha256: Sha256::digest(&torn).into(),
                name: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            }))
        };
        put().map_err(|cause| self.failed(cause))
    }
}

/// The end of a file.
pub(super) struct Tail {
    /// The last line that has an end, if there is one.
    pub(super) last: Option<AuditLink>,
    /// Bytes up to its end.
    pub(super) length: u64,
    /// What comes after it.
    pub(super) torn: Vec<u8>,
}

impl Tail {
    /// Reads no more than two lines may have.
    pub(super) fn read(folder: &Folder, file: &mut File) -> Result<Self, AuditError> {
        let no_log = |what| AuditError::NoLog {
            path: folder.path.clone(),
            what,
        };
        let (length, end) = tail(file).map_err(|cause| folder.failed(cause))?;
        let whole = end.iter().rposition(|&c| c == b'\n').map_or(0, |at| at + 1);
        let (lines, torn) = end.split_at(whole);
        if torn.len() >= MAX_LINE {
            return Err(no_log("its last line is longer than any"));
        }
        let torn = torn.to_vec();
        let length = length - torn.len() as u64;
        let Some(before_feed) = lines.len().checked_sub(1) else {
            return Ok(Self {
                last: None,
                length,
                torn,
            });
        };
        let begin = lines[..before_feed]
            .iter()
            .rposition(|&c| c == b'\n')
            .map_or(0, |at| at + 1);
        let last = chain::read(&lines[begin..])
            .ok_or_else(|| no_log("its last line is none of an audit log"))?;
        Ok(Self {
            last: Some(last.0),
            length,
            torn,
        })
    }
}

/// The length of a file, and as much of its end as two lines may have.
fn tail(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let most = 2 * MAX_LINE as u64;
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut end = Vec::new();
    Read::take(file, most).read_to_end(&mut end)?;
    Ok((length, end))
}

/// New files are for their owner alone: they say who asked.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
