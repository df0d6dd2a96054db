//! Folders of images, as `blindray import --calibrate` takes them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Endings of image files, in any case.
const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "dcm", "dicom"];

/// Finds up to `most` image files under a folder, its subfolders included, evenly spread over their sorted
/// names; `most` below 1 counts as 1.
///
/// A file is taken for an image by the ending of its name; pipes, sockets and devices are passed over. The same folder gives the same files in the same
/// order on every machine. Symbolic links to folders are followed; each folder is searched once, so a link back up does no harm.
///
/// # Errors
/// [`Error::Folder`] when a folder cannot be listed, [`Error::NoImages`] when there is nothing to find.
pub fn find(folder: &Path, most: usize) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    let mut searched = BTreeSet::new();
    while let Some(next) = folders.pop() {
        let unreadable = |source| Error::Folder {
            path: next.clone(),
            source,
        };
        if !searched.insert(next.canonicalize().map_err(unreadable)?) {
            continue;
        }
        let entries = std::fs::read_dir(&next).map_err(unreadable)?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        let mut paths = paths.collect::<io::Result<Vec<_>>>().map_err(unreadable)?;
        // So that of two ways to a folder the same one is taken everywhere.
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if has_image_ending(&path) && !is_special(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::NoImages {
            path: folder.to_owned(),
        });
    }
    let kept = most.clamp(1, files.len());
    Ok((0..kept)
        .map(|i| files[i * files.len() / kept].clone())
        .collect())
}

/// Whether it is there and is no regular file. A link that leads nowhere stays in the list, so that reading it names it.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

fn has_image_ending(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}
