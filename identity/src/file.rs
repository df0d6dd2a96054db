//! Reading and writing the files of identities: with limits, whole, and private where they must be.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// No file of keys or peers is larger.
const MAX_FILE: u64 = 1 << 20;
/// No line of them is longer.
pub(crate) const MAX_LINE: usize = 1024;

/// What a file of at most 1 MiB says that must belong to its owner alone, such as a key. A file of root that a service reads
/// may be readable by the service's group.
///
/// A file with something else in it is said to be that, whoever can read it: nobody is told to change the mode of a file
/// that he named by mistake.
///
/// # Errors
/// [`Error::File`], [`Error::Content`], what `parse` says, or else [`Error::Exposed`] if others can read it.
pub fn read_private<T, E: From<Error>>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, E> {
    let file = open(path)?;
    let parsed = parse(&contents(path, &file)?)?;
    check_private(path, &file)?;
    Ok(parsed)
}

/// The text of a file that everybody may read.
///
/// # Errors
/// [`Error::File`] or [`Error::Content`].
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    contents(path, &open(path)?)
}

fn open(path: &Path) -> Result<File, Error> {
    let failed = |cause| Error::file(path, cause);
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::content(path, "this is no file"));
    }
    File::open(path).map_err(failed)
}

fn contents(path: &Path, file: &File) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::new());
    let content = |what| Err(Error::content(path, what));
    match file.take(MAX_FILE + 1).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > MAX_FILE => content("too large, 1 MiB are allowed"),
        Ok(_) => Ok(text),
        Err(cause) if cause.kind() == ErrorKind::InvalidData => content("this is no text"),
        Err(cause) => Err(Error::file(path, cause)),
    }
}

#[cfg(unix)]
fn check_private(path: &Path, file: &File) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = file.metadata().map_err(|cause| Error::file(path, cause))?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A service gets its secrets as files of root that its group may read, from Kubernetes for example.
    let from_root = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let others = if from_root { 0o037 } else { 0o077 };
    if mode & others != 0 {
        let path = path.to_owned();
        return Err(Error::Exposed { path, mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &File) -> Result<(), Error> {
    Ok(())
}

/// A new file, which only its owner can read, with the folders above it. Nothing that exists is overwritten.
///
/// # Errors
/// [`Error::File`].
pub fn create_private(path: &Path, text: &str) -> Result<(), Error> {
    make_folder(path)?;
    // Under another name until it is whole, so that nobody reads half a key.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let unfinished = path.with_file_name(name);
    let written = write_new(&unfinished, text).and_then(|()| {
        match std::fs::hard_link(&unfinished, path) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
                // Some file systems have no second names.
                write_new(path, text)
            }
            linked => linked,
        }
    });
    drop(std::fs::remove_file(&unfinished));
    written.map_err(|cause| Error::file(path, cause))
}

fn write_new(path: &Path, text: &str) -> Result<(), IoError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = open_private(&mut options, path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Appends one line in one step, so that lines of others who do so at the same time stay whole.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn append_line(path: &Path, line: &str) -> Result<(), Error> {
    let append = || -> Result<(), IoError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = open_private(&mut options, path)?;
        // Who edits such a file may leave its last line without an end.
        let start = if ends_within_a_line(&file)? { "\n" } else { "" };
        file.write_all(format!("{start}{line}\n").as_bytes())?;
        file.sync_all()
    };
    make_folder(path)?;
    append().map_err(|cause| Error::file(path, cause))
}

fn ends_within_a_line(mut file: &File) -> Result<bool, IoError> {
    use std::io::{Seek, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn make_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|cause| Error::file(folder, cause))
}

fn open_private(options: &mut OpenOptions, path: &Path) -> Result<File, IoError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// The lines that say something, with their numbers: no comments, no empty ones.
pub(crate) fn lines<'a>(
    path: &'a Path,
    text: &'a str,
) -> impl Iterator<Item = Result<(usize, &'a str), Error>> {
    let numbered = (1..).zip(text.lines());
    numbered.filter_map(move |(line, text)| {
        if text.len() > MAX_LINE {
            let what = format!("longer than {MAX_LINE} bytes");
            return Some(Err(Error::Line {
                path: path.to_owned(),
                line,
                what,
            }));
        }
        let text = text.trim();
        let says_something = !text.is_empty() && !text.starts_with('#');
        says_something.then_some(Ok((line, text)))
    })
}
