//! Files that a user names: read within bounds, tried before the long work whose result they are to hold, and written
//! together.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// The content of a regular file of at most so many bytes. Opening a pipe could wait forever.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// Fails where a file could not be written. What is there stays as it is, and what is not there is not made.
pub(crate) fn try_writing(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() => OpenOptions::new().write(true).open(path).map(drop),
        // A device, say.
        Ok(_) => Ok(()),
        Err(_) => {
            File::create_new(path)?;
            std::fs::remove_file(path)
        }
    }
}

/// Writes files that belong together. Where one fails, on a full disk for instance, those that were not there
/// before are removed again, and the error names the one that failed.
pub(crate) fn write_together(files: &[(&Path, &[u8])]) -> Result<(), String> {
    let mut new = Vec::new();
    for &(path, bytes) in files {
        if !path.exists() {
            new.push(path);
        }
        if let Err(error) = std::fs::write(path, bytes) {
            new.iter().for_each(|path| drop(std::fs::remove_file(path)));
            return Err(format!("cannot write {}: {error}", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_together_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        std::fs::write(&old, b"before").expect("a file");
        let files: [(&Path, &[u8]); 3] = [(&old, b"after"), (&new, b"new"), (folder.path(), b"")];
        let error = write_together(&files).expect_err("a folder is no file");
        let name = folder.path().display().to_string();
        assert!(error.contains(&name), "{error}");
        assert!(old.exists() && !new.exists());
        write_together(&files[..2]).expect("both can be written");
        assert_eq!(std::fs::read(&old).expect("there"), b"after");
        assert_eq!(std::fs::read(&new).expect("there"), b"new");
    }

    #[test]
    fn nothing_changes_by_trying() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, b"12345").expect("a file");
        try_writing(&old).expect("it can be written");
        try_writing(&new).expect("it could be made");
        assert_eq!(std::fs::read(&old).expect("still there"), b"12345");
        assert!(!new.exists());
        assert!(try_writing(folder.path()).is_err());
        assert!(try_writing(&folder.path().join("absent/new")).is_err());
    }

    #[test]
    fn bounds_and_kinds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("a file");
        assert_eq!(read(&path, 5).expect("five bytes"), b"12345");
        assert!(read(&path, 4).is_err());
        assert!(read(folder.path(), 5).is_err());
    }
}
