//! Folders of images, as `blindray import --calibrate` takes them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{DirEntry, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::format::{FIRST_BYTES, is_image};

/// What a folder holds, its subfolders included.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The image files that were chosen, sorted by name.
    pub images: Vec<PathBuf>,
    /// The files that were passed over.
    pub skipped: Skipped,
}

/// How many files of a folder were passed over, and why. `Display` gives one line.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Skipped {
    /// Files and folders whose names begin with a dot, and folders of archives' leftovers (`__MACOSX`).
    pub hidden: usize,
    /// Files that begin as none of the formats do, DICOM files without a picture, pipes, sockets and devices.
    pub foreign: usize,
    /// Files that could not be opened, and links that lead nowhere.
    pub unreadable: usize,
    /// Further names of files that were found already.
    pub again: usize,
}

impl Skipped {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.hidden + self.foreign + self.unreadable + self.again
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [
            (self.hidden, "hidden"),
            (self.foreign, "no PNG, JPEG or DICOM image"),
            (self.unreadable, "not readable"),
            (self.again, "found before under another name"),
        ];
        let given = reasons.iter().filter(|(count, _)| *count > 0);
        let given: Vec<String> = given.map(|(n, why)| format!("{n} {why}")).collect();
        match self.total() {
            0 => f.write_str("0 files"),
            1 => write!(f, "1 file ({})", given.join(", ")),
            total => write!(f, "{total} files ({})", given.join(", ")),
        }
    }
}

/// Finds the image files under a folder, its subfolders included, and gives up to `most` of them, evenly spread over their
/// sorted names; `most` below 1 counts as 1.
///
/// A file is taken for an image by its first bytes, whatever its name. The same folder gives the same files in the same
/// order on every machine. Links are followed; each folder is searched once and each file is counted once, however many links lead to it.
///
/// # Errors
/// [`Error::Folder`] when a folder cannot be listed, [`Error::NoImages`] when there is nothing to find.
pub fn find(folder: &Path, most: usize) -> Result<Found, Error> {
    let mut search = Search::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let unreadable = |source| Error::Folder {
            path: next.clone(),
            source,
        };
        if !search.seen.insert(next.canonicalize().map_err(unreadable)?) {
            continue;
        }
        let entries = std::fs::read_dir(&next).map_err(unreadable)?;
        let mut entries = entries
            .collect::<io::Result<Vec<_>>>()
            .map_err(unreadable)?;
        // So that of two ways to a file or a folder the same one is taken everywhere.
        entries.sort_by_key(DirEntry::path);
        for entry in entries {
            if is_hidden(&entry) {
                search.skipped.hidden += 1;
                continue;
            }
            let path = entry.path();
            match path.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(path),
                metadata => search.file(path, metadata),
            }
        }
    }
    let (mut files, skipped) = (search.images, search.skipped);
    files.sort();
    if files.is_empty() {
        return Err(Error::NoImages {
            path: folder.to_owned(),
            skipped,
        });
    }
    let kept = most.clamp(1, files.len());
    let images = (0..kept)
        .map(|i| files[i * files.len() / kept].clone())
        .collect();
    Ok(Found { images, skipped })
}

/// What a search has come by.
#[derive(Default)]
struct Search {
    /// Where links no longer lead on.
    seen: BTreeSet<PathBuf>,
    images: Vec<PathBuf>,
    skipped: Skipped,
}

impl Search {
    /// Takes a file in, or counts why not.
    fn file(&mut self, path: PathBuf, metadata: io::Result<Metadata>) {
        let counted = match metadata {
            Err(_) => &mut self.skipped.unreadable,
            // Opening a pipe could wait forever.
            Ok(metadata) if !metadata.is_file() => &mut self.skipped.foreign,
            Ok(_) => match (first(&path), path.canonicalize()) {
                (Err(_), _) | (_, Err(_)) => &mut self.skipped.unreadable,
                (Ok(first), _) if !is_image(&first) => &mut self.skipped.foreign,
                (_, Ok(real)) => {
                    if self.seen.insert(real) {
                        self.images.push(path);
                        return;
                    }
                    &mut self.skipped.again
                }
            },
        };
        *counted += 1;
    }
}

/// The bytes by which a file is known.
fn first(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    let file = std::fs::File::open(path)?;
    file.take(FIRST_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_hidden(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.as_encoded_bytes();
    name.starts_with(b".") || name == b"__MACOSX"
}
